package httpapi

import (
	"cmp"
	"fmt"
	"net/http"
	"strings"
	"unicode"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/transport/api"
)

// getSettings serves GET /v1/settings.
func (a *API) getSettings(*http.Request) (reader, error) {
	return func(v views) (reply, error) {
		s := v.watch.Settings()
		return reply{body: s, newest: s.ModifyIndex}, nil
	}, nil
}

// putSettings serves PUT /v1/settings: all that an operator may set, at once.
func (a *API) putSettings(w http.ResponseWriter, r *http.Request) error {
	var body api.PutSettings
	if err := decodeBody(r, &body); err != nil {
		return err
	}
	if err := checkBy(body.By); err != nil {
		return err
	}
	next := body.ClusterSettings.Normalise()
	if err := next.Validate(); err != nil {
		return err
	}
	_, index, err := a.propose(r, fsm.OpPutSettings, &fsm.PutSettings{
		At: a.cfg.Clock(), By: cmp.Or(body.By, operator), Index: body.IfIndex, Settings: next,
	})
	if err != nil {
		return fmt.Errorf("changing the settings: %w", err)
	}
	setIndex(w, index)
	return writeJSON(w, http.StatusOK, a.cfg.Store.Read().Settings())
}

// checkBy bounds the name of who asks.
func checkBy(by string) error {
	if len(by) > fsm.MaxStatusBy || strings.ContainsFunc(by, unicode.IsControl) {
		return badRequest("by: want at most %d bytes without control characters", fsm.MaxStatusBy)
	}
	return nil
}

// nodesRTT serves GET /v1/nodes/rtt: this node's estimates.
func (a *API) nodesRTT(w http.ResponseWriter, _ *http.Request) error {
	return writeJSON(w, http.StatusOK, a.cfg.Cluster.RTT())
}

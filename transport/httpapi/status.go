package httpapi

import (
	"context"
	_ "embed" // the page
	"fmt"
	"net/http"
	"runtime"

	"github.com/rota-scheduler/rota/transport"
	"github.com/rota-scheduler/rota/transport/api"
)

//go:embed page.html
var pageHTML []byte

// page serves GET /: the cluster at a glance.
func (a *API) page(w http.ResponseWriter, _ *http.Request) error {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'")
	h.Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(pageHTML) // the client is gone if this fails
	return nil
}

// version serves GET /v1/version.
func (a *API) version(w http.ResponseWriter, _ *http.Request) error {
	return writeJSON(w, http.StatusOK, api.Version{Version: a.cfg.Version, Commit: a.cfg.Commit, Go: runtime.Version()})
}

// state is the answer of the health checks.
type state struct {
	Status string `json:"status"`
}

// health serves GET /healthz: the process serves.
func (a *API) health(w http.ResponseWriter, _ *http.Request) error {
	return writeJSON(w, http.StatusOK, state{"ok"})
}

// ready serves GET /readyz: the node can take part.
func (a *API) ready(w http.ResponseWriter, _ *http.Request) error {
	if _, ok := a.cfg.Cluster.Leader(); !ok {
		return transport.ErrNoLeader
	}
	if !a.cfg.Cluster.CaughtUp() {
		return &answerError{http.StatusServiceUnavailable, api.ErrorBody{
			Code: api.CodeUnreachable, Message: "this node is still catching up with the log; ask another node, or try again in a moment",
		}}
	}
	return writeJSON(w, http.StatusOK, state{"ready"})
}

// leader serves GET /v1/leader.
func (a *API) leader(w http.ResponseWriter, _ *http.Request) error {
	leader, ok := a.cfg.Cluster.Leader()
	if !ok {
		return transport.ErrNoLeader
	}
	return writeJSON(w, http.StatusOK, leader)
}

// transferLeader serves POST /v1/leader/transfer.
func (a *API) transferLeader(w http.ResponseWriter, r *http.Request) error {
	ctx, cancel := context.WithTimeout(r.Context(), a.limits.propose)
	defer cancel()
	leader, err := a.cfg.Cluster.TransferLeadership(ctx)
	if err != nil {
		return a.notTransferred(err)
	}
	return writeJSON(w, http.StatusOK, leader)
}

func (a *API) notTransferred(err error) error {
	if _, _, known := answerOf(err); known {
		return fmt.Errorf("transferring the leadership: %w", err)
	}
	a.cfg.Logger.Warn("the leadership was not transferred", "error", err)
	if len(a.cfg.Cluster.Voters()) == 1 {
		return &answerError{http.StatusConflict, api.ErrorBody{
			Code: api.CodeConflict, Message: "no other node has a vote, so none can lead; GET /v1/nodes shows who has, and a node that joins gets one after some ten seconds",
		}}
	}
	return &answerError{http.StatusGatewayTimeout, api.ErrorBody{
		Code: api.CodeTimeout, Message: "the leadership was not transferred; see GET /v1/leader, and try again in some seconds",
	}}
}

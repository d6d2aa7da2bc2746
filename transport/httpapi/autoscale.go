package httpapi

import (
	"fmt"
	"net/http"
	"slices"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/transport/api"
)

// getAutoscale serves GET /v1/autoscale: the settings, and what was decided by
// them, the newest first.
func (a *API) getAutoscale(*http.Request) (reader, error) {
	return func(v views) (reply, error) {
		s := v.watch.Settings()
		events := []fsm.ScaleEvent{}
		for e := range v.watch.ScaleEvents() {
			events = append(events, *e)
		}
		slices.Reverse(events)
		return reply{body: api.Autoscale{Settings: s.Autoscale.WithDefaults(), Events: events, Index: v.index()}}, nil
	}, nil
}

// planAutoscale serves POST /v1/autoscale/plan: what settings, or those that there
// are, would do right now. It changes nothing.
func (a *API) planAutoscale(w http.ResponseWriter, r *http.Request) error {
	settings := a.cfg.Store.Read().Settings().ClusterSettings
	if err := decodeBody(r, &settings.Autoscale); err != nil {
		return err
	}
	if !settings.Autoscale.On() {
		return fmt.Errorf("%w: autoscale: no provider is set", fsm.ErrInvalid)
	}
	if err := settings.Validate(); err != nil {
		return err
	}
	plan, err := a.cfg.Cluster.PlanScale(settings.Autoscale)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, plan)
}

package httpapi

import (
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/rota-scheduler/rota/transport"
	"github.com/rota-scheduler/rota/transport/api"
)

// methods maps the methods of a path to their handlers.
type methods map[string]handler

// routes lists every path. Handlers of writes run on the leader only.
func (a *API) routes() *http.ServeMux {
	mux := http.NewServeMux()
	for path, m := range map[string]methods{
		"/{$}":               {"GET": a.page},
		"/v1/jobs":           {"GET": a.read(a.listJobs), "PUT": a.write(a.putJobs)},
		"/v1/version":        {"GET": a.version},
		"/healthz":           {"GET": a.health},
		"/readyz":            {"GET": a.ready},
		"/v1/nodes":          {"GET": a.read(a.listNodes)},
		"/v1/nodes/rtt":      {"GET": a.nodesRTT},
		"/v1/autoscale":      {"GET": a.read(a.getAutoscale)},
		"/v1/autoscale/plan": {"POST": a.write(a.planAutoscale)},
		"/v1/settings":       {"GET": a.read(a.getSettings), "PUT": a.write(a.putSettings)},
		"/v1/leader":         {"GET": a.leader},
		"/v1/pools":          {"GET": a.read(a.listPools)},
		"/v1/pools/{name}":   {"DELETE": a.write(a.deletePool)},
		"/v1/runs":           {"GET": a.read(a.listRuns)},
		"/v1/events":         {"GET": a.events},
		"/v1/jobs/{name}": {
			"GET": a.read(a.getJob), "DELETE": a.write(a.deleteJob),
		},
		"/v1/jobs/{name}/run":     {"POST": a.write(a.startRun)},
		"/v1/jobs/{name}/pause":   {"POST": a.write(a.pauseJob)},
		"/v1/jobs/{name}/resume":  {"POST": a.write(a.resumeJob)},
		"/v1/jobs/{name}/fires":   {"GET": a.read(a.listFires)},
		"/v1/runs/{id}":           {"GET": a.read(a.getRun)},
		"/v1/runs/{id}/cancel":    {"POST": a.write(a.cancelRun)},
		"/v1/runs/{id}/retry":     {"POST": a.write(a.retryRun)},
		"/v1/runs/{id}/logs":      {"GET": a.runLogs},
		"/v1/nodes/{name}/status": {"PUT": a.write(a.setNodeStatus)},
		"/v1/leader/transfer":     {"POST": a.write(a.transferLeader)},
		"/v1/notifications":       {"GET": a.read(a.listNotifications)},
		heldLogPath:               {"GET": a.heldLogs},
		"/metrics":                {"GET": mounted(a.cfg.Metrics)},
		transport.WatchPath:       {"GET": mounted(a.cfg.Peers)},
	} {
		mux.Handle(path, a.handle(m.serve))
	}
	mux.Handle("/v1/internal/", a.handle(mounted(a.cfg.Internal)))
	mux.Handle("/", a.handle(noSuchPath))
	return mux
}

// serve picks the method's handler. HEAD is GET; net/http drops the body.
func (m methods) serve(w http.ResponseWriter, r *http.Request) error {
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	if h, ok := m[method]; ok {
		return h(w, r)
	}
	allowed := strings.Join(slices.Sorted(maps.Keys(m)), ", ")
	w.Header().Set("Allow", allowed)
	return &answerError{http.StatusMethodNotAllowed, api.ErrorBody{
		Code: CodeMethod, Message: "this path does not take " + r.Method + "; use " + allowed,
	}}
}

// mounted wraps a handler that the node has given, if it has.
func mounted(h http.Handler) handler {
	if h == nil {
		return noSuchPath
	}
	return func(w http.ResponseWriter, r *http.Request) error {
		h.ServeHTTP(w, r)
		return nil
	}
}

func noSuchPath(_ http.ResponseWriter, r *http.Request) error {
	return &answerError{http.StatusNotFound, api.ErrorBody{
		Code: api.CodeNotFound, Message: "there is no path " + r.URL.Path + "; the API begins at /v1/",
	}}
}

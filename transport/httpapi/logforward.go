package httpapi

import (
	"context"
	"fmt"
	"maps"
	"math"
	"net/http"
	"net/url"
	"strconv"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/transport"
)

// heldLogPath is where a node serves the logs that it holds itself. It asks
// nobody's state: the one who asks knows the attempt.
const heldLogPath = "/v1/internal/logs/{run}/{task}/{shard}/{attempt}"

// target is the node that a request is passed on to, and how that failed.
type target struct {
	addr string
	err  error
}

type targetKey struct{}

func targetOf(r *http.Request) *target {
	t, _ := r.Context().Value(targetKey{}).(*target)
	return t
}

// Target names the node that a request is to be passed on to: the Resolve of
// Config.ForwardNode.
func Target(r *http.Request) (addr string, ok bool) {
	if t := targetOf(r); t != nil {
		return t.addr, true
	}
	return "", false
}

// forwardLog asks the node that holds the log. The error is errNodeGone or
// fsm.ErrNotFound if nothing was answered yet.
func (a *API) forwardLog(w http.ResponseWriter, r *http.Request, ref fsm.AttemptRef, l logQuery, nodeID string) error {
	node := a.cfg.Store.Read().Node(nodeID)
	if node == nil || node.Status == fsm.NodeDown || node.Status == fsm.NodeLeft {
		return errNodeGone
	}
	release, err := a.limits.logs.take()
	if err != nil {
		return err
	}
	defer release()
	ctx, cancel := lasting(r)
	defer cancel()
	to := &target{addr: node.HTTPAddr}
	out := r.Clone(context.WithValue(ctx, targetKey{}, to))
	out.URL = &url.URL{
		Path: fmt.Sprintf("/v1/internal/logs/%s/%s/%d/%d", ref.RunID, ref.Task, ref.Shard, ref.Attempt),
		// Only what was understood here is passed on.
		RawQuery: l.values().Encode(),
	}
	answer := &missWriter{ResponseWriter: w, header: http.Header{}}
	a.cfg.ForwardNode.ServeHTTP(answer, out)
	if to.err != nil {
		a.cfg.Logger.Debug("the node that holds a log cannot be asked", "node", node.Name, "attempt", ref, "error", to.err)
		return errNodeGone
	}
	if answer.missed {
		return fsm.ErrNotFound
	}
	return nil
}

// heldLogs serves heldLogPath.
func (a *API) heldLogs(w http.ResponseWriter, r *http.Request) error {
	l, err := logQueryOf(r.URL.Query())
	if err != nil {
		return err
	}
	ref := fsm.AttemptRef{RunID: r.PathValue("run"), Task: r.PathValue("task")}
	// They become parts of a file's path.
	if err := fsm.CheckName(ref.RunID); err != nil {
		return badRequest("run: %s", err)
	}
	if err := fsm.CheckName(ref.Task); err != nil {
		return badRequest("task: %s", err)
	}
	for name, n := range map[string]*int{"shard": &ref.Shard, "attempt": &ref.Attempt} {
		v, err := strconv.ParseUint(r.PathValue(name), 10, 31)
		if err != nil || v > math.MaxInt32 {
			return badRequest("%s %q: want a number", name, r.PathValue(name))
		}
		*n = int(v)
	}
	return a.serveLog(w, r, ref, l)
}

// missWriter passes an answer on, unless it is 404: that is swallowed, so that
// another answer can be given.
type missWriter struct {
	http.ResponseWriter
	header http.Header
	begun  bool
	missed bool
}

func (w *missWriter) Header() http.Header { return w.header }

func (w *missWriter) WriteHeader(status int) {
	if w.begun || status < http.StatusOK {
		return
	}
	w.begun = true
	if w.missed = status == http.StatusNotFound; w.missed {
		return
	}
	h := w.ResponseWriter.Header()
	h.Del(transport.NodeHeader)
	maps.Copy(h, w.header)
	w.ResponseWriter.WriteHeader(status)
}

func (w *missWriter) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	if w.missed {
		return len(b), nil
	}
	return w.ResponseWriter.Write(b)
}

// FlushError implements what http.ResponseController looks for.
func (w *missWriter) FlushError() error {
	if !w.begun || w.missed {
		return nil
	}
	return http.NewResponseController(w.ResponseWriter).Flush()
}

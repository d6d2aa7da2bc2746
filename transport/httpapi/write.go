package httpapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/transport"
)

// ownWrites is how long an answer that was passed on waits for this node's
// replica.
const ownWrites = 2 * time.Second

// write makes the handler of a change: it runs on the leader.
func (a *API) write(h handler) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		if !a.cfg.Cluster.IsLeader() {
			return a.forward(w, r)
		}
		return h(w, r)
	}
}

func (a *API) forward(w http.ResponseWriter, r *http.Request) error {
	a.cfg.Forward.ServeHTTP(&forwardWriter{ResponseWriter: w, api: a, ctx: r.Context()}, r)
	return nil
}

// forwardWriter holds the leader's answer back until this node's replica is as
// new.
type forwardWriter struct {
	http.ResponseWriter
	api  *API
	ctx  context.Context
	done bool
}

func (w *forwardWriter) WriteHeader(status int) {
	if !w.done && status >= http.StatusOK {
		w.done = true
		w.catchUp()
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *forwardWriter) catchUp() {
	h := w.Header()
	// This node's name stands first, the one that answered last.
	if names := h.Values(transport.NodeHeader); len(names) > 1 {
		h.Set(transport.NodeHeader, names[len(names)-1])
	}
	index, err := strconv.ParseUint(h.Get(IndexHeader), 10, 64)
	if err != nil {
		return
	}
	ctx, cancel := context.WithTimeout(w.ctx, ownWrites)
	defer cancel()
	if err := w.api.cfg.Cluster.WaitApplied(ctx, index); err != nil {
		w.api.cfg.Logger.Debug("this replica is behind an answer that it passes on", "index", index, "error", err)
	}
}

// Unwrap serves http.ResponseController.
func (w *forwardWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// propose commits a command. A client that goes away does not stop it: it would
// not know what became of it either way.
func (a *API) propose(r *http.Request, op fsm.Opcode, command any) (any, uint64, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), a.limits.propose)
	defer cancel()
	value, index, err := a.cfg.Proposer.Propose(ctx, op, command)
	gaveUp := errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
	if gaveUp && !errors.Is(err, transport.ErrNoLeader) {
		err = fmt.Errorf("%w: %w", transport.ErrUnknownFate, err)
	}
	return value, index, err
}

// holds waits on the store until the check is satisfied, and returns false when
// the time is up first.
func (a *API) holds(r *http.Request, wait time.Duration, check func(*fsm.View) bool) (bool, error) {
	v := a.cfg.Store.Watch()
	if check(v) {
		return true, nil
	}
	release, err := a.limits.blocked.take()
	if err != nil {
		return false, err
	}
	defer release()
	ctx, cancel := lasting(r)
	defer cancel()
	timed, stop := context.WithTimeout(ctx, wait)
	defer stop()
	for {
		if err := v.Changed().WatchCtx(timed); err != nil {
			return false, context.Cause(ctx)
		}
		if v = a.cfg.Store.Watch(); check(v) {
			return true, nil
		}
	}
}

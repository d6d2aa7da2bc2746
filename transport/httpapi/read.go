package httpapi

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/rota-scheduler/rota/fsm"
)

// views is what a read sees. Watch remembers what is read through it, for
// blocking: a listing touches a few whole tables there and reads its rows from
// Now, so that it does not gather a channel for every row. Now is not older
// than Watch.
type views struct{ watch, now *fsm.View }

// index is what the answer is at least as new as.
func (v views) index() uint64 { return v.watch.Index() }

// reply is the result of a read.
type reply struct {
	body any
	// newest is the index of the newest change in it that is dated. Where every
	// change is, dated is true: a newest that is not past the client's index then
	// means that there is no news.
	newest uint64
	dated  bool
}

// reader computes an answer. A blocked request calls it again and again.
type reader func(v views) (reply, error)

// read makes the handler of a GET: parse checks the request once.
func (a *API) read(parse func(*http.Request) (reader, error)) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		q := r.URL.Query()
		consistent, err := flagOf(q, "consistent")
		if err != nil {
			return err
		}
		if consistent && !a.cfg.Cluster.IsLeader() {
			return a.forward(w, r)
		}
		if err := a.replayed(r.Context()); err != nil {
			return err
		}
		read, err := parse(r)
		if err != nil {
			return err
		}
		block, err := blockOf(q)
		if err != nil {
			return err
		}
		if consistent {
			if err := a.confirm(r.Context()); err != nil {
				return err
			}
		}
		result, index, err := a.evaluate(r, read, block)
		if err != nil {
			return err
		}
		setIndex(w, index)
		return writeJSON(w, http.StatusOK, result.body)
	}
}

// replayed keeps a node that has just started from answering out of the past.
func (a *API) replayed(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, replayWait)
	defer cancel()
	return a.cfg.Cluster.Replayed(ctx)
}

// replayWait is how long a read waits for a node that has just started.
const replayWait = 5 * time.Second

func setIndex(w http.ResponseWriter, index uint64) {
	w.Header().Set(IndexHeader, strconv.FormatUint(index, 10))
}

// confirm returns once this node's store shows every write that was acknowledged
// before the call.
func (a *API) confirm(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, a.limits.propose)
	defer cancel()
	index, err := a.cfg.Cluster.ReadIndex(ctx)
	if err != nil {
		return err
	}
	return a.cfg.Cluster.WaitApplied(ctx, index)
}

// block is ?index= and ?wait=.
type block struct {
	index uint64
	wait  time.Duration
}

func blockOf(q url.Values) (block, error) {
	v := q.Get("index")
	if v == "" {
		return block{}, nil
	}
	index, err := strconv.ParseUint(v, 10, 64)
	if err != nil {
		return block{}, badRequest("index=%s: want the number of an %s header", v, IndexHeader)
	}
	wait, err := waitOf(q)
	return block{index, wait}, err
}

// evaluate reads, and with a block waits until there is news or the time is up.
func (a *API) evaluate(r *http.Request, read reader, b block) (reply, uint64, error) {
	if b.wait == 0 {
		v := a.views()
		result, err := read(v)
		return result, v.index(), err
	}
	release, err := a.limits.blocked.take()
	if err != nil {
		return reply{}, 0, err
	}
	defer release()
	ctx, cancel := lasting(r)
	defer cancel()
	timed, stop := context.WithTimeout(ctx, b.wait)
	defer stop()
	return a.await(timed, read, b.index)
}

func (a *API) views() views {
	watch := a.cfg.Store.Watch()
	return views{watch, a.cfg.Store.Read()}
}

// await reads until the answer is newer than after, or ctx ends.
func (a *API) await(ctx context.Context, read reader, after uint64) (reply, uint64, error) {
	// woken: there may be news, though no row says so.
	woken := false
	for {
		v := a.views()
		result, err := read(v)
		if err != nil || woken || result.newest > after || ctx.Err() != nil {
			return result, v.index(), err
		}
		moved := v.index() > after && !result.dated
		changed := a.changed(ctx, v.watch, result.dated, moved)
		// Nothing dates the rows of some answers: they may have changed since, and
		// are then sent again rather than held back.
		woken = !result.dated && ((moved && !changed) || (changed && v.index() >= after))
	}
}

// changed waits until what the view has read changes. It gives up when ctx ends;
// after a short pause if the index has moved past the client's already; and,
// unless the rows are dated, when it moves while nothing changes: an entry's
// rows become visible a moment before its index does, so that there may be no
// channel left to wait for.
func (a *API) changed(ctx context.Context, v *fsm.View, dated, moved bool) bool {
	limit := a.limits.recheck
	if moved {
		limit = a.limits.pace
	}
	for ctx.Err() == nil {
		if awaitChange(ctx, v, limit) {
			return true
		}
		if moved || (!dated && a.cfg.Store.Index() > v.Index()) {
			return false
		}
	}
	return false
}

// awaitChange waits until what the view has read changes; false: ctx ended, or
// the limit passed, before that.
func awaitChange(ctx context.Context, v *fsm.View, limit time.Duration) bool {
	short, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return v.Changed().WatchCtx(short) == nil
}

// The tables that listings watch.

func watchJobs(v *fsm.View) {
	for range v.Jobs(fsm.JobKey{}) {
		return
	}
}

// watchRuns watches the active runs of a job, or of all for the empty key: a run
// changes only while it is active, and the end of it counts.
func watchRuns(v *fsm.View, job fsm.JobKey) {
	runs := v.AllActiveRuns()
	if job != (fsm.JobKey{}) {
		runs = v.ActiveRuns(job)
	}
	for range runs {
		return
	}
}

// watchSchedules watches how far the schedules have been decided.
func watchSchedules(v *fsm.View) {
	for range v.Due() {
		return
	}
}

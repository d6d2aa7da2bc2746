package httpapi

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/transport/api"
)

// Kinds of events.
const (
	eventRun  = "run"
	eventFire = "fire"
	eventJob  = "job"
	eventNode = "node"
)

// eventShare bounds what a stream may cost: between looks it rests this many
// times longer than the last look took.
const eventShare = 10

// events serves GET /v1/events: what changes from now on, or, with ?index= or
// Last-Event-ID, also the present state of what has changed since. An event may
// come twice, and one that is overtaken by the next change may be left out.
func (a *API) events(w http.ResponseWriter, r *http.Request) error {
	since, resumed, err := resumeAt(r)
	if err != nil {
		return err
	}
	if err := a.replayed(r.Context()); err != nil {
		return err
	}
	release, err := a.limits.events.take()
	if err != nil {
		return err
	}
	defer release()
	ctx, cancel := lasting(r)
	defer cancel()
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	watch := watchAll(a.cfg.Store)
	before := a.cfg.Store.Read()
	setIndex(w, watch.Index())
	w.WriteHeader(http.StatusOK)
	s := &eventStream{w: w, ctl: http.NewResponseController(w)}
	if resumed {
		s.send(changedSince(before, since))
	} else {
		s.comment("watching")
	}
	a.stream(ctx, s, before, watch)
	return nil
}

// resumeAt returns the index from which on the client wants to hear. An event of
// the index itself may be the one at which the connection broke.
func resumeAt(r *http.Request) (since uint64, resumed bool, err error) {
	v := cmp.Or(r.Header.Get("Last-Event-ID"), r.URL.Query().Get("index"))
	if v == "" {
		return 0, false, nil
	}
	if since, err = strconv.ParseUint(v, 10, 64); err != nil {
		return 0, false, badRequest("index %.40q: want the id of an event", v)
	}
	return since, true, nil
}

// stream sends what changes between one view and the next, until ctx ends or the
// client does not read. It waits on views of their own, that have read only
// whole tables: the ones it compares would gather a channel for every row.
func (a *API) stream(ctx context.Context, s *eventStream, before, watch *fsm.View) {
	pause := time.NewTimer(0)
	defer pause.Stop()
	for s.err == nil {
		changed := awaitChange(ctx, watch, a.limits.beat)
		if ctx.Err() != nil {
			return
		}
		if !changed {
			s.comment("beat")
			continue
		}
		start := time.Now()
		watch = watchAll(a.cfg.Store)
		now := a.cfg.Store.Read()
		s.send(changes(before, now))
		before = now
		pause.Reset(max(a.limits.eventPause, eventShare*time.Since(start)))
		select {
		case <-pause.C:
		case <-ctx.Done():
		}
	}
}

func watchAll(store *fsm.Store) *fsm.View {
	v := store.Watch()
	watchJobs(v)
	watchRuns(v, fsm.JobKey{})
	watchSchedules(v)
	for range v.Nodes() {
		break
	}
	return v
}

// eventStream writes server-sent events.
type eventStream struct {
	w   http.ResponseWriter
	ctl *http.ResponseController
	err error // the first; the client is gone
}

func (s *eventStream) comment(text string) { s.write([]byte(": " + text + "\n\n")) }

func (s *eventStream) send(events []api.Event) {
	for i := range events {
		data, err := json.Marshal(&events[i])
		if err != nil {
			s.err = err
			return
		}
		s.write(fmt.Appendf(nil, "id: %d\ndata: %s\n\n", events[i].Index, data))
	}
}

func (s *eventStream) write(b []byte) {
	if s.err != nil {
		return
	}
	if _, s.err = s.w.Write(b); s.err == nil {
		s.err = flush(s.ctl)
	}
}

// changedSince lists what is dated at the index or behind it.
func changedSince(v *fsm.View, since uint64) []api.Event {
	var events []api.Event
	add := func(index uint64, e api.Event) {
		if e.Index = index; index >= since {
			events = append(events, e)
		}
	}
	for n := range v.Nodes() {
		add(n.ModifyIndex, api.Event{Kind: eventNode, Node: n})
	}
	for j := range v.Jobs(fsm.JobKey{}) {
		add(j.ModifyIndex, api.Event{Kind: eventJob, Job: j})
	}
	for r := range v.AllRuns("") {
		add(r.ModifyIndex, api.Event{Kind: eventRun, Run: r})
	}
	return inOrder(events)
}

// changes compares two views by the identity of their rows: a row that changes
// is a new one. Runs that ended and fires are looked for only in jobs whose
// counts have changed, which every such change does.
func changes(before, now *fsm.View) []api.Event {
	var events []api.Event
	for n := range now.Nodes() {
		if before.Node(n.ID) != n {
			events = append(events, api.Event{Index: n.ModifyIndex, Kind: eventNode, Node: n})
		}
	}
	for r := range now.AllActiveRuns() {
		if before.Run(r.ID) != r {
			events = append(events, api.Event{Index: r.ModifyIndex, Kind: eventRun, Run: r})
		}
	}
	for j := range now.Jobs(fsm.JobKey{}) {
		key := j.Key()
		if before.Job(key) != j {
			events = append(events, api.Event{Index: j.ModifyIndex, Kind: eventJob, Job: j})
		}
		if before.Stats(key) != now.Stats(key) {
			events = append(events, settled(before, now, key)...)
		}
	}
	return inOrder(events)
}

// settled lists the runs of a job that ended and its fires that got an outcome.
func settled(before, now *fsm.View, key fsm.JobKey) []api.Event {
	var events []api.Event
	for r := range now.Runs(key) {
		if r.State.Ended() && before.Run(r.ID) != r {
			events = append(events, api.Event{Index: r.ModifyIndex, Kind: eventRun, Run: r})
		}
	}
	for f := range now.Fires(key) {
		if old := before.Fire(key, f.ScheduledAt); f.Outcome != "" && (old == nil || old.Outcome == "") {
			events = append(events, api.Event{Index: now.Index(), Kind: eventFire, Fire: f})
		}
	}
	return events
}

func inOrder(events []api.Event) []api.Event {
	slices.SortStableFunc(events, func(a, b api.Event) int { return cmp.Compare(a.Index, b.Index) })
	return events
}

package fsm

import (
	"crypto/sha256"
	"slices"
	"strconv"

	"github.com/oklog/ulid/v2"
)

// Event is something that a job tells of. It is made by the same entry of the log
// that makes what it tells of, and is complete: what it speaks of may be forgotten
// before it is delivered.
type Event struct {
	// ID is a function of what happened to what: whoever receives it twice, over
	// a change of leaders too, sees the same.
	ID         string `codec:"id" json:"id"`
	Name       string `codec:"e" json:"event"`
	OccurredAt Time   `codec:"at" json:"occurred_at"`
	Namespace  string `codec:"ns" json:"namespace"`
	Job        string `codec:"j" json:"job"`
	Version    uint64 `codec:"v" json:"version"`
	// RunID, Trigger and State are unset for a missed instant, which has no run.
	RunID       string   `codec:"r,omitempty" json:"run_id,omitempty"`
	Trigger     string   `codec:"tr,omitempty" json:"trigger,omitempty"`
	ScheduledAt Time     `codec:"sa,omitempty" json:"scheduled_at"`
	StartedAt   Time     `codec:"st,omitempty" json:"started_at"`
	EndedAt     Time     `codec:"en,omitempty" json:"ended_at"`
	State       RunState `codec:"s,omitempty" json:"state,omitempty"`
	Reason      string   `codec:"re,omitempty" json:"reason,omitempty"`
	// Until and Count are set where many missed instants are told of at once:
	// Count instants from ScheduledAt to Until.
	Until Time `codec:"u,omitempty" json:"until,omitzero"`
	Count int  `codec:"c,omitempty" json:"count,omitempty"`
	// EventAttempt is the attempt that the event is about; nil if there is none.
	*EventAttempt `codec:"a,omitempty"`
	// Tail is the end of that attempt's output.
	Tail []byte `codec:"t,omitempty" json:"-"`
}

// EventAttempt is an attempt as an event tells of it.
type EventAttempt struct {
	Task     string `codec:"t" json:"task"`
	Shard    int    `codec:"s,omitempty" json:"shard"`
	Attempt  int    `codec:"a" json:"attempt"`
	Node     string `codec:"n,omitempty" json:"node,omitempty"`
	Outcome  string `codec:"o,omitempty" json:"outcome,omitempty"`
	ExitCode int    `codec:"x,omitempty" json:"exit_code"`
	Signal   string `codec:"g,omitempty" json:"signal,omitempty"`
	Error    string `codec:"e,omitempty" json:"error,omitempty"`
	OOM      bool   `codec:"om,omitempty" json:"oom,omitempty"`
}

// JobKey returns the name of the event's job.
func (e *Event) JobKey() JobKey { return JobKey{e.Namespace, e.Job} }

// about tells an event of a run.
func (e *Event) about(r *Run) {
	e.Namespace, e.Job, e.Version = r.Namespace, r.Job, r.Version
	e.RunID, e.Trigger, e.State, e.Reason = r.ID, r.Trigger, r.State, r.Reason
	e.ScheduledAt, e.StartedAt, e.EndedAt = r.ScheduledAt, r.StartedAt, r.EndedAt
	// A manual run's ID may come again once the run is forgotten, and a run that
	// is retried may fail again.
	e.identify(r.ID, number(r.CreateIndex), number(uint64(r.Retries)))
}

// aboutAttempt tells it of an attempt of one of its shards.
func (e *Event) aboutAttempt(v *View, s *Shard, a *Attempt) {
	e.EventAttempt = &EventAttempt{
		Task: s.Task, Shard: s.Index, Attempt: a.Number, Node: a.Node,
		Outcome: a.Outcome, ExitCode: a.ExitCode, Signal: a.Signal, Error: a.Error, OOM: a.OOM,
	}
	if n := v.node(a.Node); n != nil {
		e.Node = n.Name
	}
	e.Tail = a.Tail
}

// identify derives the ID from the event's name, its job and what it is about.
func (e *Event) identify(about string, numbers ...[]byte) {
	h := sha256.New()
	for _, part := range append([][]byte{text(e.Name), jobKey(e.JobKey()), text(about)}, numbers...) {
		h.Write(part)
	}
	var id ulid.ULID
	_ = id.SetTime(uint64(max(e.OccurredAt, 0) / 1e6)) // fails only past the year 10889
	copy(id[6:], h.Sum(nil))
	e.ID = id.String()
}

// tellRun tells of a run that has succeeded or failed. Of a failure the first
// attempt that brought it about is told.
func tellRun(c *change, r *Run, at Time) {
	e := &Event{Name: EventSuccess, OccurredAt: at}
	switch r.State {
	case RunSucceeded:
	case RunFailed:
		e.Name = EventFailure
	default:
		return
	}
	spec := c.specOf(r)
	if !spec.tells(e.Name) {
		return
	}
	e.about(r)
	if s := c.culprit(r); r.State == RunFailed && s != nil {
		e.aboutAttempt(&c.View, s, lastOf(s))
		if e.Reason == "" {
			e.Reason = s.Reason
		}
	}
	enqueue(c, spec, e)
}

// culprit returns the shard by which a run failed: the first that failed of the
// task that failed first. It is nil if none did.
func (v *View) culprit(r *Run) *Shard {
	var first *RunTask
	for t := range v.tasksOf(r.ID) {
		if t.State == TaskFailed && (first == nil || t.EndedAt < first.EndedAt) {
			first = t
		}
	}
	if first == nil {
		return nil
	}
	for s := range v.shardsOfTask(r.ID, first.Name) {
		if s.State == ShardFailed {
			return s
		}
	}
	return nil
}

// lastOf returns the shard's last attempt that was on a node.
func lastOf(s *Shard) *Attempt {
	if n := len(s.Past); s.Current.Node == "" && n > 0 {
		return &s.Past[n-1]
	}
	return &s.Current
}

// tellAttempt tells of an attempt that failed and is tried again, or was lost.
func tellAttempt(c *change, event string, s *Shard, a *Attempt, reason string, at Time) {
	r := c.run(s.RunID)
	spec := c.specOf(r)
	if !spec.tells(event) {
		return
	}
	e := &Event{Name: event, OccurredAt: at}
	e.about(r)
	e.Reason = reason
	e.aboutAttempt(&c.View, s, a)
	e.identify(r.ID+"/"+s.Task+"/"+strconv.Itoa(s.Index)+"/"+strconv.Itoa(a.Number), number(r.CreateIndex))
	enqueue(c, spec, e)
}

// tellMissed tells of an instant that passed and nothing ran for it.
func tellMissed(c *change, f *Fire, at Time) {
	key := f.JobKey()
	job, version := c.job(key), c.version(key, f.Version)
	if job == nil || version == nil || !version.Spec().tells(EventMissed) {
		return
	}
	e := &Event{
		Name: EventMissed, OccurredAt: at, Namespace: f.Namespace, Job: f.Job, Version: f.Version,
		ScheduledAt: f.ScheduledAt, Until: f.Until, Count: f.Count, Reason: f.Reason,
	}
	e.identify("fire", number(job.CreateIndex), timeKey(f.ScheduledAt))
	enqueue(c, version.Spec(), e)
}

// enqueue makes a notification of the event for each block that is about it.
func enqueue(c *change, spec *JobSpec, e *Event) {
	for i := range spec.Notify {
		if n := &spec.Notify[i]; slices.Contains(n.On, e.Name) {
			addNotification(c, &Notification{
				Event: *e, Block: i, Kind: n.Kind, To: n.To(), Target: n,
				Status: NotificationPending, NextAt: e.OccurredAt,
			})
		}
	}
}

package fsm

import (
	"fmt"
	"slices"
)

// StartRun makes a manual run. Applied again with the same ID it changes nothing.
type StartRun struct {
	At  Time   `codec:"at"`
	ID  string `codec:"id"`
	Job JobKey `codec:"j"`
	// Params are the values that were given. They have been checked against the
	// params of Version, if that is not zero; the run is refused if the job has
	// another version by now.
	Params  map[string]string `codec:"p,omitempty"`
	Version uint64            `codec:"v,omitempty"`
}

// CancelRun asks for the end of a run.
type CancelRun struct {
	At Time   `codec:"at"`
	ID string `codec:"id"`
}

func applyStartRun(c *change, cmd *StartRun) (any, error) {
	// The ID is part of keys and of file names.
	if err := CheckName(cmd.ID); err != nil {
		return nil, fmt.Errorf("run ID: %w", err)
	}
	if old := c.run(cmd.ID); old != nil {
		return old, nil
	}
	job := c.job(cmd.Job)
	if job == nil {
		return nil, fmt.Errorf("job %s: %w", cmd.Job, ErrNotFound)
	}
	if job.Deleting {
		return nil, fmt.Errorf("job %s: %w", cmd.Job, ErrDeleting)
	}
	if cmd.Version != 0 && cmd.Version != job.Version {
		return nil, fmt.Errorf("%w: job %s is no longer at version %d: read it again and repeat the change", ErrConflict, cmd.Job, cmd.Version)
	}
	spec := c.version(cmd.Job, job.Version).Spec()
	params, err := spec.resolveParams(cmd.Params, (*Param).checkChoice)
	if err != nil {
		return nil, err
	}
	run := &Run{
		ID: cmd.ID, Namespace: cmd.Job.Namespace, Job: cmd.Job.Name, Version: job.Version,
		Trigger: TriggerManual, CreatedAt: cmd.At, Overlap: spec.Overlap(), Params: params,
	}
	if run.Overlap == OverlapAllow {
		run.Opened = true
		createRun(c, run, spec)
		return run, nil
	}
	return startExclusive(c, run, spec)
}

// startExclusive makes a manual run of a job that allows one run at a time.
// Fires that are armed but not started are asked back first; fires that sit on
// no node simply come after it. If anything else is active, forbid refuses the
// run; queue and replace put it behind all that is active, the fires included:
// a run in the middle of the line could end up waiting for one that waits for it.
func startExclusive(c *change, run *Run, spec *JobSpec) (any, error) {
	var active []string
	var armed []*Shard
	var behind []*Run
	first := true
	for other := range c.activeRuns(run.JobKey()) {
		active = append(active, other.ID)
		gate := c.shard(other.ID, other.Gate, 0)
		switch {
		case other.ScheduledAt == 0 || other.Opened || gate == nil || gate.Maybe || gate.State == ShardRetracting:
			if run.Overlap == OverlapForbid {
				return nil, fmt.Errorf("job %s, run %s: %w", run.JobKey(), other.ID, ErrOverlap)
			}
			first = false
		case gate.State == ShardArmed:
			armed = append(armed, gate)
		default:
			behind = append(behind, other)
		}
	}
	if !first {
		if len(active) >= MaxQueuedRuns {
			return nil, fmt.Errorf("job %s has %d runs in its queue, at most %d: %w", run.JobKey(), len(active), MaxQueuedRuns, ErrOverlap)
		}
		run.Condition = active
		createRun(c, run, spec)
		return run, nil
	}
	for _, gate := range armed {
		run.WaitsFor = append(run.WaitsFor, gate.RunID)
		retract(c, gate, WhyManual)
	}
	for _, other := range behind {
		addCondition(c, other, run.ID)
	}
	createRun(c, run, spec)
	return run, nil
}

func addCondition(c *change, run *Run, id string) {
	r := *run
	r.Condition = append(slices.Clone(r.Condition), id)
	c.putRun(&r)
}

// waitingManual returns the manual run that waits for the given run, if any.
func waitingManual(c *change, job JobKey, runID string) *Run {
	for r := range c.activeRuns(job) {
		if slices.Contains(r.WaitsFor, runID) {
			return r
		}
	}
	return nil
}

// yieldToManual puts a fire that was asked back behind the manual run.
func yieldToManual(c *change, run *Run, at Time) {
	if manual := waitingManual(c, run.JobKey(), run.ID); manual != nil {
		addCondition(c, run, manual.ID)
	}
	freeManual(c, run.JobKey(), run.ID, at)
}

// freeManual tells a waiting manual run that one fire will not start, and lets
// it be placed after the last.
func freeManual(c *change, job JobKey, runID string, at Time) {
	manual := waitingManual(c, job, runID)
	if manual == nil {
		return
	}
	m := *manual
	m.WaitsFor = slices.DeleteFunc(slices.Clone(m.WaitsFor), func(id string) bool { return id == runID })
	if len(m.WaitsFor) == 0 {
		m.WaitsFor = nil
	}
	c.putRun(&m)
	if m.WaitsFor == nil {
		admitRun(c, &m, at)
	}
}

// refuseManual judges a waiting manual run because a fire that it had asked back
// has started after all: under forbid it ends, otherwise it queues.
func refuseManual(c *change, job JobKey, runID string, at Time) {
	manual := waitingManual(c, job, runID)
	switch {
	case manual == nil:
	case manual.Overlap == OverlapForbid:
		cancelUnstarted(c, manual, ReasonOverlap, at)
	default:
		queueManual(c, manual, at)
	}
}

// queueManual puts a manual run that was to go first at the end of the line: it
// waits for all that was there before it, and none of that waits for it.
func queueManual(c *change, manual *Run, at Time) {
	m := *manual
	m.Condition, m.WaitsFor = nil, nil
	for other := range c.activeRuns(m.JobKey()) {
		if other.ID == m.ID || other.CreateIndex > m.CreateIndex {
			continue
		}
		m.Condition = append(m.Condition, other.ID)
		if slices.Contains(other.Condition, m.ID) {
			r := *other
			r.Condition = slices.DeleteFunc(slices.Clone(r.Condition), func(id string) bool { return id == m.ID })
			c.putRun(&r)
		}
	}
	c.putRun(&m)
	admitRun(c, &m, at)
}

// cancelUnstarted ends a run none of whose shards is held by a node.
func cancelUnstarted(c *change, run *Run, reason string, at Time) {
	r := *run
	r.Cancelling, r.WaitsFor = true, nil
	if r.Reason == "" {
		r.Reason = reason
	}
	for t := range c.tasksOf(r.ID) {
		if !t.State.Ended() {
			cancelTask(c, t, at)
			r.TasksDone++
			r.TasksFailed++
		}
	}
	endRun(c, &r, at)
}

// cancelWaiting ends the tasks that have not begun, and counts them in the run,
// which the caller puts.
func cancelWaiting(c *change, run *Run, at Time) {
	for t := range c.tasksOf(run.ID) {
		if t.State == TaskWaiting {
			cancelTask(c, t, at)
			run.TasksDone++
			run.TasksFailed++
		}
	}
}

// cancelTask ends a task of which nothing runs.
func cancelTask(c *change, t *RunTask, at Time) {
	rt := *t
	rt.State, rt.EndedAt, rt.Live = TaskCancelled, at, 0
	c.putTask(&rt)
	for s := range c.shardsOfTask(t.RunID, t.Name) {
		if !s.State.Ended() {
			gone := *s
			gone.State, gone.Why = ShardCancelled, ""
			c.putShard(&gone)
		}
	}
}

func applyCancelRun(c *change, cmd *CancelRun) (any, error) {
	run := c.run(cmd.ID)
	if run == nil {
		return nil, fmt.Errorf("run %s: %w", cmd.ID, ErrNotFound)
	}
	if run.State.Ended() {
		return nil, fmt.Errorf("run %s is %s: %w", cmd.ID, run.State, ErrEnded)
	}
	cancelRun(c, run, "cancelled on request", cmd.At)
	return nil, nil
}

// cancelRun ends what has not started, asks armed attempts back, and leaves
// running ones to be killed by their nodes, which watch Cancelling.
func cancelRun(c *change, run *Run, reason string, at Time) {
	if run.Cancelling {
		return
	}
	r := *run
	r.Cancelling, r.Reason, r.WaitsFor = true, reason, nil
	cancelWaiting(c, &r, at)
	c.putRun(&r)
	held := false
	for s := range c.shardsOf(r.ID) {
		switch s.State {
		case ShardPending:
			finishShard(c, s, ShardCancelled, "", at)
		case ShardArmed:
			retract(c, s, WhyCancel)
			held = true
		case ShardRetracting:
			held = true
		case ShardRunning:
			running := *s
			running.Why = WhyCancel // its node watches what it holds, not the run
			c.putShard(&running)
			held = true
		}
	}
	if now := c.run(r.ID); !held && now != nil && !now.State.Ended() {
		endRun(c, now, at)
	}
}

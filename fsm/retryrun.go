package fsm

import "fmt"

// RetryRun takes an ended run up again: what did not succeed of it, and what
// hangs on that.
type RetryRun struct {
	At Time   `codec:"at"`
	ID string `codec:"id"`
	// Number is how many retries of the run there are then. One that there has
	// been already changes nothing.
	Number int `codec:"n"`
}

func applyRetryRun(c *change, cmd *RetryRun) (any, error) {
	run := c.run(cmd.ID)
	if run == nil {
		return nil, fmt.Errorf("run %s: %w", cmd.ID, ErrNotFound)
	}
	if cmd.Number <= run.Retries {
		return run, nil
	}
	if err := mayRetry(c, run, cmd.At); err != nil {
		return nil, err
	}
	armed, behind, err := clearWay(c, run)
	if err != nil {
		return nil, err
	}
	r := *run
	r.Retries = cmd.Number
	takeUp(c, &r, cmd.At)
	if r.TasksDone == r.TasksTotal { // it was cancelled when all was done already
		endRun(c, &r, cmd.At)
		return c.run(r.ID), nil
	}
	for _, gate := range armed {
		r.WaitsFor = append(r.WaitsFor, gate.RunID)
		retract(c, gate, WhyManual)
	}
	for _, other := range behind {
		addCondition(c, other, r.ID)
	}
	c.putRun(&r)
	if len(r.WaitsFor) == 0 {
		admitRun(c, c.run(r.ID), cmd.At)
	}
	return c.run(r.ID), nil
}

func mayRetry(c *change, run *Run, at Time) error {
	job := c.job(run.JobKey())
	switch {
	case job.Deleting:
		return fmt.Errorf("job %s: %w", run.JobKey(), ErrDeleting)
	case !run.State.Ended():
		return fmt.Errorf("%w: run %s is %s: it can be retried once it has ended", ErrConflict, run.ID, run.State)
	case run.State == RunSucceeded:
		return fmt.Errorf("%w: run %s has succeeded: there is nothing to retry", ErrConflict, run.ID)
	case !run.Opened && run.NotBefore > at: // it would start early, or hold up what is due before it
		return fmt.Errorf("%w: run %s was ended before it was due: it can be retried from %s on; a new run starts at once", ErrConflict, run.ID, run.NotBefore)
	case c.version(run.JobKey(), run.Version) == nil:
		return fmt.Errorf("%w: job %s no longer keeps version %d, which run %s was made of: start a new run", ErrConflict, run.JobKey(), run.Version, run.ID)
	}
	return nil
}

// clearWay returns what must make way for a run that is taken up again: fires
// that are armed, to be asked back, and those that sit on no node and come after
// it. It is ErrOverlap if something else is active and the policy minds.
func clearWay(c *change, run *Run) (armed []*Shard, behind []*Run, err error) {
	if run.Overlap == OverlapAllow {
		return nil, nil, nil
	}
	for other := range c.activeRuns(run.JobKey()) {
		gate := c.shard(other.ID, other.Gate, 0)
		unstarted := other.ScheduledAt != 0 && !other.Opened && gate != nil && !gate.Maybe
		switch {
		case unstarted && gate.State == ShardPending:
			behind = append(behind, other)
		case unstarted && gate.State == ShardArmed && run.Overlap == OverlapForbid:
			armed = append(armed, gate)
		default:
			return nil, nil, fmt.Errorf("job %s, run %s: %w", run.JobKey(), other.ID, ErrOverlap)
		}
	}
	return armed, behind, nil
}

// takeUp makes an ended run active again, which the caller puts, and its tasks
// wait that are to be done over. The shards that they have stay, so that attempts count on.
func takeUp(c *change, r *Run, at Time) {
	spec := c.specOf(r)
	r.State = RunRunning
	if r.StartedAt == 0 {
		r.State = RunPending
	} else {
		r.setDeadline(spec, at)
	}
	r.Opened, r.Cancelling, r.TimedOut, r.EndedAt, r.Reason, r.Condition = true, false, false, 0, "", nil
	r.TasksDone, r.TasksFailed = r.TasksTotal, 0
	skipped := map[string]bool{}
	over := map[string]bool{}
	for _, t := range inOrder(spec) {
		rt := c.task(r.ID, t.Name)
		hangs, skip := 0, false
		for _, d := range t.DependsOn {
			if over[d] {
				hangs++
			}
			skip = skip || skipped[d] && t.Condition() == RunIfAllSuccess
		}
		switch {
		case skip:
			skipped[t.Name] = true
			skipTask(c, rt, at)
		case hangs > 0 || rt.State.Failed():
			over[t.Name] = true
			r.TasksDone--
			redoTask(c, rt, hangs)
		default:
			skipped[t.Name] = rt.State == TaskSkipped
		}
	}
	stats := c.statsFor(r.JobKey())
	stats.Runs--
	c.putStats(stats)
}

// skipTask skips a task because one that it depends on stays skipped.
func skipTask(c *change, old *RunTask, at Time) {
	if old.State == TaskSkipped {
		return
	}
	rt := RunTask{RunID: old.RunID, Name: old.Name, State: TaskSkipped, Shards: old.Shards, EndedAt: at}
	rt.Reason = "a task that it depends on was skipped"
	c.putTask(&rt)
}

// redoTask has a task wait for as many others as are done over before it. If
// there are none, only what did not succeed of it is.
func redoTask(c *change, old *RunTask, hangs int) {
	rt := RunTask{RunID: old.RunID, Name: old.Name, State: TaskWaiting, Unmet: hangs, Shards: old.Shards, Again: againAll, Base: old.Base}
	done := 0
	for s := range c.shardsOfTask(old.RunID, old.Name) {
		rt.Base = max(rt.Base, s.Current.Number)
		if old.Again == againAll && s.Index >= old.Made && s.State == ShardSucceeded {
			// It was to be done over, and its turn never came.
			stale := *s
			stale.State = ShardCancelled
			c.putShard(&stale)
			continue
		}
		if s.State == ShardSucceeded {
			done++
		}
	}
	if hangs == 0 && (old.Made > 0 || old.Again == againRest) {
		rt.Again, rt.Done, rt.Nodes, rt.StartedAt = againRest, done, old.Nodes, old.StartedAt
		rt.Output, rt.Items, rt.Listed = old.Output, old.Items, old.Listed
	}
	c.putTask(&rt)
}

// inOrder returns the tasks so that each comes after those that it depends on.
func inOrder(spec *JobSpec) []*Task {
	g := newGraph(spec)
	waits := make(map[string]int, len(spec.Tasks))
	var order []*Task
	for i := range spec.Tasks {
		t := &spec.Tasks[i]
		if waits[t.Name] = len(t.DependsOn); waits[t.Name] == 0 {
			order = append(order, t)
		}
	}
	for i := 0; i < len(order); i++ {
		for _, dep := range g.dependents[order[i].Name] {
			if waits[dep.Name]--; waits[dep.Name] == 0 {
				order = append(order, dep)
			}
		}
	}
	return order
}

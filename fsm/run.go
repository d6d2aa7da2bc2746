package fsm

// RunState is where a run stands.
type RunState string

// States of a run. The last three are final.
const (
	RunPending   RunState = "pending"
	RunRunning   RunState = "running"
	RunSucceeded RunState = "succeeded"
	RunFailed    RunState = "failed"
	RunCancelled RunState = "cancelled"
)

// Ended says whether the state is final.
func (s RunState) Ended() bool {
	return s == RunSucceeded || s == RunFailed || s == RunCancelled
}

// What made a run.
const (
	TriggerSchedule = "schedule"
	TriggerManual   = "manual"
	TriggerAfter    = "after"
)

// Run is one execution of a job's graph.
type Run struct {
	ID        string   `codec:"id" json:"id"`
	Namespace string   `codec:"ns" json:"namespace"`
	Job       string   `codec:"j" json:"job"`
	Version   uint64   `codec:"v" json:"version"`
	State     RunState `codec:"s" json:"state"`
	Reason    string   `codec:"r,omitempty" json:"reason,omitempty"`
	Trigger   string   `codec:"t" json:"trigger"`
	// ScheduledAt is the instant of the fire; unset for a manual run.
	ScheduledAt Time `codec:"sa,omitempty" json:"scheduled_at"`
	// NotBefore and StartDeadline bound the start of the gate.
	NotBefore     Time `codec:"nb,omitempty" json:"not_before"`
	StartDeadline Time `codec:"sd,omitempty" json:"start_deadline"`
	CreatedAt     Time `codec:"c" json:"created_at"`
	StartedAt     Time `codec:"st,omitempty" json:"started_at"`
	EndedAt       Time `codec:"e,omitempty" json:"ended_at"`
	// Overlap is the policy that Condition is judged by.
	Overlap string `codec:"o,omitempty" json:"overlap,omitempty"`
	// Condition names the runs that must have ended before the gate may start.
	// It is fixed when the run enters the log, and only shrinks or, for a fire
	// taken back in favour of a manual run, gains that run.
	Condition []string `codec:"cd,omitempty" json:"condition,omitempty"`
	// WaitsFor names the fires that a manual run has asked back. Nothing of it
	// is placed before each of them is known not to start.
	WaitsFor []string `codec:"w,omitempty" json:"waits_for,omitempty"`
	// Gate is the task whose first shard opens the run.
	Gate string `codec:"g" json:"gate"`
	// Opened: the gate is known to have started, or none was needed. From here
	// on the run's shards are placed without condition.
	Opened bool `codec:"op,omitempty" json:"opened"`
	// Cancelling: a person, or the job's deletion, asked for the end.
	Cancelling  bool `codec:"ca,omitempty" json:"cancelling,omitempty"`
	TasksTotal  int  `codec:"tt" json:"tasks_total"`
	TasksDone   int  `codec:"td,omitempty" json:"tasks_done"`
	TasksFailed int  `codec:"tf,omitempty" json:"tasks_failed"`
	// Deadline is when the whole run has timed out; unset if nothing bounds it, or
	// it has not started.
	Deadline Time `codec:"dl,omitempty" json:"deadline"`
	// TimedOut: the run is ending, or has ended, because of its Deadline.
	TimedOut bool `codec:"to,omitempty" json:"timed_out,omitempty"`
	// SlowAt is when the run has taken longer than its job expects; unset if nobody
	// has said. Slow: it did, and that was noted.
	SlowAt Time `codec:"sl,omitempty" json:"slow_at,omitzero"`
	Slow   bool `codec:"sw,omitempty" json:"slow,omitempty"`
	// Retries counts how often the run was taken up again after its end.
	Retries int `codec:"rt,omitempty" json:"retries,omitempty"`
	// Params are the values of the job's parameters, defaults included.
	Params map[string]string `codec:"p,omitempty" json:"params,omitempty"`
	// UpstreamRunID is the run whose success made this one start.
	UpstreamRunID string `codec:"u,omitempty" json:"upstream_run_id,omitempty"`
	CreateIndex   uint64 `codec:"ci" json:"create_index"`
	ModifyIndex   uint64 `codec:"mi" json:"modify_index"`
}

// JobKey returns the name of the run's job.
func (r *Run) JobKey() JobKey { return JobKey{r.Namespace, r.Job} }

// condition is every run of the job that is active at this point of the log, so
// that of two runs the later always waits for the earlier.
func condition(c *change, run *Run) []string {
	if run.Overlap == OverlapAllow {
		return nil
	}
	var ids []string
	for other := range c.activeRuns(run.JobKey()) {
		ids = append(ids, other.ID)
	}
	return ids
}

// createRun puts a new run, its tasks, and the shards that may be placed now.
func createRun(c *change, run *Run, spec *JobSpec) {
	run.State = RunPending
	run.TasksTotal = len(spec.Tasks)
	for i := range spec.Tasks {
		t := &spec.Tasks[i]
		if len(t.DependsOn) == 0 && run.Gate == "" {
			run.Gate = t.Name
		}
		c.putTask(&RunTask{RunID: run.ID, Name: t.Name, State: TaskWaiting, Unmet: len(t.DependsOn), Shards: 1})
	}
	c.putRun(run)
	if len(run.WaitsFor) == 0 {
		admitRun(c, run, run.CreatedAt)
	}
}

// admitRun releases what of a run may be placed: everything that waits for no
// task once the run is opened, its gate before.
func admitRun(c *change, run *Run, at Time) {
	if run.Opened {
		releaseReady(c, run, at)
		return
	}
	releaseTask(c, run, c.taskOf(run, run.Gate), at) // a root, so that it does not end by that
}

// openRun notes that the gate has started, and frees the other roots.
func openRun(c *change, run *Run, at Time) {
	decideOutcome(c, run, OutcomeRan, "", at)
	if run.Opened && run.State == RunRunning {
		return
	}
	r := *run
	opened := r.Opened
	r.Opened = true
	if r.State == RunPending {
		r.State, r.StartedAt = RunRunning, at
		r.setDeadline(c.specOf(&r), at)
	}
	c.putRun(&r)
	if opened {
		return
	}
	bindGate(c, &r)
	if r.Cancelling {
		return
	}
	if rt := *c.task(r.ID, r.Gate); rt.Made < rt.Shards {
		makeShards(c, &r, c.taskOf(&r, r.Gate), &rt, at)
		c.putTask(&rt)
	}
	releaseReady(c, &r, at)
}

// setDeadline bounds the run from the given instant, and says from when on it is
// slow, if its job says so.
func (r *Run) setDeadline(spec *JobSpec, from Time) {
	r.Deadline, r.SlowAt, r.Slow = 0, 0, false
	if spec.Timeout > 0 && from > 0 {
		r.Deadline = from.Add(spec.Timeout)
	}
	if spec.ExpectedDuration > 0 && from > 0 {
		r.SlowAt = from.Add(spec.ExpectedDuration)
	}
}

// endRun gives a run its final state and lets go of what waited for it.
func endRun(c *change, run *Run, at Time) {
	r := *run
	r.EndedAt = at
	switch {
	case r.TimedOut:
		r.State = RunFailed
	case r.Cancelling:
		r.State = RunCancelled
	case r.TasksFailed > 0:
		r.State = RunFailed
	default:
		r.State = RunSucceeded
	}
	c.putRun(&r)
	if r.State == RunSucceeded {
		dropItems(c, &r)
	}
	decideOutcome(c, &r, OutcomeRan, "", at)
	tellRun(c, &r, at)
	afterRun(c, r.JobKey(), r.ID)
	if r.State == RunSucceeded {
		startFollowers(c, &r, at)
	}
}

// dropRun removes a run that never was: its fire was skipped, or its manual
// trigger refused.
func dropRun(c *change, run *Run) {
	c.deleteRun(run.ID)
	afterRun(c, run.JobKey(), "")
}

// afterRun bounds the job's history and, when the job is being deleted, removes
// it with its last active run.
func afterRun(c *change, key JobKey, ended string) {
	job := c.job(key)
	if job == nil {
		return
	}
	if job.Deleting {
		if !c.hasActiveRuns(key) {
			removeJob(c, job)
		}
		return
	}
	if ended == "" {
		return
	}
	stats := c.statsFor(key)
	stats.Runs++
	limit := c.historyOf(key).KeepRuns()
	if stats.Runs > limit {
		for old := range c.runsOf(key) {
			if stats.Runs <= limit {
				break
			}
			if old.State.Ended() && old.ID != ended { // an old run may end anew, by a retry
				c.deleteRun(old.ID)
				stats.Runs--
			}
		}
	}
	c.putStats(stats)
}

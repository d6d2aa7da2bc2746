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
	Cancelling  bool   `codec:"ca,omitempty" json:"cancelling,omitempty"`
	TasksTotal  int    `codec:"tt" json:"tasks_total"`
	TasksDone   int    `codec:"td,omitempty" json:"tasks_done"`
	TasksFailed int    `codec:"tf,omitempty" json:"tasks_failed"`
	CreateIndex uint64 `codec:"ci" json:"create_index"`
	ModifyIndex uint64 `codec:"mi" json:"modify_index"`
}

// JobKey returns the name of the run's job.
func (r *Run) JobKey() JobKey { return JobKey{r.Namespace, r.Job} }

// TaskState is where a task of a run stands.
type TaskState string

// States of a task. The last four are final.
const (
	TaskWaiting        TaskState = "waiting"
	TaskPending        TaskState = "pending"
	TaskRunning        TaskState = "running"
	TaskSucceeded      TaskState = "succeeded"
	TaskFailed         TaskState = "failed"
	TaskCancelled      TaskState = "cancelled"
	TaskUpstreamFailed TaskState = "upstream_failed"
)

// Ended says whether the state is final.
func (s TaskState) Ended() bool {
	return s == TaskSucceeded || s == TaskFailed || s == TaskCancelled || s == TaskUpstreamFailed
}

// RunTask is one task of one run: its shards' states added up.
type RunTask struct {
	RunID string    `codec:"id" json:"run_id"`
	Name  string    `codec:"n" json:"name"`
	State TaskState `codec:"s" json:"state"`
	// Unmet counts the dependencies that have not succeeded yet.
	Unmet     int    `codec:"u,omitempty" json:"unmet,omitempty"`
	Shards    int    `codec:"sh" json:"shards"`
	Done      int    `codec:"d,omitempty" json:"done"`
	Failed    int    `codec:"f,omitempty" json:"failed"`
	Cancelled int    `codec:"c,omitempty" json:"cancelled,omitempty"`
	Reason    string `codec:"r,omitempty" json:"reason,omitempty"`
	StartedAt Time   `codec:"sa,omitempty" json:"started_at"`
	EndedAt   Time   `codec:"ea,omitempty" json:"ended_at"`
}

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
	if run.Opened {
		releaseRoots(c, run, spec)
	} else if len(run.WaitsFor) == 0 {
		releaseTask(c, run, spec.Task(run.Gate))
	}
}

// releaseRoots makes the shards of every root task that has none yet.
func releaseRoots(c *change, run *Run, spec *JobSpec) {
	for i := range spec.Tasks {
		if len(spec.Tasks[i].DependsOn) == 0 {
			releaseTask(c, run, &spec.Tasks[i])
		}
	}
}

// releaseTask makes a task's shards pending: the leader may place them.
func releaseTask(c *change, run *Run, t *Task) {
	rt := *c.task(run.ID, t.Name)
	if rt.State != TaskWaiting {
		return
	}
	rt.State = TaskPending
	c.putTask(&rt)
	for i := range rt.Shards {
		c.putShard(&Shard{
			RunID: run.ID, Task: t.Name, Index: i,
			Namespace: run.Namespace, Job: run.Job, Version: run.Version,
			State: ShardPending, Weight: t.Load(),
		})
	}
}

// openRun notes that the gate has started, and frees the other roots.
func openRun(c *change, run *Run, at Time) *Run {
	decideOutcome(c, run, OutcomeRan, "")
	if run.Opened && run.State == RunRunning {
		return run
	}
	r := *run
	opened := r.Opened
	r.Opened = true
	if r.State == RunPending {
		r.State, r.StartedAt = RunRunning, at
	}
	c.putRun(&r)
	if !opened && !r.Cancelling {
		releaseRoots(c, &r, c.specOf(&r))
	}
	return &r
}

// shardEnded adds a shard's final state up into its task, and the task's into
// the graph.
func shardEnded(c *change, s *Shard, at Time) {
	rt := *c.task(s.RunID, s.Task)
	switch s.State {
	case ShardSucceeded:
		rt.Done++
	case ShardFailed:
		rt.Failed++
	case ShardCancelled:
		rt.Cancelled++
	}
	if rt.Reason == "" {
		rt.Reason = s.Reason
	}
	if rt.Done+rt.Failed+rt.Cancelled < rt.Shards {
		c.putTask(&rt)
		return
	}
	rt.EndedAt = at
	switch {
	case rt.Failed > 0:
		rt.State = TaskFailed
	case rt.Cancelled > 0:
		rt.State = TaskCancelled
	default:
		rt.State = TaskSucceeded
	}
	c.putTask(&rt)
	taskEnded(c, c.run(s.RunID), &rt, at)
}

// taskEnded carries a task's end to what depends on it, and ends the run with
// its last task. It works through a queue: graphs may be deep.
func taskEnded(c *change, run *Run, ended *RunTask, at Time) {
	r := *run
	spec := c.specOf(&r)
	next := dependentsOf(spec, ended)
	queue := []*RunTask{ended}
	for len(queue) > 0 {
		t := queue[0]
		queue = queue[1:]
		r.TasksDone++
		if t.State != TaskSucceeded {
			r.TasksFailed++
		}
		queue = append(queue, settleDependents(c, &r, next(t.Name), t, at)...)
	}
	c.putRun(&r)
	if r.TasksDone == r.TasksTotal {
		endRun(c, &r, at)
	}
}

// dependentsOf returns a function that lists what depends on a task, in the
// order of the file. A task that succeeded ends no other, so that one pass over
// the graph does; any other end may go through all of it, which needs an index.
func dependentsOf(spec *JobSpec, ended *RunTask) func(task string) []*Task {
	index := map[string][]*Task{}
	for i := range spec.Tasks {
		t := &spec.Tasks[i]
		for _, d := range t.DependsOn {
			if d == ended.Name || ended.State != TaskSucceeded {
				index[d] = append(index[d], t)
			}
		}
	}
	return func(task string) []*Task { return index[task] }
}

// settleDependents releases or fails what waits for t, and returns the tasks
// that ended by that.
func settleDependents(c *change, run *Run, dependents []*Task, t *RunTask, at Time) []*RunTask {
	var ended []*RunTask
	for _, dep := range dependents {
		rt := *c.task(run.ID, dep.Name)
		if rt.State != TaskWaiting {
			continue
		}
		if t.State != TaskSucceeded || run.Cancelling {
			rt.State, rt.Reason, rt.EndedAt = TaskUpstreamFailed, "task "+t.Name+" "+string(t.State), at
			if run.Cancelling {
				rt.State, rt.Reason = TaskCancelled, ""
			}
			c.putTask(&rt)
			ended = append(ended, &rt)
			continue
		}
		rt.Unmet--
		c.putTask(&rt)
		if rt.Unmet == 0 {
			releaseTask(c, run, dep)
		}
	}
	return ended
}

// endRun gives a run its final state and lets go of what waited for it.
func endRun(c *change, run *Run, at Time) {
	r := *run
	r.EndedAt = at
	switch {
	case r.Cancelling:
		r.State = RunCancelled
	case r.TasksFailed > 0:
		r.State = RunFailed
	default:
		r.State = RunSucceeded
	}
	c.putRun(&r)
	decideOutcome(c, &r, OutcomeRan, "")
	afterRun(c, r.JobKey(), true)
}

// dropRun removes a run that never was: its fire was skipped, or its manual
// trigger refused.
func dropRun(c *change, run *Run) {
	c.deleteRun(run.ID)
	afterRun(c, run.JobKey(), false)
}

// afterRun bounds the job's history and, when the job is being deleted, removes
// it with its last active run.
func afterRun(c *change, key JobKey, kept bool) {
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
	if !kept {
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
			if old.State.Ended() {
				c.deleteRun(old.ID)
				stats.Runs--
			}
		}
	}
	c.putStats(stats)
}

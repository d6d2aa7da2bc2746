package fsm

// TaskState is where a task of a run stands.
type TaskState string

// States of a task. The last five are final.
const (
	TaskWaiting        TaskState = "waiting"
	TaskPending        TaskState = "pending"
	TaskRunning        TaskState = "running"
	TaskSucceeded      TaskState = "succeeded"
	TaskFailed         TaskState = "failed"
	TaskCancelled      TaskState = "cancelled"
	TaskUpstreamFailed TaskState = "upstream_failed"
	// TaskSkipped: it was there for a failure, and nothing failed.
	TaskSkipped TaskState = "skipped"
)

// Ended says whether the state is final.
func (s TaskState) Ended() bool { return s == TaskSucceeded || s == TaskSkipped || s.Failed() }

// Failed says whether the state is final and keeps its run from succeeding.
func (s TaskState) Failed() bool {
	return s == TaskFailed || s == TaskCancelled || s == TaskUpstreamFailed
}

// RunTask is one task of one run: its shards' states added up.
type RunTask struct {
	RunID string    `codec:"id" json:"run_id"`
	Name  string    `codec:"n" json:"name"`
	State TaskState `codec:"s" json:"state"`
	// Unmet counts the dependencies that are still waited for.
	Unmet int `codec:"u,omitempty" json:"unmet,omitempty"`
	// Shards is how many the task has; before it is released, 1.
	Shards    int    `codec:"sh" json:"shards"`
	Done      int    `codec:"d,omitempty" json:"done"`
	Failed    int    `codec:"f,omitempty" json:"failed"`
	Cancelled int    `codec:"c,omitempty" json:"cancelled,omitempty"`
	Reason    string `codec:"r,omitempty" json:"reason,omitempty"`
	StartedAt Time   `codec:"sa,omitempty" json:"started_at"`
	EndedAt   Time   `codec:"ea,omitempty" json:"ended_at"`
	// Upstream is the task whose failure this one failed by, or runs for.
	Upstream string `codec:"up,omitempty" json:"upstream,omitempty"`
	// Made is how many shards have been put up so far, in the order of their
	// indexes; Live how many of those have not ended.
	Made int `codec:"m,omitempty" json:"-"`
	Live int `codec:"l,omitempty" json:"-"`
	// Nodes are those of a per_node task, one for each shard.
	Nodes []string `codec:"no,omitempty" json:"-"`
	// Output is the last line of the standard output of the last shard that
	// succeeded, kept where another task reads it.
	Output string `codec:"o,omitempty" json:"output,omitempty"`
	// Items is the list that the task wrote, kept until its run has succeeded
	// where another task is cut by it. Listed tells an empty one from none.
	Items  []string `codec:"it,omitempty" json:"-"`
	Listed bool     `codec:"li,omitempty" json:"-"`
	// Again says what a retried run does over of the task, and Base is the
	// highest attempt number that one of its shards has had.
	Again string `codec:"ag,omitempty" json:"-"`
	Base  int    `codec:"b,omitempty" json:"-"`
}

// What a retried run does over of a task.
const (
	// againRest: the shards that have not succeeded.
	againRest = "rest"
	// againAll: every shard, since what the task depends on is done over.
	againAll = "all"
)

// bindGate gives the gate of a per_node task the node that it has started on.
func bindGate(c *change, run *Run) {
	rt := *c.task(run.ID, run.Gate)
	gate := *c.shard(run.ID, run.Gate, 0)
	if len(rt.Nodes) == 0 || gate.NodeID != "" {
		return
	}
	nodes := append([]string(nil), rt.Nodes...)
	for i, id := range nodes {
		if id == gate.Current.Node {
			nodes[i] = nodes[0]
		}
	}
	nodes[0] = gate.Current.Node
	rt.Nodes, gate.NodeID = nodes, nodes[0]
	c.putTask(&rt)
	c.putShard(&gate)
}

// shardEnded adds a shard's final state up into its task, and the task's into
// the graph.
func shardEnded(c *change, s *Shard, at Time) {
	run := c.run(s.RunID)
	rt := *c.task(s.RunID, s.Task)
	rt.Live--
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
	// A run that is being given up makes no more shards: it is cancelled, or ends
	// before its gate was known to have started.
	if run.Opened && !run.Cancelling && rt.Made < rt.Shards {
		makeShards(c, run, c.taskOf(run, s.Task), &rt, at)
	}
	if rt.Live == 0 {
		endTask(&rt, at)
	}
	c.putTask(&rt)
	if rt.Live == 0 {
		tasksEnded(c, run, []*RunTask{&rt}, at)
	}
}

// endTask gives a task none of whose shards is live its final state.
func endTask(rt *RunTask, at Time) {
	rt.EndedAt = at
	switch {
	case rt.Failed > 0:
		rt.State = TaskFailed
	case rt.Cancelled > 0:
		rt.State = TaskCancelled
	default:
		rt.State = TaskSucceeded
	}
}

// dropItems forgets the lists of a run that needs them no more.
func dropItems(c *change, run *Run) {
	spec := c.specOf(run)
	for i := range spec.Tasks {
		s := spec.Tasks[i].Shards
		if s == nil || s.ItemsFrom == "" {
			continue
		}
		if rt := *c.task(run.ID, s.ItemsFrom); rt.Items != nil {
			rt.Items = nil
			c.putTask(&rt)
		}
	}
}

package fsm

// Shards says how a task is cut. Count or PerNode say into how many pieces,
// Range, Items or ItemsFrom of what. Count alone cuts 0..Count into single
// numbers; Items or ItemsFrom alone make one shard of each item. PerNode is
// exclusive with Count.
type Shards struct {
	Count int `codec:"c,omitempty" json:"count,omitempty"`
	// PerNode makes one shard for each node that is ready when the task is
	// released, and binds it there.
	PerNode bool `codec:"n,omitempty" json:"per_node,omitempty"`
	// Range is [start, end): the end is not part of it.
	Range *[2]int64 `codec:"r,omitempty" json:"range,omitempty"`
	Items []string  `codec:"i,omitempty" json:"items,omitempty"`
	// ItemsFrom names a task, one that this one depends on: its standard output
	// is a JSON array of items.
	ItemsFrom string `codec:"f,omitempty" json:"items_from,omitempty"`
	// MaxParallel bounds how many shards of the task are at work at once; 0
	// means that only the nodes' room does.
	MaxParallel int `codec:"m,omitempty" json:"max_parallel,omitempty"`
}

// Bounds of a task's shards.
const (
	MaxShards    = 10_000
	MaxItems     = 10_000
	MaxItemBytes = 1 << 20
)

// What the tasks that a task depends on must have come to.
const (
	// RunIfAllSuccess: every one succeeded.
	RunIfAllSuccess = "all_success"
	// RunIfAllDone: every one ended, however.
	RunIfAllDone = "all_done"
	// RunIfAnyFailed: every one ended, and one of them failed or could not run.
	// If none did, the task is skipped.
	RunIfAnyFailed = "any_failed"
)

// Condition returns RunIf, all_success if it is not set.
func (t *Task) Condition() string {
	if t.RunIf == "" {
		return RunIfAllSuccess
	}
	return t.RunIf
}

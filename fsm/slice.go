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

// Slice is what a shard has to do.
type Slice struct {
	Index, Count int
	// Start and End bound it: Start is in it, End is not. They are numbers of the
	// range, or places in the list.
	Start, End int64
	// Items is the shard's part of the list; nil if there is none.
	Items []string
}

// piecesOf returns into how many pieces n things are cut, each but the last of
// ceil(n/count): at most count, and none of them empty.
func piecesOf(n int64, count int) int {
	if n <= 0 || count <= 0 {
		return 0
	}
	size := ceil(n, int64(count))
	return int(ceil(n, size))
}

func ceil(n, d int64) int64 { return (n + d - 1) / d }

// Slice returns what a shard of an active run has to do.
func (v *View) Slice(s *Shard) Slice {
	out := Slice{Index: s.Index, Count: max(s.Count, 1), Start: int64(s.Index), End: int64(s.Index) + 1}
	version := v.version(s.JobKey(), s.Version)
	if version == nil {
		return out
	}
	t := version.Spec().Task(s.Task)
	if t == nil || t.Shards == nil {
		return out
	}
	switch items := t.Shards.Items; {
	case t.Shards.Range != nil:
		first, last := t.Shards.Range[0], t.Shards.Range[1]
		start, end := cut(last-first, out)
		out.Start, out.End = first+start, first+end
	case t.Shards.ItemsFrom != "":
		if from := v.task(s.RunID, t.Shards.ItemsFrom); from != nil {
			out.setItems(from.Items)
		}
	case len(items) > 0:
		out.setItems(items)
	}
	return out
}

func (s *Slice) setItems(items []string) {
	s.Start, s.End = cut(int64(len(items)), *s)
	s.Items = items[s.Start:s.End]
}

// cut returns the bounds of one piece of n things.
func cut(n int64, s Slice) (start, end int64) {
	size := ceil(n, int64(s.Count))
	start = min(int64(s.Index)*size, n)
	return start, min(start+size, n)
}

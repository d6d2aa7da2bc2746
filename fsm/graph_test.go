package fsm

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// finish runs a graph: it arms whatever is pending and ends it as the plan says,
// until nothing is pending. It returns the order in which tasks started.
func finish(l *lab, run string, plan map[string]string) []string {
	l.t.Helper()
	var order []string
	for {
		var next *Shard
		for s := range l.view().Shards(run) {
			if s.State == ShardPending {
				next = s
				break
			}
		}
		if next == nil {
			return order
		}
		order = append(order, next.Task)
		l.took(l.arm(next, "n1"))
		outcome := AttemptSucceeded
		if o := plan[next.Task]; o != "" {
			outcome = o
		}
		l.took(l.report(l.view().Shard(run, next.Task, 0), ReportEnded, outcome))
	}
}

// TestGraphs: what runs, in which order, and how the run and its tasks end.
func TestGraphs(t *testing.T) {
	diamond := []Task{task("a"), task("b", "a"), task("c", "a"), task("d", "b", "c")}
	for _, c := range []struct {
		name  string
		tasks []Task
		plan  map[string]string
		order string
		state RunState
		ends  map[string]TaskState
	}{
		{"diamond", diamond, nil, "a b c d", RunSucceeded, nil},
		{"diamond, one side fails", diamond, map[string]string{"b": AttemptFailed}, "a b c", RunFailed,
			map[string]TaskState{"b": TaskFailed, "d": TaskUpstreamFailed}},
		{"diamond, the top fails", diamond, map[string]string{"a": AttemptTimeout}, "a", RunFailed,
			map[string]TaskState{"a": TaskFailed, "b": TaskUpstreamFailed, "c": TaskUpstreamFailed, "d": TaskUpstreamFailed}},
		{"diamond, the end fails", diamond, map[string]string{"d": AttemptFailed}, "a b c d", RunFailed,
			map[string]TaskState{"d": TaskFailed}},
		{"two roots, the gate is the file's first", []Task{task("z"), task("a"), task("m", "a", "z")}, nil, "z a m", RunSucceeded, nil},
		{"a root fails beside a branch", []Task{task("a"), task("b"), task("c", "b")}, map[string]string{"a": AttemptFailed}, "a b c", RunFailed,
			map[string]TaskState{"a": TaskFailed}},
		{"file order against the graph", []Task{task("c", "b"), task("b", "a"), task("a")}, nil, "a b c", RunSucceeded, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLab(t)
			l.node("n1", 1)
			l.put(spec("j", 1, c.tasks...))
			run := l.fired("j", nil)
			order := finish(l, run.ID, c.plan)
			if got := strings.Join(order, " "); got != c.order {
				t.Errorf("ran %s, want %s", got, c.order)
			}
			want := map[string]TaskState{}
			for _, task := range c.tasks {
				want[task.Name] = TaskSucceeded
			}
			maps.Copy(want, c.ends)
			got := map[string]TaskState{}
			for task := range l.view().Tasks(run.ID) {
				got[task.Name] = task.State
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("tasks (-want +got):\n%s", diff)
			}
			if r := l.view().Run(run.ID); r.State != c.state {
				t.Errorf("run is %s, want %s", r.State, c.state)
			}
			checkInvariants(t, l.view())
		})
	}
}

// TestDeepGraph: ten thousand tasks in a row end at once when the first fails,
// also when the file lists them in the worst order.
func TestDeepGraph(t *testing.T) {
	const depth = MaxTasks
	tasks := []Task{task("t0")}
	for i := 1; i < depth; i++ {
		tasks = append(tasks, task(fmt.Sprint("t", i), fmt.Sprint("t", i-1)))
	}
	slices.Reverse(tasks)
	l := newLab(t)
	l.node("n1", 1)
	l.put(spec("j", 1, tasks...))
	run := l.fired("j", on("n1"))
	l.took(l.report(l.gate(run), ReportEnded, AttemptFailed))
	if r := l.view().Run(run.ID); r.State != RunFailed || r.TasksDone != depth {
		t.Errorf("run is %s with %d of %d tasks done", r.State, r.TasksDone, depth)
	}
}

// TestCancelWhileTheGraphRuns: what has not started ends, what runs is killed.
func TestCancelWhileTheGraphRuns(t *testing.T) {
	l := newLab(t)
	l.node("n1", 1)
	l.put(spec("j", 1, task("a"), task("b", "a"), task("c", "a"), task("d", "a"), task("e", "b", "c", "d")))
	run := l.fired("j", on("n1"))
	l.took(l.report(l.gate(run), ReportEnded, AttemptSucceeded))
	l.took(l.report(l.armed(run.ID, "b", "n1"), ReportStarted, ""))
	l.armed(run.ID, "c", "n1")
	l.must(OpCancelRun, CancelRun{l.now, run.ID})
	want := map[string]ShardState{"a": ShardSucceeded, "b": ShardRunning, "c": ShardRetracting, "d": ShardCancelled}
	got := map[string]ShardState{}
	for s := range l.view().Shards(run.ID) {
		got[s.Task] = s.State
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("shards (-want +got):\n%s", diff)
	}
	checkInvariants(t, l.view())
	l.took(l.report(l.view().Shard(run.ID, "c", 0), ReportNever, ""))
	l.took(l.report(l.view().Shard(run.ID, "b", 0), ReportEnded, AttemptCancelled))
	if r := l.view().Run(run.ID); r.State != RunCancelled {
		t.Errorf("run is %s", r.State)
	}
	if err := l.apply(OpCancelRun, CancelRun{l.now, run.ID}).Err; !errors.Is(err, ErrEnded) {
		t.Errorf("cancelled again: %v", err)
	}
	checkInvariants(t, l.view())
}

func TestPutJobs(t *testing.T) {
	t.Run("all or nothing", func(t *testing.T) {
		l := newLab(t)
		before := l.hash()
		bad := spec("b", 0)
		bad.Tasks[0].DependsOn = []string{"nobody"}
		r := l.apply(OpPutJobs, PutJobs{l.now, []PutJob{{Spec: spec("a", 0)}, {Spec: bad}}})
		if !errors.Is(r.Err, ErrInvalid) || l.hash() != before {
			t.Errorf("answer %v, changed %v", r.Err, l.hash() != before)
		}
	})
	t.Run("twice in one request", func(t *testing.T) {
		l := newLab(t)
		r := l.apply(OpPutJobs, PutJobs{l.now, []PutJob{{Spec: spec("a", 0)}, {Spec: spec("a", 0)}}})
		if !errors.Is(r.Err, ErrInvalid) || l.view().Job(key("a")) != nil {
			t.Errorf("answer %v", r.Err)
		}
	})
	t.Run("the same content makes no version", func(t *testing.T) {
		l := newLab(t)
		first, again := l.put(spec("a", 1)), l.put(spec("a", 1))
		want := []PutResult{{key("a"), 1, true, true}, {key("a"), 1, false, false}}
		if diff := cmp.Diff(want, []PutResult{first, again}); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("only on top of the version that was seen", func(t *testing.T) {
		l := newLab(t)
		l.put(spec("a", 0))
		changed := spec("a", 0)
		changed.Description = "new"
		for version, want := range map[uint64]error{2: ErrConflict, 1: nil} {
			r := l.apply(OpPutJobs, PutJobs{l.now, []PutJob{{Spec: changed, Version: version}}})
			if !errors.Is(r.Err, want) || (r.Err == nil) != (want == nil) {
				t.Errorf("version %d: %v", version, r.Err)
			}
			changed = spec("a", 0)
			changed.Description = "newer"
			if want == nil {
				break
			}
		}
	})
	t.Run("first instants must lie ahead", func(t *testing.T) {
		l := newLab(t)
		for _, next := range [][]Time{nil, {l.now}, {l.now - 1}, {l.now + 1, l.now + 1}} {
			if r := l.apply(OpPutJobs, PutJobs{l.now, []PutJob{{Spec: spec("a", 1), Next: next}}}); !errors.Is(r.Err, ErrInvalid) {
				t.Errorf("first instants %v: %v", next, r.Err)
			}
		}
	})
}

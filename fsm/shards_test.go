package fsm

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// work arms and ends everything that is pending of a run, until nothing is. A
// shard ends as fails says, by "task/index".
func work(l *lab, run string, fails map[string]bool) []string {
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
		name := fmt.Sprintf("%s/%d", next.Task, next.Index)
		order = append(order, name)
		node := "n1"
		if next.NodeID != "" {
			node = next.NodeID
		}
		l.took(l.arm(next, node))
		outcome := AttemptSucceeded
		if fails[name] {
			outcome = AttemptFailed
		}
		l.took(l.report(l.view().Shard(run, next.Task, next.Index), ReportEnded, outcome))
		checkInvariants(l.t, l.view())
	}
}

func states(l *lab, run string) string {
	var parts []string
	for rt := range l.view().Tasks(run) {
		parts = append(parts, rt.Name+":"+string(rt.State))
	}
	return strings.Join(parts, " ")
}

func conditional(name, runIf string, deps ...string) Task {
	t := task(name, deps...)
	t.RunIf = runIf
	return t
}

// TestRunIf: what runs after what came to what.
func TestRunIf(t *testing.T) {
	for _, c := range []struct {
		name  string
		tasks []Task
		fails []string
		want  string
		state RunState
		why   map[string]string
	}{
		{"all_done after a failure", []Task{task("a"), conditional("z", RunIfAllDone, "a")}, []string{"a"},
			"a:failed z:succeeded", RunFailed, nil},
		{"all_done waits for all", []Task{task("a"), task("b", "a"), conditional("z", RunIfAllDone, "a", "b")}, []string{"a"},
			"a:failed b:upstream_failed z:succeeded", RunFailed, map[string]string{"b": "task a failed"}},
		{"any_failed without a failure", []Task{task("a"), conditional("z", RunIfAnyFailed, "a")}, nil,
			"a:succeeded z:skipped", RunSucceeded, map[string]string{"z": "nothing failed"}},
		{"any_failed after a failure", []Task{task("a"), task("b"), conditional("z", RunIfAnyFailed, "a", "b")}, []string{"b"},
			"a:succeeded b:failed z:succeeded", RunFailed, nil},
		{"any_failed after something that could not run", []Task{task("a"), task("b", "a"), conditional("z", RunIfAnyFailed, "b")}, []string{"a"},
			"a:failed b:upstream_failed z:succeeded", RunFailed, nil},
		{"a skipped task skips what needs it", []Task{task("a"), conditional("b", RunIfAnyFailed, "a"), task("c", "b"), conditional("d", RunIfAllDone, "c")}, nil,
			"a:succeeded b:skipped c:skipped d:succeeded", RunSucceeded, map[string]string{"c": "task b was skipped"}},
		{"a failure names its origin through a chain", []Task{task("a"), task("b", "a"), task("c", "b"), task("d", "c")}, []string{"a"},
			"a:failed b:upstream_failed c:upstream_failed d:upstream_failed", RunFailed, map[string]string{"d": "task a failed"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLab(t)
			l.node("n1", 1)
			l.put(spec("j", 0, c.tasks...))
			if err := l.start("j", "m1"); err != nil {
				t.Fatal(err)
			}
			fails := map[string]bool{}
			for _, f := range c.fails {
				fails[f+"/0"] = true
			}
			work(l, "m1", fails)
			if got := states(l, "m1"); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
			if run := l.view().Run("m1"); run.State != c.state {
				t.Errorf("the run is %s, want %s", run.State, c.state)
			}
			for name, why := range c.why {
				if rt := l.view().Task("m1", name); rt.Reason != why {
					t.Errorf("%s because %q, want %q", name, rt.Reason, why)
				}
			}
		})
	}
}

// TestSlices: how things are cut, and that every piece is there once.
func TestSlices(t *testing.T) {
	for _, c := range []struct {
		n      int64
		count  int
		pieces int
		last   int64
	}{
		{10_000, 5, 5, 2000}, {10, 3, 3, 2}, {10, 6, 5, 2}, {3, 5, 3, 1}, {1, 10, 1, 1}, {9_999, 200, 200, 49}, {1 << 62, 7, 7, 658812288346769698},
	} {
		pieces := piecesOf(c.n, c.count)
		if pieces != c.pieces {
			t.Errorf("%d in %d: %d pieces, want %d", c.n, c.count, pieces, c.pieces)
			continue
		}
		at := int64(0)
		for i := range pieces {
			start, end := cut(c.n, Slice{Index: i, Count: pieces})
			if start != at || end <= start {
				t.Errorf("%d in %d: piece %d is [%d, %d) after %d", c.n, c.count, i, start, end, at)
			}
			at = end
			if i == pieces-1 && (end != c.n || end-start != c.last) {
				t.Errorf("%d in %d: the last piece is [%d, %d), want %d", c.n, c.count, start, end, c.last)
			}
		}
	}
}

func sharded(name string, s Shards, deps ...string) Task {
	t := task(name, deps...)
	t.Shards = &s
	return t
}

// TestShardsOfATask: each form makes the shards that it says, with their parts.
func TestShardsOfATask(t *testing.T) {
	for _, c := range []struct {
		name   string
		shards Shards
		want   []string // start-end items
	}{
		{"count", Shards{Count: 3}, []string{"0-1", "1-2", "2-3"}},
		{"range", Shards{Count: 2, Range: &[2]int64{-3, 4}}, []string{"-3-1", "1-4"}},
		{"items", Shards{Items: []string{"a", "b", "c"}}, []string{"0-1 a", "1-2 b", "2-3 c"}},
		{"items in few", Shards{Count: 2, Items: []string{"a", "b", "c"}}, []string{"0-2 a,b", "2-3 c"}},
		{"fewer items than shards", Shards{Count: 9, Items: []string{"a", "b"}}, []string{"0-1 a", "1-2 b"}},
		{"per node", Shards{PerNode: true}, []string{"0-1", "1-2", "2-3"}},
		{"a range over the nodes", Shards{PerNode: true, Range: &[2]int64{0, 5}}, []string{"0-2", "2-4", "4-5"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLab(t)
			for _, n := range []string{"n1", "n2", "n3", "n4"} {
				l.node(n, 1)
			}
			l.must(OpSetNodeStatus, SetNodeStatus{At: l.now, ID: "n4", Status: NodeDraining, By: "test"})
			l.put(spec("j", 0, sharded("a", c.shards)))
			if err := l.start("j", "m1"); err != nil {
				t.Fatal(err)
			}
			var got []string
			nodes := map[string]bool{}
			for s := range l.view().Shards("m1") {
				v := l.view()
				part := v.Slice(s)
				text := fmt.Sprintf("%d-%d", part.Start, part.End)
				if part.Items != nil {
					text += " " + strings.Join(part.Items, ",")
				}
				got = append(got, text)
				nodes[s.NodeID] = true
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
			if c.shards.PerNode != (len(nodes) == 3 && !nodes[""]) {
				t.Errorf("bound to %v", nodes)
			}
			if n := len(work(l, "m1", nil)); n != len(c.want) || l.view().Run("m1").State != RunSucceeded {
				t.Errorf("%d shards ran, the run is %s", n, l.view().Run("m1").State)
			}
		})
	}
}

// TestGateOfASchedule: before its gate has started, a scheduled run has one shard
// only; a per_node gate goes where there is room, and is that node's shard then.
func TestGateOfASchedule(t *testing.T) {
	l := newLab(t)
	l.node("n1", 1)
	l.node("n2", 1)
	l.put(spec("j", 1, sharded("a", Shards{PerNode: true}), sharded("b", Shards{Count: 4, MaxParallel: 2})))
	run := l.fired("j", on("n2"))
	count := func() (n int) {
		for range l.view().Shards(run.ID) {
			n++
		}
		return n
	}
	if count() != 1 {
		t.Fatalf("%d shards before the start", count())
	}
	l.took(l.report(l.gate(run), ReportStarted, ""))
	if count() != 4 {
		t.Errorf("%d shards after the start, want 2 and 2", count())
	}
	if a, b := l.view().Shard(run.ID, "a", 0).NodeID, l.view().Shard(run.ID, "a", 1).NodeID; a != "n2" || b != "n1" {
		t.Errorf("bound to %q and %q", a, b)
	}
	if err := l.arm(l.view().Shard(run.ID, "a", 1), "n2"); !errors.Is(err, ErrStale) {
		t.Errorf("armed on another node than its own: %v", err)
	}
	l.took(l.report(l.gate(run), ReportEnded, AttemptSucceeded))
	work(l, run.ID, nil)
	if rt := l.view().Task(run.ID, "b"); rt.Done != 4 || l.view().Run(run.ID).State != RunSucceeded {
		t.Errorf("task %+v", rt)
	}
}

// TestGateThatNeverStarts: a run of many shards whose gate is given up ends.
func TestGateThatNeverStarts(t *testing.T) {
	for name, end := range map[string]func(*lab, *Run){
		"cancelled": func(l *lab, run *Run) { l.must(OpCancelRun, CancelRun{l.now, run.ID}) },
		"lost for good": func(l *lab, run *Run) {
			l.pause("j", true)
			l.took(l.displace(l.gate(run), DisplaceLose))
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			l.node("n1", 1)
			l.put(spec("j", 1, sharded("a", Shards{Count: 5}), task("b")))
			run := l.fired("j", on("n1"))
			end(l, run)
			if s := l.gate(run); s != nil && s.State.Held() {
				l.took(l.report(s, ReportNever, ""))
			}
			if got := l.view().Run(run.ID); got == nil || !got.State.Ended() {
				t.Errorf("run %+v", got)
			}
			checkInvariants(t, l.view())
		})
	}
}

// TestStrand: a shard of a node that has gone fails, one of a node that lives does
// not.
func TestStrand(t *testing.T) {
	l := newLab(t)
	l.node("n1", 1)
	l.put(spec("j", 0, sharded("a", Shards{PerNode: true})))
	if err := l.start("j", "m1"); err != nil {
		t.Fatal(err)
	}
	l.took(l.displace(l.view().Shard("m1", "a", 0), DisplaceStrand))
	if run := l.view().Run("m1"); run.State != RunFailed || l.view().Task("m1", "a").Reason == "" {
		t.Errorf("run %+v", run)
	}
	l.put(spec("k", 0))
	if err := l.start("k", "m2"); err != nil {
		t.Fatal(err)
	}
	if err := l.displace(l.view().Shard("m2", "main", 0), DisplaceStrand); !errors.Is(err, ErrStale) {
		t.Errorf("a shard of no node: %v", err)
	}
}

// TestItemsFrom: the list of one task cuts another; a list that is not there fails
// it, an empty one ends it.
func TestItemsFrom(t *testing.T) {
	for _, c := range []struct {
		name   string
		report Report
		want   string
		why    string
	}{
		{"three", Report{Listed: true, Items: []string{"a", "b", "c"}}, "end:succeeded read:succeeded write:succeeded", ""},
		{"none", Report{Listed: true}, "end:succeeded read:succeeded write:succeeded", ""},
		{"no list", Report{Output: "x"}, "end:upstream_failed read:failed write:succeeded", "items_from: task write, which is succeeded, has written no list"},
		{"too many", Report{Listed: true, Items: make([]string, MaxItems+1)}, "end:upstream_failed read:failed write:succeeded", "items_from: task write, which is succeeded, has written no list"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLab(t)
			l.node("n1", 1)
			writer := task("write")
			writer.Driver, writer.Command = DriverExec, "list"
			l.put(spec("j", 0, writer, sharded("read", Shards{ItemsFrom: "write"}, "write"), task("end", "read")))
			if err := l.start("j", "m1"); err != nil {
				t.Fatal(err)
			}
			if v := l.view().Version(key("j"), 1); cmp.Diff(Reads{Lists: []string{"write"}}, v.Reads) != "" {
				t.Errorf("reads %+v", v.Reads)
			}
			s := l.armed("m1", "write", "n1")
			c.report.AttemptRef, c.report.Kind, c.report.Outcome = s.Ref(), ReportEnded, AttemptSucceeded
			l.took(l.one(OpReportAttempts, ReportAttempts{At: l.now, Node: "n1", Incarnation: 1, Reports: []Report{c.report}}))
			ran := work(l, "m1", nil)
			if got := states(l, "m1"); got != c.want || l.view().Task("m1", "read").Reason != c.why {
				t.Errorf("%s, because %q", got, l.view().Task("m1", "read").Reason)
			}
			if c.name == "three" && len(ran) != 4 {
				t.Errorf("ran %v", ran)
			}
			if run := l.view().Run("m1"); run.State == RunSucceeded && l.view().Task("m1", "write").Items != nil {
				t.Error("the list outlives the run that succeeded")
			}
		})
	}
}

package fsm

import "testing"

// TestHistoryGoesByTheLog: a run whose ID is no time, as an idempotency key makes
// it, does not drive out the run that has just ended.
func TestHistoryGoesByTheLog(t *testing.T) {
	l := newLab(t)
	l.node("n1", 1)
	s := spec("j", 0, task("a"))
	s.History.Runs = 2
	l.put(s)
	for _, id := range []string{"ZAAAAAAAAAAAAAAAAAAAAAAAAA", "ZBBBBBBBBBBBBBBBBBBBBBBBBB", "01KAAAAAAAAAAAAAAAAAAAAAAA"} {
		if err := l.start("j", id); err != nil {
			t.Fatal(err)
		}
		work(l, id, nil)
		if l.view().Run(id) == nil {
			t.Errorf("run %s vanished at its own end", id)
		}
	}
}

// TestARetryAfterOneThatNeverBegan: what had succeeded is not done over.
func TestARetryAfterOneThatNeverBegan(t *testing.T) {
	l := newLab(t)
	l.node("n1", 1)
	l.put(spec("j", 1, sharded("a", Shards{Count: 3})))
	if err := l.start("j", "m1"); err != nil {
		t.Fatal(err)
	}
	work(l, "m1", map[string]bool{"a/1": true})
	run := l.fired("j", on("n1"))
	l.took(l.retry("m1", 1))
	l.must(OpCancelRun, CancelRun{At: l.now, ID: "m1"})
	g := l.gate(run)
	if g != nil {
		_ = l.report(g, ReportNever, "")
	}
	if r := l.view().Run(run.ID); r != nil {
		l.must(OpCancelRun, CancelRun{At: l.now, ID: run.ID})
	}
	l.took(l.retry("m1", 2))
	got := work(l, "m1", nil)
	if len(got) != 1 {
		t.Errorf("ran %v, want a/1 only", got)
	}
}

// TestARetryOfWhatWasToBeDoneOver: shards whose turn never came are not taken for
// done because they were, before the task they depend on was done over.
func TestARetryOfWhatWasToBeDoneOver(t *testing.T) {
	l := newLab(t)
	l.node("n1", 1)
	b := conditional("b", RunIfAllDone, "a")
	b.Shards = &Shards{Count: 3, MaxParallel: 1}
	l.put(spec("j", 0, task("a"), b))
	if err := l.start("j", "m1"); err != nil {
		t.Fatal(err)
	}
	work(l, "m1", map[string]bool{"a/0": true})
	l.took(l.retry("m1", 1))
	// a is done over and succeeds; then b's first shard is put up, and the run cancelled
	a := l.view().Shard("m1", "a", 0)
	l.took(l.arm(a, "n1"))
	l.took(l.report(l.view().Shard("m1", "a", 0), ReportEnded, AttemptSucceeded))
	l.must(OpCancelRun, CancelRun{At: l.now, ID: "m1"})
	l.took(l.retry("m1", 2))
	got := work(l, "m1", nil)
	if len(got) != 3 {
		t.Errorf("b has to be done over whole, since a was; ran %v", got)
	}
}

package fsm

import (
	"errors"
	"strings"
	"testing"
)

func (l *lab) retry(id string, number int) error {
	l.t.Helper()
	return l.apply(OpRetryRun, RetryRun{At: l.now, ID: id, Number: number}).Err
}

// TestRetryRun: what is done over, and what is not.
func TestRetryRun(t *testing.T) {
	diamond := []Task{task("a"), task("b", "a"), task("c", "a"), task("d", "b", "c")}
	for _, c := range []struct {
		name  string
		tasks []Task
		fails []string
		again string
		want  string
	}{
		{"one side of a diamond", diamond, []string{"b/0"}, "b/0 d/0", "a:succeeded b:succeeded c:succeeded d:succeeded"},
		{"the top", diamond, []string{"a/0"}, "a/0 b/0 c/0 d/0", "a:succeeded b:succeeded c:succeeded d:succeeded"},
		{"some of the shards", []Task{sharded("a", Shards{Count: 5}), task("b", "a")}, []string{"a/1", "a/4"}, "a/1 a/4 b/0", "a:succeeded b:succeeded"},
		{"some, few at a time", []Task{sharded("a", Shards{Count: 5, MaxParallel: 1})}, []string{"a/0", "a/3", "a/4"}, "a/0 a/3 a/4", "a:succeeded"},
		{"all the shards behind what failed", []Task{task("a"), conditional("b", RunIfAllDone, "a"), sharded("c", Shards{Count: 2}, "b")}, []string{"a/0"}, "a/0 b/0 c/0 c/1", "a:succeeded b:succeeded c:succeeded"},
		{"what was there for the failure is skipped", []Task{task("a"), conditional("b", RunIfAnyFailed, "a"), task("c", "b")}, []string{"a/0"}, "a/0", "a:succeeded b:skipped c:skipped"},
		{"what a skipped task kept from running stays", []Task{task("a"), conditional("s", RunIfAnyFailed, "a"), task("f"), task("d", "s", "f")}, []string{"f/0"}, "f/0", "a:succeeded d:skipped f:succeeded s:skipped"},
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
				fails[f] = true
			}
			first := work(l, "m1", fails)
			if run := l.view().Run("m1"); run.State != RunFailed {
				t.Fatalf("the run is %s", run.State)
			}
			attempts := map[string]int{}
			for s := range l.view().Shards("m1") {
				attempts[s.Ref().String()] = s.Current.Number
			}
			l.took(l.retry("m1", 1))
			if run := l.view().Run("m1"); run.State.Ended() || run.EndedAt != 0 || run.Retries != 1 {
				t.Errorf("taken up: %+v", run)
			}
			checkInvariants(t, l.view())
			if got := strings.Join(work(l, "m1", nil), " "); got != c.again {
				t.Errorf("ran again: %s, want %s (first: %v)", got, c.again, first)
			}
			if got := states(l, "m1"); got != c.want || l.view().Run("m1").State != RunSucceeded {
				t.Errorf("%s, the run is %s; want %s", got, l.view().Run("m1").State, c.want)
			}
			for _, name := range c.fails {
				task, index, _ := strings.Cut(name, "/")
				for s := range l.view().Shards("m1") {
					if s.Task == task && index == string(rune('0'+s.Index)) && (s.Current.Number != 2 || len(s.Past) != 1) {
						t.Errorf("%s has attempt %d and %d past ones", name, s.Current.Number, len(s.Past))
					}
				}
			}
			l.took(l.retry("m1", 1)) // a repeat of what was done
			if l.view().Run("m1").State != RunSucceeded {
				t.Error("a repeat took it up again")
			}
		})
	}
}

// TestRetryRefused: what cannot be taken up says why.
func TestRetryRefused(t *testing.T) {
	failed := func(l *lab, overlap string) {
		s := spec("j", 1)
		s.Schedules[0].Overlap = overlap
		l.put(s)
		l.took(l.start("j", "m1"))
		work(l, "m1", map[string]bool{"main/0": true})
	}
	for name, c := range map[string]struct {
		setup func(*lab)
		want  error
	}{
		"unknown": {func(*lab) {}, ErrNotFound},
		"running": {func(l *lab) { l.put(spec("j", 0)); l.took(l.start("j", "m1")) }, ErrConflict},
		"succeeded": {func(l *lab) {
			l.put(spec("j", 0))
			l.took(l.start("j", "m1"))
			work(l, "m1", nil)
		}, ErrConflict},
		"pruned version": {func(l *lab) {
			failed(l, OverlapAllow)
			for i := range 15 {
				s := spec("j", 1)
				s.Description = strings.Repeat("x", i+1)
				l.put(s)
			}
		}, ErrConflict},
		"deleting": {func(l *lab) {
			failed(l, OverlapAllow)
			l.took(l.start("j", "m2"))
			l.took(l.arm(l.view().Shard("m2", "main", 0), "n1"))
			l.must(OpDeleteJob, DeleteJob{l.now, key("j")})
		}, ErrDeleting},
		"another run, forbid":   {func(l *lab) { failed(l, OverlapForbid); l.took(l.start("j", "m2")) }, ErrOverlap},
		"another run, allow":    {func(l *lab) { failed(l, OverlapAllow); l.took(l.start("j", "m2")) }, nil},
		"an armed fire, queue":  {func(l *lab) { failed(l, OverlapQueue); l.fired("j", on("n1")) }, ErrOverlap},
		"an armed fire, forbid": {func(l *lab) { failed(l, OverlapForbid); l.fired("j", on("n1")) }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			l.node("n1", 1)
			c.setup(l)
			before := l.hash()
			err := l.retry("m1", 1)
			if !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
				t.Errorf("%v, want %v", err, c.want)
			}
			if err != nil && l.hash() != before {
				t.Error("a refusal changed the state")
			}
			checkInvariants(t, l.view())
		})
	}
}

// TestRetryIsNeverEarly: what was cancelled before it was due can be taken up from
// then on.
func TestRetryIsNeverEarly(t *testing.T) {
	l := newLab(t)
	l.put(spec("j", 1))
	run := l.fired("j", nil)
	l.must(OpCancelRun, CancelRun{At: l.now, ID: run.ID})
	l.now = run.NotBefore - 1
	if err := l.retry(run.ID, 1); !errors.Is(err, ErrConflict) {
		t.Errorf("before it is due: %v", err)
	}
	l.now++
	l.took(l.retry(run.ID, 1))
}

// TestRetryAsksFiresBack: a run that is taken up goes before the fire that is
// armed, and gives way if that has started.
func TestRetryAsksFiresBack(t *testing.T) {
	setup := func(t *testing.T) (*lab, *Run) {
		l := newLab(t)
		l.node("n1", 1)
		l.put(spec("j", 1, task("a"), task("b", "a")))
		l.took(l.start("j", "m1"))
		work(l, "m1", map[string]bool{"b/0": true})
		fire := l.fired("j", on("n1"))
		l.took(l.retry("m1", 1))
		if l.gate(fire).State != ShardRetracting || len(l.view().Run("m1").WaitsFor) != 1 {
			t.Fatalf("gate %s", l.gate(fire).State)
		}
		return l, fire
	}
	t.Run("it comes back", func(t *testing.T) {
		l, fire := setup(t)
		l.took(l.report(l.gate(fire), ReportNever, ""))
		if got := strings.Join(work(l, "m1", nil), " "); got != "b/0" || l.view().Run("m1").State != RunSucceeded {
			t.Errorf("ran %s", got)
		}
		if cond := l.view().Run(fire.ID).Condition; len(cond) != 1 || cond[0] != "m1" {
			t.Errorf("the fire waits for %v", cond)
		}
	})
	t.Run("it had started", func(t *testing.T) {
		l, fire := setup(t)
		l.took(l.report(l.gate(fire), ReportStarted, ""))
		if run := l.view().Run("m1"); run.State != RunCancelled || run.Reason != ReasonOverlap {
			t.Errorf("run %s: %s", run.State, run.Reason)
		}
		checkInvariants(t, l.view())
	})
}

// TestTimeoutRuns: a run is ended at its deadline and not before, and a retry
// gets the whole time again.
func TestTimeoutRuns(t *testing.T) {
	l := newLab(t)
	l.node("n1", 1)
	s := spec("j", 0, task("a"), task("b", "a"))
	s.Timeout = Duration(10 * second)
	l.put(s)
	l.took(l.start("j", "m1"))
	late := func() error { return l.one(OpTimeoutRuns, TimeoutRuns{l.now, []string{"m1"}}) }
	if l.view().Run("m1").Deadline != 0 || late() == nil {
		t.Error("a run that has not started has a deadline")
	}
	gate := l.armed("m1", "a", "n1")
	l.took(l.report(gate, ReportStarted, ""))
	if d := l.view().Run("m1").Deadline; d != l.now+10*second {
		t.Fatalf("deadline %s", d)
	}
	l.now += 9 * second
	if !errors.Is(late(), ErrStale) {
		t.Error("ended before its deadline")
	}
	l.now += second
	l.took(late())
	if s := l.view().Shard("m1", "a", 0); s.Why != WhyCancel {
		t.Errorf("the process is not killed: %+v", s)
	}
	l.took(l.report(l.view().Shard("m1", "a", 0), ReportEnded, AttemptCancelled))
	if run := l.view().Run("m1"); run.State != RunFailed || run.Reason != ReasonTimedOut {
		t.Errorf("run %s: %s", run.State, run.Reason)
	}
	l.now += second
	l.took(l.retry("m1", 1))
	if run := l.view().Run("m1"); run.Deadline != l.now+10*second || run.TimedOut || run.Reason != "" {
		t.Errorf("taken up: %+v", run)
	}
	work(l, "m1", nil)
	if run := l.view().Run("m1"); run.State != RunSucceeded {
		t.Errorf("run %s", run.State)
	}
}

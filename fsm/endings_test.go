package fsm

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"
)

// TestEndings: through tasks that wait for successes, and no further.
func TestEndings(t *testing.T) {
	s := spec("j", 0,
		task("a"), task("b", "a"), task("c", "b"), // c sees a
		task("slow"), task("join", "a", "slow"), task("any", "join"), task("far", "any"))
	s.Tasks[5].RunIf = RunIfAllDone // join may end without having waited for slow
	e := NewEndings(&s, []string{"a", "slow", "c"})
	for _, c := range []struct {
		task, other string
		want        bool
	}{
		{"c", "a", true}, {"c", "b", true}, {"b", "a", true}, {"c", "slow", false}, {"c", "c", false}, {"a", "c", false},
		{"join", "slow", true}, {"any", "slow", false}, {"any", "a", false}, {"any", "join", true}, {"far", "slow", false}, {"far", "a", false},
		{"far", "nobody", false},
	} {
		if got := e.Before(s.Task(c.task), c.other); got != c.want {
			t.Errorf("%s before %s: %v", c.other, c.task, got)
		}
	}
}

// TestEndingsAreSound: whatever becomes of the tasks of a random graph, what is said
// to have ended has ended when a task is released.
func TestEndingsAreSound(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.IntRange(2, 8).Draw(rt, "tasks")
		var tasks []Task
		var names []string
		for i := range n {
			tk := task(fmt.Sprint("t", i))
			for _, d := range names {
				if rapid.IntRange(0, 2).Draw(rt, "edge") == 0 {
					tk.DependsOn = append(tk.DependsOn, d)
				}
			}
			if len(tk.DependsOn) > 0 {
				tk.RunIf = rapid.SampledFrom([]string{"", RunIfAllDone, RunIfAnyFailed}).Draw(rt, "run_if")
			}
			tasks, names = append(tasks, tk), append(names, tk.Name)
		}
		l := newLab(t)
		l.node("n1", 1)
		s := spec("j", 0, tasks...)
		l.put(s)
		if err := l.start("j", "r"); err != nil {
			t.Fatal(err)
		}
		e := NewEndings(&s, names)
		for range 3 * n {
			var open []*Shard
			for sh := range l.view().Shards("r") {
				if !sh.State.Ended() {
					open = append(open, sh)
				}
				if sh.State != ShardPending {
					continue
				}
				for _, other := range names {
					if e.Before(s.Task(sh.Task), other) && !l.view().Task("r", other).State.Ended() {
						t.Fatalf("%s may start while %s is %s", sh.Task, other, l.view().Task("r", other).State)
					}
				}
			}
			if len(open) == 0 {
				return
			}
			sh := open[rapid.IntRange(0, len(open)-1).Draw(rt, "which")]
			if sh.State == ShardPending {
				l.took(l.arm(sh, "n1"))
				sh = l.view().shard("r", sh.Task, 0)
			}
			l.took(l.report(sh, ReportEnded, rapid.SampledFrom([]string{AttemptSucceeded, AttemptFailed}).Draw(rt, "outcome")))
		}
	})
}

// BenchmarkEndings is a line of ten thousand tasks, each of which reads the output
// of one far before it.
func BenchmarkEndings(b *testing.B) {
	s := spec("j", 0, task("t0"))
	var about []string
	for i := 1; i < MaxTasks; i++ {
		s.Tasks = append(s.Tasks, task(fmt.Sprint("t", i), fmt.Sprint("t", i-1)))
		about = append(about, fmt.Sprint("t", i/2))
	}
	for b.Loop() {
		NewEndings(&s, about)
	}
}

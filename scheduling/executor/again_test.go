package executor

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/scheduling/executor/proc"
)

// TestAnOutputIsReadOnceTheLogIsThere: an agent that has just started knows of an
// end before it knows of the run.
func TestAnOutputIsReadOnceTheLogIsThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		ref := fsm.AttemptRef{RunID: "run", Task: "a", Attempt: 1}
		dir := r.outputDir(ref)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "stdout.00000000000000000000"), []byte("hello\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		// the supervisor holds a result of the agent's earlier life; the log is not replayed yet
		res := &proc.Result{ID: ref.String(), Outcome: proc.Succeeded, StartedMono: r.clock.Mono(), EndedMono: r.clock.Mono()}
		r.procs.known[ref.String()] = &proc.Status{ID: ref.String(), State: proc.Ended, Result: res}
		r.listen(true, false)
		r.run()
		defer r.end()
		// replay
		r.runHere(fsm.JobSpec{Name: "j", Tasks: []fsm.Task{
			{Name: "a", Command: "x"}, {Name: "b", Command: "y", Args: []string{"${tasks.a.output}"}, DependsOn: []string{"a"}},
		}}, nil)
		r.listen(false, false)
		r.after(3 * time.Second)
		rt := r.store.Read().Task("run", "a")
		if rt.State != fsm.TaskSucceeded || rt.Output != "hello" {
			t.Errorf("task a is %s with output %q", rt.State, rt.Output)
		}
	})
}

func TestACallPastItsExpiryGivesItsRoomBack(t *testing.T) {
	bubble(t, func(r *rig) {
		ref := fsm.AttemptRef{RunID: "x", Task: "a", Attempt: 1}
		l := &local{state: starting, weight: 7}
		r.Executor.mu.Lock()
		r.locals[ref] = l
		r.busy += 7
		r.Executor.mu.Unlock()
		task := &fsm.Task{Driver: fsm.DriverHTTP, HTTP: &fsm.HTTPCall{URL: "http://127.0.0.1:1/"}}
		r.startCall(context.Background(), ref, l, task, r.clock.Mono()-1)
		r.after(5 * time.Second)
		if r.Load() != 0 {
			t.Errorf("load %d after the attempt was given back", r.Load())
		}
	})
}

func TestAResultOfAnEarlierBootIsNotOfTheFuture(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		old := r.clock.Mono() + int64(1000*time.Hour)
		rep := r.endReport(fsm.AttemptRef{RunID: "x", Task: "a", Attempt: 1}, &proc.Result{Outcome: proc.Succeeded, StartedMono: old, EndedMono: old + 5})
		if rep.StartedAt > r.clock.Now() {
			t.Errorf("started %s, ended %s in the future, now %s", rep.StartedAt, rep.EndedAt, r.clock.Now())
		}
	})
}

func TestAProgramThatCouldNotBeStartedEndedWhenItFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		rep := r.endReport(fsm.AttemptRef{RunID: "x", Task: "a", Attempt: 1}, &proc.Result{Outcome: proc.StartFailed, EndedMono: r.clock.Mono()})
		if rep.StartedAt != r.clock.Now() || rep.EndedAt != r.clock.Now() {
			t.Errorf("from %s to %s, now is %s", rep.StartedAt, rep.EndedAt, r.clock.Now())
		}
	})
}

package scheduling

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/rota-scheduler/rota/fsm"
)

// heavy puts a job without a schedule whose runs fill a node, and starts runs.
func (w *world) heavy(weight int, ids ...string) {
	w.t.Helper()
	s := specOf("heavy")
	s.Tasks[0].Weight = weight
	w.put(s)
	for _, id := range ids {
		w.apply(fsm.OpStartRun, fsm.StartRun{At: w.now(), ID: id, Job: s.Key()})
	}
}

func (w *world) gate(run string) *fsm.Shard { return w.store.Read().Shard(run, "main", 0) }

func (w *world) wantState(run string, want fsm.ShardState) {
	w.t.Helper()
	if s := w.gate(run); s == nil || s.State != want {
		w.t.Errorf("run %s: %+v, want %s", run, s, want)
	}
}

func TestWhatDoesNotFitWaits(t *testing.T) {
	bubble(t, func(w *world) {
		w.register("n1", 1, 100)
		w.open("n1")
		defer w.lead(w.leader().place, w.beating("n1"))()
		w.heavy(60, "r1")
		w.heavy(60, "r2")
		w.after(time.Second)
		w.wantState("r1", fsm.ShardArmed)
		w.wantState("r2", fsm.ShardPending)
		before := w.proposed(fsm.OpArmShards)
		w.after(time.Hour)
		if n := w.proposed(fsm.OpArmShards) - before; n != 0 {
			t.Errorf("%d proposals for what does not fit", n)
		}
		w.report("n1", fsm.Report{AttemptRef: w.gate("r1").Ref(), Kind: fsm.ReportEnded, Outcome: fsm.AttemptSucceeded})
		w.after(time.Millisecond)
		w.wantState("r2", fsm.ShardArmed)
	})
}

func TestANodeThatBecomesReadyIsUsedAtOnce(t *testing.T) {
	for name, arrive := range map[string]func(w *world){
		"a new one": func(w *world) { w.register("n2", 1, 100); synctest.Wait(); w.beat("n2") },
		"one that is put back": func(w *world) {
			w.apply(fsm.OpSetNodeStatus, fsm.SetNodeStatus{ID: "n1", Status: fsm.NodeReady})
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				w.register("n1", 1, 100)
				w.apply(fsm.OpSetNodeStatus, fsm.SetNodeStatus{ID: "n1", Status: fsm.NodeMaintenance})
				w.open("n1")
				defer w.lead(w.leader().place, w.beating("n1"))()
				w.heavy(1, "r1")
				w.after(10*time.Second + 300*time.Millisecond)
				w.wantState("r1", fsm.ShardPending)
				arrive(w)
				w.after(time.Millisecond)
				w.wantState("r1", fsm.ShardArmed)
			})
		})
	}
}

// A placement that is refused or lost is made again, with a pause in between.
func TestPlacingDoesNotSpinOnFailures(t *testing.T) {
	for _, fate := range []fault{refused, unknownDropped} {
		bubble(t, func(w *world) {
			w.register("n1", 1, 100)
			w.open("n1")
			defer w.lead(w.leader().place, w.beating("n1"))()
			w.mu.Lock()
			w.fault = func(fsm.Opcode) fault { return fate }
			w.mu.Unlock()
			w.heavy(1, "r1")
			w.after(10 * time.Second)
			if n := w.proposed(fsm.OpArmShards); n < 10 || n > 10*int(time.Second/retryPause)+1 {
				t.Errorf("%d proposals in ten seconds", n)
			}
			w.mu.Lock()
			w.fault = nil
			w.mu.Unlock()
			w.after(time.Second)
			w.wantState("r1", fsm.ShardArmed)
		})
	}
}

func TestFiresThatSitOnNoNode(t *testing.T) {
	outcome := func(w *world, s fsm.JobSpec, at fsm.Time) string {
		f := w.store.Read().Fire(s.Key(), at)
		if f == nil {
			return "none"
		}
		return f.Outcome + " " + f.Reason
	}
	for _, tt := range []struct {
		name    string
		overlap string
		after   time.Duration
		want    string
	}{
		{"missed after its deadline", fsm.OverlapAllow, 2 * time.Second, "skipped missed"},
		{"not before", fsm.OverlapAllow, 2*time.Second - time.Millisecond, " "},
		{"not skipped before its instant", fsm.OverlapForbid, -time.Second, " "},
		{"skipped while the one before it is active", fsm.OverlapForbid, placePoll, "skipped overlap"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(w *world) {
				w.register("n1", 1, 100)
				s := specOf("a", fsm.Schedule{Every: fsm.Duration(10 * time.Second), Overlap: tt.overlap, StartDeadline: fsm.Duration(2 * time.Second)})
				w.put(s)
				stop := w.firing()
				defer func() { stop() }()
				at := w.now().Add(fsm.Duration(10 * time.Second))
				if tt.overlap == fsm.OverlapForbid { // the first runs and does not end
					w.after(10 * time.Second)
					gate := w.gate(w.store.Read().Fire(s.Key(), at).RunID)
					w.report("n1", fsm.Report{AttemptRef: gate.Ref(), Kind: fsm.ReportStarted})
					at = at.Add(fsm.Duration(10 * time.Second))
				}
				w.apply(fsm.OpSetNodeStatus, fsm.SetNodeStatus{ID: "n1", Status: fsm.NodeMaintenance})
				w.after(10*time.Second + tt.after + time.Millisecond/2)
				if got := outcome(w, s, at); got != tt.want {
					t.Errorf("%q, want %q", got, tt.want)
				}
			})
		})
	}
}

// What may have started is neither skipped nor missed: it waits for its turn.
func TestWhatMayHaveStartedIsNotSkipped(t *testing.T) {
	bubble(t, func(w *world) {
		w.register("n1", 1, 100)
		s := specOf("a", fsm.Schedule{Every: fsm.Duration(10 * time.Second), StartDeadline: fsm.Duration(2 * time.Second)})
		w.put(s)
		defer w.firing()()
		at := w.now().Add(fsm.Duration(10 * time.Second))
		w.after(10 * time.Second)
		run := w.store.Read().Fire(s.Key(), at).RunID
		w.apply(fsm.OpSetNodeStatus, fsm.SetNodeStatus{ID: "n1", Status: fsm.NodeMaintenance})
		w.apply(fsm.OpDisplaceShards, fsm.DisplaceShards{At: w.now(), Kind: fsm.DisplaceLose, Items: []fsm.AttemptRef{w.gate(run).Ref()}})
		w.after(time.Minute)
		w.wantState(run, fsm.ShardPending)
		if f := w.store.Read().Fire(s.Key(), at); f.Outcome != "" {
			t.Errorf("outcome %s %s", f.Outcome, f.Reason)
		}
		w.apply(fsm.OpSetNodeStatus, fsm.SetNodeStatus{ID: "n1", Status: fsm.NodeReady})
		w.after(time.Millisecond)
		w.wantState(run, fsm.ShardArmed)
	})
}

func TestARetryAvoidsTheNodeThatFailed(t *testing.T) {
	bubble(t, func(w *world) {
		w.register("n1", 1, 100)
		w.register("n2", 1, 100)
		w.open("n1", "n2")
		defer w.lead(w.leader().place, w.beating("n1"), w.beating("n2"))()
		w.heavy(1, "r1")
		w.after(time.Millisecond)
		first := w.gate("r1").Current.Node
		w.report(first, fsm.Report{AttemptRef: w.gate("r1").Ref(), Kind: fsm.ReportKilled})
		w.after(time.Millisecond)
		if second := w.gate("r1").Current.Node; second == first || second == "" {
			t.Errorf("placed on %q, then on %q", first, second)
		}
	})
}

package scheduling

import (
	"testing"
	"time"

	"github.com/rota-scheduler/rota/fsm"
)

// TestSlowLoop: a run is noted as slow at its time, once, also where a proposal
// fails; one that ends before is not.
func TestSlowLoop(t *testing.T) {
	bubble(t, func(w *world) {
		w.apply(fsm.OpRaiseFormat, fsm.RaiseFormat{Format: fsm.Format})
		w.register("n1", 1, 100)
		w.open("n1")
		l := w.leader()
		defer w.lead(l.place, l.noteSlow, w.beating("n1"))()
		s := specOf("job")
		s.ExpectedDuration = fsm.Duration(time.Minute)
		s.Notify = []fsm.Notify{{Kind: fsm.NotifyExec, On: []string{fsm.EventSlow}, Command: "tell"}}
		w.put(s)
		for _, id := range []string{"slow", "quick"} {
			w.apply(fsm.OpStartRun, fsm.StartRun{At: w.now(), ID: id, Job: s.Key()})
			w.after(time.Second)
			w.report("n1", fsm.Report{AttemptRef: w.gate(id).Ref(), Kind: fsm.ReportStarted, StartedAt: w.now()})
		}
		w.after(57 * time.Second)
		w.report("n1", fsm.Report{AttemptRef: w.gate("quick").Ref(), Kind: fsm.ReportEnded, StartedAt: w.now(), Outcome: fsm.AttemptSucceeded})
		if n := w.proposed(fsm.OpNoteSlowRuns); n != 0 {
			t.Errorf("%d proposals before the time", n)
		}
		w.mu.Lock()
		failures := 3
		w.fault = func(op fsm.Opcode) fault {
			if op == fsm.OpNoteSlowRuns && failures > 0 {
				failures--
				return refused
			}
			return works
		}
		w.mu.Unlock()
		w.after(time.Hour)
		if n := w.proposed(fsm.OpNoteSlowRuns); n != 4 {
			t.Errorf("%d proposals, want 3 that fail and one that does not", n)
		}
		if v := w.store.Read(); !v.Run("slow").Slow || v.Run("quick").Slow || v.NotifyStats().Pending != 1 {
			t.Errorf("slow: %v, %v; counts %+v", v.Run("slow").Slow, v.Run("quick").Slow, v.NotifyStats())
		}
	})
}

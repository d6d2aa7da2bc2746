package scheduling

import (
	"testing"
	"time"

	"github.com/rota-scheduler/rota/fsm"
)

// TestTimeoutLoop: a run is ended at its deadline, once, and nothing is proposed
// before.
func TestTimeoutLoop(t *testing.T) {
	bubble(t, func(w *world) {
		w.register("n1", 1, 100)
		w.open("n1")
		l := w.leader()
		defer w.lead(l.place, l.timeout, w.beating("n1"))()
		s := specOf("slow")
		s.Timeout = fsm.Duration(time.Minute)
		w.put(s)
		for _, id := range []string{"r1", "r2"} {
			w.apply(fsm.OpStartRun, fsm.StartRun{At: w.now(), ID: id, Job: s.Key()})
			w.after(time.Second)
			w.report("n1", fsm.Report{AttemptRef: w.gate(id).Ref(), Kind: fsm.ReportStarted, StartedAt: w.now()})
		}
		w.after(58 * time.Second)
		if n := w.proposed(fsm.OpTimeoutRuns); n != 0 {
			t.Errorf("%d proposals before the deadline", n)
		}
		w.after(1500 * time.Millisecond)
		if r1, r2 := w.store.Read().Run("r1"), w.store.Read().Run("r2"); !r1.TimedOut || r2.TimedOut {
			t.Errorf("after one deadline: %v, %v", r1.TimedOut, r2.TimedOut)
		}
		w.after(time.Hour)
		if n := w.proposed(fsm.OpTimeoutRuns); n != 2 || !w.store.Read().Run("r2").TimedOut {
			t.Errorf("%d proposals", n)
		}
		if s := w.gate("r1"); s.Why != fsm.WhyCancel {
			t.Errorf("the process is not asked to end: %+v", s)
		}
	})
}

// TestTimeoutIsProposedAgain: a proposal that failed is made again.
func TestTimeoutIsProposedAgain(t *testing.T) {
	bubble(t, func(w *world) {
		w.register("n1", 1, 100)
		w.open("n1")
		l := w.leader()
		defer w.lead(l.place, l.timeout, w.beating("n1"))()
		s := specOf("slow")
		s.Timeout = fsm.Duration(time.Second)
		w.put(s)
		w.apply(fsm.OpStartRun, fsm.StartRun{At: w.now(), ID: "r1", Job: s.Key()})
		w.after(time.Second)
		w.mu.Lock()
		failures := 3
		w.fault = func(op fsm.Opcode) fault {
			if op == fsm.OpTimeoutRuns && failures > 0 {
				failures--
				return refused
			}
			return works
		}
		w.mu.Unlock()
		w.report("n1", fsm.Report{AttemptRef: w.gate("r1").Ref(), Kind: fsm.ReportStarted, StartedAt: w.now()})
		w.after(time.Second + 4*retryPause)
		if !w.store.Read().Run("r1").TimedOut || w.proposed(fsm.OpTimeoutRuns) != 4 {
			t.Errorf("%d proposals", w.proposed(fsm.OpTimeoutRuns))
		}
	})
}

package scheduling

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rota-scheduler/rota/fsm"
)

// Whole terms, one after another on one store, while nodes beat and one of them
// falls silent for a while.
func TestTerms(t *testing.T) {
	bubble(t, func(w *world) {
		defer w.nodes()()
		spec := specOf("a", every(time.Second))
		w.put(spec)
		began := w.now()
		defer w.lead(w.beating("n2"))()
		beats := w.lead(w.beating("n1"))
		for i := range 6 {
			l := w.leader()
			stop := w.lead(func(ctx context.Context) error { return l.Run(ctx, w.store.Index()) })
			w.after(20*time.Second + time.Duration(i)*777*time.Millisecond)
			if i == 2 {
				beats()
			}
			if i == 4 {
				beats = w.lead(w.beating("n1"))
			}
			stop()
			if g := w.beat("n2"); g.OK {
				t.Error("granted a lease without a term")
			}
			now := w.now()
			w.clock.Sample(now+5, w.mono(), w.mono())
			if w.now() != now+5 {
				t.Error("the clock does not follow anybody after the term")
			}
			w.after(time.Second)
		}
		l := w.leader()
		stop := w.lead(func(ctx context.Context) error { return l.Run(ctx, w.store.Index()) })
		w.after(10 * time.Second)
		stop()
		beats()
		if n := w.checkFires(&spec, began, w.now().Add(-fsm.Duration(5*time.Second))); n < 120 {
			t.Errorf("only %d instants", n)
		}
	})
}

func TestNoLeaseWithoutAQuorum(t *testing.T) {
	bubble(t, func(w *world) {
		w.register("n1", 1, 100)
		var partitioned atomic.Bool
		l := w.leader()
		l.Verify = func(context.Context) error {
			if partitioned.Load() {
				return errors.New("no quorum")
			}
			return nil
		}
		defer w.lead(func(ctx context.Context) error { return l.Run(ctx, 0) })()
		w.after(time.Second + time.Millisecond)
		if g := w.beat("n1"); !g.OK || g.Age > w.timing.Heartbeat {
			t.Errorf("granted %+v", g)
		}
		partitioned.Store(true)
		w.after(10 * time.Second)
		if g := w.beat("n1"); g.OK && g.Age < 10*time.Second-w.timing.Heartbeat {
			t.Errorf("granted %+v ten seconds after the last proof of a quorum", g)
		}
	})
}

func TestPruning(t *testing.T) {
	bubble(t, func(w *world) {
		defer w.nodes()()
		spec := specOf("a", every(10*time.Minute))
		spec.History.Age = fsm.Duration(time.Hour)
		w.put(spec)
		stop := w.firing()
		w.after(5 * time.Hour)
		stop()
		defer w.lead(w.leader().prune)()
		w.after(2 * pruneEvery)
		n := 0
		for r := range w.store.Read().Runs(spec.Key()) {
			n++
			if age := w.now().Sub(r.EndedAt); r.State.Ended() && age > time.Hour+pruneEvery {
				t.Errorf("a run of %s is kept", age)
			}
		}
		if n < 5 || n > 8 {
			t.Errorf("%d runs are kept", n)
		}
		before := w.proposed(fsm.OpPruneHistory)
		w.after(5 * pruneEvery)
		if got := w.proposed(fsm.OpPruneHistory) - before; got > 1 {
			t.Errorf("%d proposals to prune nothing", got)
		}
	})
}

func TestTheLeadershipLeavesAClockThatIsOff(t *testing.T) {
	bubble(t, func(w *world) {
		for _, id := range []string{"n1", "n2", "n3"} {
			w.register(id, 1, 100)
		}
		w.open("n1", "n2", "n3")
		var handed atomic.Int32
		l := w.leader()
		l.StepDown = func(context.Context) error { handed.Add(1); return errors.New("nobody to take it") }
		defer w.lead(l.watchClock, w.beating("n1"), w.beating("n2"), w.beating("n3"))()
		w.after(time.Minute)
		if handed.Load() != 0 {
			t.Fatal("handed on with no reason")
		}
		w.leases.ObserveClock("n1", time.Hour)
		w.leases.ObserveClock("n2", 0)
		w.leases.ObserveClock("n3", 0)
		w.after(9 * time.Second)
		if handed.Load() != 0 {
			t.Fatal("handed on at once")
		}
		w.after(25 * time.Second)
		if n := handed.Load(); n < 2 || n > 3 {
			t.Errorf("tried %d times", n)
		}
	})
}

func TestWhatStopsIsGivenNothingMore(t *testing.T) {
	tb := newTable(t)
	tb.Heartbeat("n1", 4, 50)
	tb.Retire("n1", 4)
	tb.wantReady(0)
	tb.Heartbeat("n1", 4, 50) // sent before it stopped
	tb.wantReady(0)
	tb.Heartbeat("n1", 5, 60)
	tb.wantReady(5)
	tb.Retire("n1", 4)
	tb.wantReady(5)
}

package executor

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/scheduling/executor/proc"
)

// What waits for its instant is passed over, yet what has happened to it is seen at
// once, and it starts when it is due.
func TestAheadIsPassedOver(t *testing.T) {
	bubble(t, func(r *rig) {
		stays, goes := job{name: "stays"}, job{name: "goes"}
		r.put(stays)
		r.put(goes)
		a, b := r.arm(stays, self, incarnation), r.arm(goes, self, incarnation)
		r.after(100 * time.Millisecond)
		if len(r.ahead) != 2 {
			t.Fatalf("%d attempts are known to be ahead, want 2", len(r.ahead))
		}
		r.apply(fsm.OpSetPaused, fsm.SetPaused{At: r.clock.Now(), Job: goes.key(), Paused: true})
		r.after(100 * time.Millisecond)
		if !r.reported(b, fsm.ReportNever) {
			t.Error("what is wanted back waits for its instant")
		}
		r.after(time.Second)
		if _, ok := r.procs.started(a); !ok {
			t.Error("what was due has not started")
		}
	})
}

// An attempt that runs is never taken for one that the log has given away, also if
// the clock was set back and an earlier pass had found that it waits.
func TestAheadIsNotReleased(t *testing.T) {
	bubble(t, func(r *rig) {
		j := job{name: "a"}
		r.put(j)
		ref := r.arm(j, self, incarnation)
		r.after(100 * time.Millisecond)
		r.procs.mu.Lock()
		r.procs.known[ref.String()] = &proc.Status{ID: ref.String(), State: proc.Running}
		r.procs.mu.Unlock()
		r.Executor.mu.Lock()
		r.locals[ref] = &local{state: live, weight: 1}
		r.Executor.mu.Unlock()
		r.again()
		r.after(100 * time.Millisecond)
		if got := r.procs.killReason(ref); got != "" {
			t.Errorf("killed for %q", got)
		}
	})
}

// The objects that a lapsed lease or a new version leaves behind are let go of.
func TestAheadIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		for range 2 * maxStaleAhead {
			r.ahead[new(fsm.Shard)] = 1
		}
		r.pass(context.Background(), r.store.Watch())
		if n := len(r.ahead); n > maxStaleAhead {
			t.Errorf("%d are kept", n)
		}
	})
}

// BenchmarkPass is a pass over a thousand attempts that are armed ahead.
func BenchmarkPass(b *testing.B) {
	r := newRig(b)
	r.grant()
	for i := range 1000 {
		j := job{name: fmt.Sprintf("job-%d", i)}
		r.put(j)
		for range 4 { // the first instants are due soon
			r.arm(j, self, incarnation)
		}
	}
	r.cfg.Clock = still{r.clock.Now() - fsm.Time(time.Hour)}
	b.ReportAllocs()
	for b.Loop() {
		r.pass(b.Context(), r.store.Watch())
	}
}

// still is a clock that stands.
type still struct{ at fsm.Time }

func (s still) Now() fsm.Time    { return s.at }
func (s still) Latest() fsm.Time { return s.at }
func (s still) Mono() int64      { return 1e12 }

package executor

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/scheduling/executor/proc"
)

func (r *rig) wantStarted(ref fsm.AttemptRef, at time.Time) {
	r.t.Helper()
	if got, ok := r.procs.started(ref); !ok || !got.Equal(at) {
		r.t.Errorf("started at %v (%v), want %v", got, ok, at)
	}
}

func (r *rig) wantIdle(ref fsm.AttemptRef) {
	r.t.Helper()
	if at, ok := r.procs.started(ref); ok {
		r.t.Errorf("started at %v, want no start", at)
	}
}

func TestStartsAtItsInstantAndNotBefore(t *testing.T) {
	bubble(t, func(r *rig) {
		due := time.Now().Add(time.Second)
		ref := r.fire(job{name: "a"})
		r.after(time.Second - 1)
		r.again()
		synctest.Wait()
		r.wantIdle(ref)
		r.after(1)
		r.wantStarted(ref, due)
		r.after(startedHold)
		if s := r.shard(ref.RunID); s.State != fsm.ShardRunning {
			t.Errorf("the log shows %s", s.State)
		}
	})
}

func TestNoLeaseNoStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.run()
		defer r.end()
		ref := r.fire(job{name: "a"})
		r.after(time.Minute)
		r.wantIdle(ref)
		r.grant()
		synctest.Wait()
		r.wantStarted(ref, time.Now())
	})
}

func TestLeaseThatLapsesBeforeTheInstant(t *testing.T) {
	bubble(t, func(r *rig) {
		granted := r.clock.Mono()
		r.put(job{name: "a"})
		first := r.arm(job{name: "a"}, self, incarnation)
		var last fsm.AttemptRef
		for range 2 { // the third instant is when the lease has just lapsed
			last = r.arm(job{name: "a"}, self, incarnation)
		}
		r.after(time.Second)
		req := r.procs.requests[first.String()]
		if req.ContactBase != granted || req.Expiry != granted+int64(leaseLength) {
			t.Errorf("started under contact %d until %d, want %d until %d", req.ContactBase, req.Expiry, granted, granted+int64(leaseLength))
		}
		r.procs.end(first, proc.Succeeded)
		r.after(2 * time.Second)
		r.wantIdle(last)
	})
}

func TestLeaseCountsFromItsFloor(t *testing.T) {
	bubble(t, func(r *rig) {
		ref := r.fire(job{name: "a"})
		r.lease.Renew(r.clock.Mono()+1, Grant{OK: true, Floor: r.store.Index() + 2})
		r.after(time.Second + step)
		r.wantIdle(ref)
		r.register(elsewhere, 2) // entries that concern no attempt here
		r.after(step)
		r.wantIdle(ref)
		r.register(elsewhere, 3)
		at := time.Now()
		r.after(step)
		if got, ok := r.procs.started(ref); !ok || got.Sub(at) > floorPoll {
			t.Errorf("started %v after the floor was reached (%v)", got.Sub(at), ok)
		}
	})
}

// A lease that counts for the newest state must not start what only an older
// one shows.
func TestJudgesTheStateThatTheLeaseCountsFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		ref := r.fire(job{name: "a"})
		r.after(time.Second)
		v := r.store.Watch()
		r.apply(fsm.OpDisplaceShards, fsm.DisplaceShards{At: r.clock.Now(), Kind: fsm.DisplaceMove, Items: []fsm.AttemptRef{ref}})
		r.grant()
		r.pass(context.Background(), v)
		r.starts.Wait()
		r.wantIdle(ref)
	})
}

func TestDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := job{name: "a", deadline: 2 * time.Second}
		r := newRig(t)
		r.run()
		defer r.end()
		ref := r.fire(j)
		r.after(3 * time.Second) // exactly the deadline: still allowed, but no lease
		r.again()
		synctest.Wait()
		if got := r.procs.state(ref); got != "" {
			t.Fatalf("%s before the deadline has passed", got)
		}
		r.after(step)
		if r.procs.state(ref) != proc.Declined {
			t.Error("the decision was not kept")
		}
		if o, why := r.outcome(j); o != fsm.OutcomeSkipped || why != fsm.ReasonMissed {
			t.Errorf("outcome %s %s", o, why)
		}
		r.grant()
		r.after(step)
		r.wantIdle(ref)
	})
}

func TestExpiryIsTheEarlierOfLeaseAndDeadline(t *testing.T) {
	bubble(t, func(r *rig) {
		ref := r.fire(job{name: "a", deadline: time.Second})
		r.after(time.Second)
		want := r.clock.Mono() + int64(time.Second) + 1 // the deadline itself is in time
		if got := r.procs.requests[ref.String()].Expiry; got != want {
			t.Errorf("expiry %d, want %d", got, want)
		}
	})
}

func TestADroppedLeaseStartsNothingAndGivesBack(t *testing.T) {
	bubble(t, func(r *rig) {
		ref := r.fire(job{name: "a"})
		other := r.fire(job{name: "b"})
		r.after(time.Second / 2)
		r.lease.Drop()
		r.grant()
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		r.Retreat(ctx)
		for _, ref := range []fsm.AttemptRef{ref, other} {
			if s := r.shard(ref.RunID); s.State != fsm.ShardPending || s.Maybe {
				t.Errorf("%s; want it given back", s.State)
			}
		}
		r.after(2 * time.Second)
		r.wantIdle(ref)
	})
}

func TestCapacity(t *testing.T) {
	bubble(t, func(r *rig) {
		a := r.fire(job{name: "a", weight: 60})
		b := r.fire(job{name: "b", weight: 60})
		r.after(time.Second)
		if _, started := r.procs.started(b); started {
			a, b = b, a // either may come first
		}
		r.wantStarted(a, time.Now())
		r.wantIdle(b)
		if got := r.Load(); got != 60 {
			t.Errorf("load %d", got)
		}
		r.after(time.Second)
		r.procs.end(a, proc.Succeeded)
		synctest.Wait()
		r.wantStarted(b, time.Now())
		r.procs.end(b, proc.Failed)
		synctest.Wait()
		if got := r.Load(); got != 0 {
			t.Errorf("load %d when nothing runs", got)
		}
	})
}

func TestARefusedStartIsDecidedAgain(t *testing.T) {
	for _, tt := range []struct {
		name   string
		refuse []error
		within time.Duration
		tries  int
	}{
		{"expired", []error{proc.ErrExpired}, passGap(0), 2},
		{"no processes left", []error{proc.ErrExhausted, proc.ErrExhausted}, 2 * retryStart, 3},
		{"journal", []error{proc.ErrJournal}, retryStart, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(r *rig) {
				r.procs.refuse = tt.refuse
				ref := r.fire(job{name: "a"})
				r.after(time.Second)
				due := time.Now()
				r.after(time.Second / 2)
				if got, ok := r.procs.started(ref); !ok || got.Sub(due) > tt.within {
					t.Errorf("started %v late (%v), want within %v", got.Sub(due), ok, tt.within)
				}
				if got := r.procs.tries(); got != tt.tries {
					t.Errorf("%d tries, want %d", got, tt.tries)
				}
				if got := r.Load(); got != 1 {
					t.Errorf("load %d", got)
				}
			})
		})
	}
}

func TestAStartThatCanNeverBe(t *testing.T) {
	bubble(t, func(r *rig) {
		r.procs.refuse = []error{proc.ErrInvalid}
		ref := r.fire(job{name: "a"})
		r.after(time.Second)
		if s := r.shard(ref.RunID); s.State != fsm.ShardFailed || s.Current.Outcome != fsm.AttemptStartFailed {
			t.Errorf("%s, %s", s.State, s.Current.Outcome)
		}
	})
}

// A start whose answer was lost has happened: it is found, and not made again.
func TestAStartWhoseAnswerWasLost(t *testing.T) {
	bubble(t, func(r *rig) {
		r.procs.hide = true
		ref := r.fire(job{name: "a"})
		r.after(time.Second + retryStart + step)
		if s := r.shard(ref.RunID); s.State != fsm.ShardRunning {
			t.Errorf("the log shows %s", s.State)
		}
		r.after(time.Second)
		if got := r.procs.tries(); got != 2 {
			t.Errorf("%d tries, want 2", got)
		}
		if got := r.Load(); got != 1 {
			t.Errorf("load %d", got)
		}
	})
}

func TestNoop(t *testing.T) {
	bubble(t, func(r *rig) {
		ref := r.fire(job{name: "a", driver: fsm.DriverNoop})
		r.after(time.Second)
		if s := r.shard(ref.RunID); s.State != fsm.ShardSucceeded {
			t.Errorf("%s", s.State)
		}
		if r.procs.tries() != 0 || r.Load() != 0 {
			t.Errorf("%d tries, load %d", r.procs.tries(), r.Load())
		}
	})
}

// doubtful is a clock that may be late.
type doubtful struct {
	clock
	by fsm.Duration
}

func (c doubtful) Latest() fsm.Time { return c.Now().Add(c.by) }

// TestADeadlineIsKeptByTheLatestThatItCanBe: what may be past its deadline is missed
// rather than started.
func TestADeadlineIsKeptByTheLatestThatItCanBe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.cfg.Clock = doubtful{r.clock, fsm.Duration(700 * time.Millisecond)}
		r.run()
		defer r.end()
		r.grant()
		soon, later := job{name: "a", deadline: 500 * time.Millisecond}, job{name: "b", deadline: time.Second}
		r.fire(soon)
		ref := r.fire(later)
		r.after(time.Second + step)
		if o, why := r.outcome(soon); o != fsm.OutcomeSkipped || why != fsm.ReasonMissed {
			t.Errorf("due with half a second to start in: outcome %s %s", o, why)
		}
		want := r.clock.Mono() - int64(step) + int64(300*time.Millisecond) + 1
		if got := r.procs.requests[ref.String()].Expiry; got != want {
			t.Errorf("expiry %d, want %d", got, want)
		}
	})
}

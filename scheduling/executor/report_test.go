package executor

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/scheduling/executor/proc"
)

// A report goes out again until the log shows it, whether the leader refuses it
// or takes it and loses it.
func TestReportsAreSentUntilTheLogShowsThem(t *testing.T) {
	for _, tt := range []struct {
		name          string
		deaf, failing bool
	}{{"taken and lost", true, false}, {"refused", false, true}} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(r *rig) {
				ref := r.fire(job{name: "a"})
				r.listen(tt.deaf, tt.failing)
				r.after(time.Second + step)
				r.procs.end(ref, proc.Succeeded)
				r.after(3*resendAfter + step)
				n := len(r.kinds(ref))
				if n < 4 || n > 6 {
					t.Errorf("sent %d times in three seconds: %v", n, r.kinds(ref))
				}
				r.listen(false, false)
				r.after(2 * resendAfter)
				if s := r.shard(ref.RunID); s.State != fsm.ShardSucceeded {
					t.Errorf("the log shows %s", s.State)
				}
				n = len(r.kinds(ref))
				r.grant()
				r.after(5 * resendAfter)
				if got := len(r.kinds(ref)); got != n {
					t.Errorf("sent %d times more although the log shows it", got-n)
				}
				if r.procs.state(ref) != "" {
					t.Error("the process half was not told to forget")
				}
			})
		})
	}
}

func TestAnEndWithoutItsStartBeingKnown(t *testing.T) {
	bubble(t, func(r *rig) {
		ref := r.fire(job{name: "a"})
		r.listen(false, true)
		r.after(time.Second + step)
		r.procs.end(ref, proc.Failed)
		r.listen(false, false)
		r.after(2 * resendAfter)
		if s := r.shard(ref.RunID); s.State != fsm.ShardFailed {
			t.Errorf("the log shows %s", s.State)
		}
	})
}

func TestAStartThatTheLogShowsIsNotReportedAgain(t *testing.T) {
	bubble(t, func(r *rig) {
		ref := r.fire(job{name: "a"})
		r.after(time.Minute)
		if n := len(r.kinds(ref)); n != 1 {
			t.Errorf("reported %d times", n)
		}
	})
}

func TestReportsGather(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		var calls atomic.Int32
		r.cfg.Report = func(ctx context.Context, reports []fsm.Report) error {
			calls.Add(1)
			if len(reports) > maxReports {
				t.Errorf("%d reports in one call", len(reports))
			}
			return r.report(ctx, reports)
		}
		r.listen(false, true)
		r.grant()
		r.run()
		defer r.end()
		const n = maxReports + 50
		for i := range n {
			r.put(job{name: fmt.Sprintf("j%d", i), driver: fsm.DriverNoop})
		}
		for i := range n {
			r.arm(job{name: fmt.Sprintf("j%d", i)}, self, incarnation)
		}
		r.after(time.Second + step)
		calls.Store(0)
		r.listen(false, false)
		r.after(2 * resendAfter)
		for i := range n {
			if o, _ := r.outcome(job{name: fmt.Sprintf("j%d", i)}); o != fsm.OutcomeRan {
				t.Fatalf("fire %d: %q", i, o)
			}
		}
		if calls := calls.Load(); calls > 4 {
			t.Errorf("%d calls for %d reports", calls, n)
		}
	})
}

func TestFlush(t *testing.T) {
	bubble(t, func(r *rig) {
		ref := r.fire(job{name: "a"})
		r.after(time.Second)
		r.listen(false, true)
		r.procs.end(ref, proc.Succeeded)
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		time.AfterFunc(2*time.Second, func() { r.listen(false, false) })
		began := time.Now()
		r.Flush(ctx)
		if took := time.Since(began); took < 2*time.Second || took > 4*time.Second {
			t.Errorf("flushed after %v", took)
		}
		if s := r.shard(ref.RunID); s.State != fsm.ShardSucceeded {
			t.Errorf("the log shows %s", s.State)
		}
	})
}

func TestEndsOfUnknownAttempts(t *testing.T) {
	bubble(t, func(r *rig) {
		r.Ended(proc.Result{ID: "no attempt"})
		r.Ended(proc.Result{ID: "run/main/0/1", Outcome: proc.Succeeded})
		r.after(step)
		if r.Load() != 0 {
			t.Errorf("load %d", r.Load())
		}
		r.mu.Lock()
		left := len(r.locals)
		r.mu.Unlock()
		if left != 0 {
			t.Errorf("%d attempts are kept that the log knows nothing of", left)
		}
		synctest.Wait()
	})
}

// While starts are under way reports wait, so that the starts have the machine to
// themselves: not long if another task of the run may wait for what they say.
func TestReportsWaitForStarts(t *testing.T) {
	for _, tt := range []struct {
		name string
		pair bool
		wait time.Duration
	}{{"a run of one task", false, lonePatience}, {"a run of two", true, startPatience}} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(r *rig) {
				slow := r.fire(job{name: "slow"})
				ref := r.fire(job{name: "a", pair: tt.pair})
				release := make(chan struct{})
				r.procs.delay(slow, release)
				r.after(time.Second)
				r.procs.end(ref, proc.Succeeded)
				r.after(tt.wait - step)
				if kinds := r.kinds(ref); len(kinds) != 0 {
					t.Errorf("%v reported while another start was under way", kinds)
				}
				r.after(3 * step)
				if !r.reported(ref, fsm.ReportEnded) {
					t.Errorf("the end was not reported after %s", tt.wait)
				}
				close(release)
			})
		})
	}
}

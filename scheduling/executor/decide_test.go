package executor

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/scheduling/executor/proc"
)

func TestForbidSkipsWhileAnotherRunIsActive(t *testing.T) {
	bubble(t, func(r *rig) {
		j := job{name: "a"}
		r.put(j)
		r.arm(j, elsewhere, 1)
		ref := r.arm(j, self, incarnation)
		r.after(2*time.Second - 1)
		if got := r.procs.state(ref); got != "" {
			t.Fatalf("%s before its instant", got)
		}
		r.after(1)
		if r.procs.state(ref) != "" && r.procs.state(ref) != proc.Declined {
			t.Errorf("%s", r.procs.state(ref))
		}
		if o, why := r.outcome(j); o != fsm.OutcomeSkipped || why != fsm.ReasonOverlap {
			t.Errorf("outcome %s %s", o, why)
		}
	})
}

// What this node knows of its own attempts counts before the log has it.
func TestConditionByLocalKnowledge(t *testing.T) {
	for _, tt := range []struct {
		name  string
		first func(r *rig, ref fsm.AttemptRef)
		start bool
	}{
		{"succeeded here", func(r *rig, ref fsm.AttemptRef) { r.procs.end(ref, proc.Succeeded) }, true},
		{"failed here, may be tried elsewhere", func(r *rig, ref fsm.AttemptRef) { r.procs.end(ref, proc.Failed) }, false},
		{"killed here, may be tried elsewhere", func(r *rig, ref fsm.AttemptRef) { r.procs.end(ref, proc.Killed) }, false},
		{"runs", func(*rig, fsm.AttemptRef) {}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(r *rig) {
				j := job{name: "a"}
				r.put(j)
				first, second := r.arm(j, self, incarnation), r.arm(j, self, incarnation)
				r.listen(true, false) // the log hears of nothing
				r.after(time.Second)
				r.wantStarted(first, time.Now())
				tt.first(r, first)
				r.after(time.Second)
				if _, started := r.procs.started(second); started != tt.start {
					t.Errorf("started: %v, want %v", started, tt.start)
				}
			})
		})
	}
}

// TestConditionAfterALoss: a node started a run because it knew the end of the one
// before, and was lost before the log did. Both are run again, one after the other.
func TestConditionAfterALoss(t *testing.T) {
	bubble(t, func(r *rig) {
		j := job{name: "a"}
		r.put(j)
		first, second := r.arm(j, elsewhere, 1), r.arm(j, elsewhere, 1)
		started := fsm.ReportAttempts{Node: elsewhere, Incarnation: 1}
		lost := fsm.DisplaceShards{Kind: fsm.DisplaceLose}
		for _, ref := range []fsm.AttemptRef{first, second} {
			started.Reports = append(started.Reports, fsm.Report{AttemptRef: ref, Kind: fsm.ReportStarted})
			lost.Items = append(lost.Items, ref)
		}
		r.apply(fsm.OpReportAttempts, started)
		r.apply(fsm.OpDisplaceShards, lost)
		r.armPending()
		again := r.shard(first.RunID).Ref()
		if _, started := r.procs.started(again); !started {
			t.Fatal("the first run was not started again")
		}
		r.after(time.Second)
		r.wantIdle(r.shard(second.RunID).Ref())
		r.procs.end(again, proc.Succeeded)
		r.after(step)
		if _, started := r.procs.started(r.shard(second.RunID).Ref()); !started {
			t.Error("the second run did not follow")
		}
	})
}

func TestASkippedRunHereIsNoLongerWaitedFor(t *testing.T) {
	bubble(t, func(r *rig) {
		j := job{name: "a"}
		r.put(j)
		blocking := r.arm(j, elsewhere, 1)
		skipped, last := r.arm(j, self, incarnation), r.arm(j, self, incarnation)
		r.listen(true, false)
		r.after(2 * time.Second)
		if r.procs.state(skipped) != proc.Declined {
			t.Fatal("the second run was not skipped")
		}
		r.grant()
		ended := fsm.Report{AttemptRef: blocking, Kind: fsm.ReportEnded, Outcome: fsm.AttemptSucceeded}
		r.apply(fsm.OpReportAttempts, fsm.ReportAttempts{Node: elsewhere, Incarnation: 1, Reports: []fsm.Report{ended}})
		r.after(time.Second)
		r.wantStarted(last, time.Now())
	})
}

func TestRetraction(t *testing.T) {
	bubble(t, func(r *rig) {
		j := job{name: "a"}
		ref := r.fire(j)
		r.after(time.Second / 2)
		r.apply(fsm.OpSetPaused, fsm.SetPaused{At: r.clock.Now(), Job: j.key(), Paused: true})
		synctest.Wait()
		if !r.reported(ref, fsm.ReportNever) {
			t.Errorf("reported %v", r.kinds(ref))
		}
		if o, why := r.outcome(j); o != fsm.OutcomeSkipped || why != fsm.ReasonPaused {
			t.Errorf("outcome %s %s", o, why)
		}
		r.after(time.Second)
		r.wantIdle(ref)
	})
}

func TestARetractionThatComesTooLate(t *testing.T) {
	bubble(t, func(r *rig) {
		j := job{name: "a"}
		ref := r.fire(j)
		r.listen(true, false)
		r.after(time.Second)
		r.apply(fsm.OpSetPaused, fsm.SetPaused{At: r.clock.Now(), Job: j.key(), Paused: true})
		r.listen(false, false)
		r.after(resendAfter)
		if s := r.shard(ref.RunID); s.State != fsm.ShardRunning {
			t.Errorf("the log shows %s", s.State)
		}
		if r.reported(ref, fsm.ReportNever) {
			t.Error("an attempt that runs was reported as never started")
		}
	})
}

// A decision that cannot be written is not reported: a crash would forget it.
func TestADecisionIsKeptBeforeItIsTold(t *testing.T) {
	bubble(t, func(r *rig) {
		j := job{name: "a"}
		ref := r.fire(j)
		r.procs.fail(true)
		r.apply(fsm.OpSetPaused, fsm.SetPaused{At: r.clock.Now(), Job: j.key(), Paused: true})
		r.after(time.Second / 2)
		if kinds := r.kinds(ref); len(kinds) != 0 {
			t.Errorf("reported %v", kinds)
		}
		r.procs.fail(false)
		r.after(time.Second)
		if !r.reported(ref, fsm.ReportNever) {
			t.Error("the decision was not tried again")
		}
	})
}

func TestADecisionWhoseAnswerWasLost(t *testing.T) {
	bubble(t, func(r *rig) {
		j := job{name: "a"}
		ref := r.fire(j)
		r.procs.hide = true
		r.apply(fsm.OpSetPaused, fsm.SetPaused{At: r.clock.Now(), Job: j.key(), Paused: true})
		r.after(3 * time.Second)
		if !r.reported(ref, fsm.ReportNever) {
			t.Error("the decision was not learned of")
		}
	})
}

func TestAnArmingOfAnOlderIncarnation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		j := job{name: "a"}
		r.put(j)
		ref := r.arm(j, self, incarnation)
		r.cfg.Incarnation++
		r.run()
		defer r.end()
		r.after(time.Second + step)
		if r.procs.state(ref) != "" {
			t.Fatal("decided before the log was known to be caught up")
		}
		r.grant()
		synctest.Wait()
		if !r.reported(ref, fsm.ReportNever) {
			t.Errorf("reported %v", r.kinds(ref))
		}
		r.wantIdle(ref)
	})
}

// A log that is being replayed shows an attempt as armed that it will show as
// running: to decline it then would leave it running for ever.
func TestReplayDecidesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		j := job{name: "a"}
		r.put(j)
		ref := r.arm(j, self, incarnation)
		r.cfg.Incarnation++
		r.run()
		defer r.end()
		r.after(step)
		r.apply(fsm.OpReportAttempts, fsm.ReportAttempts{Node: self, Incarnation: incarnation, Reports: []fsm.Report{{AttemptRef: ref, Kind: fsm.ReportStarted}}})
		r.after(step)
		r.grant()
		r.after(step)
		if s := r.shard(ref.RunID); s.State != fsm.ShardPending || !s.Maybe {
			t.Errorf("%s, may have started: %v; want it lost and pending", s.State, s.Maybe)
		}
	})
}

func TestAdoption(t *testing.T) {
	for _, tt := range []struct {
		name   string
		status proc.Status
		state  fsm.ShardState
		fire   string
	}{
		{"live", proc.Status{State: proc.Running}, fsm.ShardRunning, fsm.OutcomeRan},
		{"ended", proc.Status{State: proc.Ended, Result: &proc.Result{Outcome: proc.Succeeded}}, fsm.ShardSucceeded, fsm.OutcomeRan},
		{"killed", proc.Status{State: proc.Ended, Result: &proc.Result{Outcome: proc.Killed, Reason: proc.ReasonRestarted}}, fsm.ShardPending, ""},
		{"declined", proc.Status{State: proc.Declined, Note: []byte(fsm.ReportMissed)}, "", fsm.OutcomeSkipped},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				j := job{name: "a", weight: 7}
				r.put(j)
				ref := r.arm(j, self, incarnation)
				tt.status.ID = ref.String()
				if tt.status.Result != nil {
					tt.status.Result.ID = tt.status.ID
				}
				r.procs.known[ref.String()] = &tt.status
				r.cfg.Incarnation++
				r.run()
				defer r.end()
				r.grant()
				r.after(time.Second + step)
				if s := r.shard(ref.RunID); s == nil && tt.state != "" || s != nil && s.State != tt.state {
					t.Errorf("the log shows %v, want %q", s, tt.state)
				}
				if o, _ := r.outcome(j); o != tt.fire {
					t.Errorf("outcome %q, want %q", o, tt.fire)
				}
				r.wantIdle(ref)
				if want := map[bool]int{true: 7}[tt.name == "live"]; r.Load() != want {
					t.Errorf("load %d, want %d", r.Load(), want)
				}
			})
		})
	}
}

func TestARunningAttemptThatNobodyKnowsOf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		j := job{name: "a"}
		r.put(j)
		ref := r.arm(j, self, incarnation)
		r.apply(fsm.OpReportAttempts, fsm.ReportAttempts{Node: self, Incarnation: incarnation, Reports: []fsm.Report{{AttemptRef: ref, Kind: fsm.ReportStarted}}})
		r.grant()
		r.run()
		defer r.end()
		if s := r.shard(ref.RunID); s.State != fsm.ShardPending || !s.Maybe {
			t.Errorf("%s, may have started: %v", s.State, s.Maybe)
		}
	})
}

func TestCancelKills(t *testing.T) {
	bubble(t, func(r *rig) {
		ref := r.fire(job{name: "a"})
		r.after(time.Second)
		r.apply(fsm.OpCancelRun, fsm.CancelRun{At: r.clock.Now(), ID: ref.RunID})
		r.after(passGap(0))
		if got := r.procs.killReason(ref); got != proc.ReasonCancelled {
			t.Errorf("killed for %q", got)
		}
		r.procs.end(ref, proc.Cancelled)
		synctest.Wait()
		if s := r.shard(ref.RunID); s.State != fsm.ShardCancelled {
			t.Errorf("%s", s.State)
		}
	})
}

// TestAKillThatFailsIsTriedAgain, although nothing else happens on the node.
func TestAKillThatFailsIsTriedAgain(t *testing.T) {
	bubble(t, func(r *rig) {
		ref := r.fire(job{name: "a"})
		r.after(time.Second)
		fail := func(failing bool) {
			r.procs.mu.Lock()
			defer r.procs.mu.Unlock()
			r.procs.failing = failing
		}
		fail(true)
		r.apply(fsm.OpCancelRun, fsm.CancelRun{At: r.clock.Now(), ID: ref.RunID})
		r.after(time.Second / 2)
		fail(false)
		r.after(time.Second)
		if got := r.procs.killReason(ref); got != proc.ReasonCancelled {
			t.Errorf("killed for %q", got)
		}
	})
}

// TestEvictionKills what runs, once, and leaves it to the log to place it anew.
func TestEvictionKills(t *testing.T) {
	bubble(t, func(r *rig) {
		ref := r.fire(job{name: "a"})
		r.after(2 * time.Second)
		r.apply(fsm.OpEvictShards, fsm.EvictShards{At: r.clock.Now(), Items: []fsm.AttemptRef{ref}})
		r.after(passGap(0))
		if got := r.procs.killReason(ref); got != reasonDrained {
			t.Errorf("killed for %q", got)
		}
		r.after(time.Second)
		if s := r.shard(ref.RunID); s.State != fsm.ShardRunning {
			t.Fatalf("%s before its end is known", s.State)
		}
		r.procs.end(ref, proc.Killed)
		r.after(step)
		if s := r.shard(ref.RunID); s.State != fsm.ShardPending || s.Losses != 0 {
			t.Errorf("%s with %d losses", s.State, s.Losses)
		}
	})
}

// What the log gave to somebody else is killed, but not because of a log that
// has not come to it yet.
func TestSupersededIsKilledOnceCaughtUp(t *testing.T) {
	bubble(t, func(r *rig) {
		ref := r.fire(job{name: "a"})
		r.after(time.Second)
		r.lease.Renew(r.clock.Mono(), Grant{OK: true, Floor: r.store.Index() + 2})
		r.apply(fsm.OpDisplaceShards, fsm.DisplaceShards{Kind: fsm.DisplaceLose, Items: []fsm.AttemptRef{ref}})
		r.after(step)
		if got := r.procs.killReason(ref); got != "" {
			t.Fatalf("killed for %q by a log that is behind", got)
		}
		r.register(elsewhere, 2)
		r.again()
		r.after(step)
		if got := r.procs.killReason(ref); got != proc.ReasonLost {
			t.Errorf("killed for %q", got)
		}
		r.procs.end(ref, proc.Killed)
		r.after(step)
		if len(r.procs.forgotten) != 1 {
			t.Errorf("forgotten: %v", r.procs.forgotten)
		}
	})
}

package executor

import (
	"context"
	"errors"
	"time"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/scheduling/executor/proc"
)

// passResult says when the next pass is due by itself.
type passResult struct {
	// now is when the pass began: one look at the clock for all attempts. What is
	// due a moment later is seen by the next pass.
	now  fsm.Time
	next fsm.Time
	// leaseless: something is due and only the lease is missing.
	leaseless bool
	// ahead counts what waits for its instant.
	ahead int
}

func (p *passResult) at(t fsm.Time) {
	if p.next == 0 || t < p.next {
		p.next = t
	}
}

// pass looks at every attempt that the log binds to this node, and at every one
// that it no longer does. Only the list of held attempts is watched: whatever
// concerns an attempt changes it. Everything is judged by one later view: a lease
// may count for that one and not yet for the view that is watched.
func (e *Executor) pass(ctx context.Context, v *fsm.View) passResult {
	p := passResult{now: e.cfg.Clock.Now()}
	for range v.HeldBy(e.cfg.NodeID) {
		break // to look at the first is to watch them all
	}
	quiet := e.cfg.Store.Read()
	e.passes++
	for s := range quiet.HeldBy(e.cfg.NodeID) {
		if e.stillAhead(s, &p) {
			continue // most of what a node holds
		}
		e.mu.Lock()
		l := e.locals[s.Ref()]
		if l != nil {
			l.heldIn = e.passes
		}
		e.mu.Unlock()
		if l == nil {
			e.consider(ctx, quiet, v, s, &p)
			continue
		}
		e.follow(ctx, s, l, &p)
	}
	if len(e.ahead) > p.ahead+maxStaleAhead {
		clear(e.ahead) // of objects that the log has replaced
	}
	e.release(ctx, quiet, &p)
	return p
}

// consider decides about an attempt of which this node knows nothing yet.
func (e *Executor) consider(ctx context.Context, quiet, watch *fsm.View, s *fsm.Shard, p *passResult) {
	ref := s.Ref()
	run := quiet.Run(s.RunID)
	switch {
	case run == nil:
		return // impossible: it is kept for as long as it is active
	case e.waits(run, s, p):
		return
	case quiet.Spec(run) == nil:
		return // impossible: as above
	case s.Current.Incarnation < e.cfg.Incarnation && !e.cfg.Lease.CaughtUp(quiet.Index()):
		p.leaseless = true // a log that is being replayed shows what was, not what is
	case s.State == fsm.ShardRunning:
		e.tell(ref, ended, fsm.Report{AttemptRef: ref, Kind: fsm.ReportKilled, EndedAt: p.now, Error: "its process is gone from its node"})
	case e.beforeBoot(run, s):
		e.tell(ref, ended, fsm.Report{AttemptRef: ref, Kind: fsm.ReportKilled, EndedAt: p.now, Error: "its machine was restarted; it may have started before"})
	case s.State == fsm.ShardRetracting, s.Current.Incarnation < e.cfg.Incarnation, e.cfg.Lease.Dropped():
		e.decline(ctx, ref, fsm.ReportNever, p)
	case s.Current.Incarnation > e.cfg.Incarnation:
		return // armed for a life of this agent that has not begun: impossible here
	case !run.Opened:
		e.considerGate(ctx, quiet, watch, run, s, p)
	case !e.conditionMet(quiet, run):
		// It was opened on what its first node knew. That node may have been lost
		// with the end of an earlier run, which is then run again (rule 20).
		watchCondition(watch, run)
	default:
		e.tryStart(ctx, quiet, run, s, p)
	}
}

// bootDoubt is how far the instant of this machine's start may be off.
const bootDoubt = fsm.Duration(time.Second)

// beforeBoot says whether an attempt could have started before this machine did.
// Start records survive the death of processes, not that of the machine: without
// one, such an attempt may have started all the same.
func (e *Executor) beforeBoot(run *fsm.Run, s *fsm.Shard) bool {
	if s.Current.Incarnation >= e.cfg.Incarnation {
		return false
	}
	boot := e.cfg.Clock.Now() - fsm.Time(e.cfg.Clock.Mono()) // mono counts from the start of the machine
	due := max(s.Current.ArmedAt, s.NotBefore)
	if !run.Opened {
		due = max(due, run.NotBefore)
	}
	return s.Current.ArmedAt < boot && due < boot.Add(bootDoubt)
}

// considerGate judges the shard that decides whether its run happens (rule 8).
func (e *Executor) considerGate(ctx context.Context, quiet, watch *fsm.View, run *fsm.Run, s *fsm.Shard, p *passResult) {
	switch {
	case run.StartDeadline != 0 && e.cfg.Clock.Latest() > run.StartDeadline && !s.Maybe:
		e.decline(ctx, s.Ref(), fsm.ReportMissed, p)
	case e.conditionMet(quiet, run):
		e.tryStart(ctx, quiet, run, s, p)
	case run.Overlap == fsm.OverlapForbid && !s.Maybe:
		e.decline(ctx, s.Ref(), fsm.ReportSkipped, p)
	default:
		watchCondition(watch, run)
		if run.StartDeadline != 0 && !s.Maybe {
			p.at(run.StartDeadline + 1)
		}
	}
}

// watchCondition has the next pass come when one of the runs ends.
func watchCondition(watch *fsm.View, run *fsm.Run) {
	for _, id := range run.Condition {
		watch.Run(id)
	}
}

// conditionMet says whether every run that this one must not overlap with has
// ended, as far as this node can know (rule 23). Not knowing counts as running.
func (e *Executor) conditionMet(v *fsm.View, run *fsm.Run) bool {
	for _, id := range run.Condition {
		other := v.Run(id)
		if other == nil || other.State.Ended() {
			continue
		}
		if !e.endedHere(v, other) {
			return false
		}
	}
	return true
}

// endedHere: the run is one shard, its attempt is this node's, and it ended in
// a way after which no other can follow. One that failed may be tried again
// elsewhere, so it does not count.
func (e *Executor) endedHere(v *fsm.View, run *fsm.Run) bool {
	if run.TasksTotal != 1 {
		return false
	}
	s := v.Shard(run.ID, run.Gate, 0)
	if s == nil || s.Count > 1 || !s.State.Held() || s.Current.Node != e.cfg.NodeID {
		return false
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	l := e.locals[s.Ref()]
	if l == nil || l.report == nil {
		return false
	}
	switch l.report.Kind {
	case fsm.ReportSkipped, fsm.ReportMissed:
		return true
	case fsm.ReportEnded:
		return l.report.Outcome == fsm.AttemptSucceeded
	}
	return false
}

// tryStart starts an attempt if the lease and this node's room allow it.
func (e *Executor) tryStart(ctx context.Context, v *fsm.View, run *fsm.Run, s *fsm.Shard, p *passResult) {
	bounded := run.StartDeadline != 0 && !run.Opened && !s.Maybe
	if bounded {
		p.at(run.StartDeadline + 1)
	}
	base, end, ok := e.cfg.Lease.Check(e.cfg.Clock.Mono(), v.Index())
	if !ok {
		p.leaseless = true
		if e.cfg.Lease.Behind(e.cfg.Clock.Mono(), v.Index()) {
			p.at(e.cfg.Clock.Now().Add(fsm.Duration(floorPoll)))
		}
		return
	}
	e.mu.Lock()
	room := e.busy+s.Weight <= e.cfg.Capacity || e.busy == 0
	e.mu.Unlock()
	if !room {
		return // an end wakes the next pass
	}
	expiry := end
	if bounded {
		mono := e.cfg.Clock.Mono() // first: what comes between can only shorten it
		left := run.StartDeadline.Sub(e.cfg.Clock.Latest())
		expiry = min(expiry, mono+int64(left)+1)
	}
	e.start(ctx, v, run, s, base, expiry)
}

// decline decides not to start an attempt, and has the process half keep that
// before the leader hears of it.
func (e *Executor) decline(ctx context.Context, ref fsm.AttemptRef, kind fsm.ReportKind, p *passResult) {
	err := e.cfg.Processes.Decline(ctx, ref.String(), []byte(kind))
	if errors.Is(err, proc.ErrRepeated) { // it knows better what became of it
		err = e.adopt(ctx)
		if err == nil {
			return
		}
	}
	if err != nil {
		if ctx.Err() == nil {
			e.cfg.Logger.Error("cannot record a decision; trying again", "attempt", ref, "decision", kind, "error", err)
			p.at(e.cfg.Clock.Now().Add(fsm.Duration(time.Second)))
		}
		return
	}
	e.tell(ref, declined, fsm.Report{AttemptRef: ref, Kind: kind})
}

// tell notes what the leader must hear of an attempt.
func (e *Executor) tell(ref fsm.AttemptRef, state localState, r fsm.Report) {
	e.mu.Lock()
	if old := e.locals[ref]; old != nil && (old.state == starting || old.state == live) {
		e.busy -= old.weight
	}
	e.locals[ref] = &local{state: state, report: &r}
	e.mu.Unlock()
	poke(e.send)
}

// follow keeps a known attempt in step with the log.
func (e *Executor) follow(ctx context.Context, s *fsm.Shard, l *local, p *passResult) {
	e.mu.Lock()
	kill, reason := false, ""
	if l.state == live && !l.killed {
		kill, reason = toKill(s, l)
	}
	l.killed = l.killed || kill
	if l.state == live && l.weight == 0 { // adopted: it takes room here as well
		l.weight = s.Weight
		e.busy += s.Weight
	}
	if l.state == live && s.State == fsm.ShardRunning {
		l.report = nil // the log shows it
	}
	e.mu.Unlock()
	if kill {
		e.kill(ctx, s.Ref(), reason, p)
	}
}

// reasonDrained is why an attempt is ended whose node is to be empty.
const reasonDrained = "drained"

// toKill says whether the log wants an attempt ended, and why. A call of the http
// driver is not cut off for a drain: it may have had its effect, and is over soon.
func toKill(s *fsm.Shard, l *local) (kill bool, reason string) {
	switch {
	case s.Why == fsm.WhyCancel:
		return true, proc.ReasonCancelled
	case s.State == fsm.ShardRunning && s.Why == fsm.WhyDrain && l.cancel == nil:
		return true, reasonDrained
	}
	return false, ""
}

func (e *Executor) kill(ctx context.Context, ref fsm.AttemptRef, reason string, p *passResult) {
	e.mu.Lock()
	if l := e.locals[ref]; l != nil && l.cancel != nil {
		l.cancel()
		e.mu.Unlock()
		return
	}
	e.mu.Unlock()
	err := e.cfg.Processes.Kill(ctx, ref.String(), reason)
	if err == nil || ctx.Err() != nil {
		return
	}
	e.cfg.Logger.Error("cannot kill an attempt; trying again", "attempt", ref, "reason", reason, "error", err)
	p.at(e.cfg.Clock.Now().Add(fsm.Duration(time.Second)))
	e.mu.Lock()
	if l := e.locals[ref]; l != nil {
		l.killed = false // the next pass tries again
	}
	e.mu.Unlock()
}

// release deals with attempts that the log no longer binds to this node: what
// has ended is forgotten, what lives is killed (rule 28). A store that is still
// catching up has not seen its own attempts yet.
func (e *Executor) release(ctx context.Context, v *fsm.View, p *passResult) {
	if !e.cfg.Lease.CaughtUp(v.Index()) {
		return
	}
	var forget []string
	var kill []fsm.AttemptRef
	e.mu.Lock()
	for ref, l := range e.locals {
		if l.heldIn == e.passes || e.holds(v, ref) { // one that is ahead or new was not looked at
			continue
		}
		switch l.state {
		case ended, declined:
			forget = append(forget, ref.String())
			delete(e.locals, ref)
		case live:
			if !l.killed {
				l.killed = true
				kill = append(kill, ref)
			}
		}
	}
	e.mu.Unlock()
	for _, ref := range kill {
		e.kill(ctx, ref, proc.ReasonLost, p)
	}
	if len(forget) > 0 {
		if err := e.cfg.Processes.Forget(ctx, forget...); err != nil && ctx.Err() == nil {
			e.cfg.Logger.Warn("cannot forget ended attempts", "attempts", len(forget), "error", err)
		}
	}
}

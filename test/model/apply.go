package model

// Entry is something that the log learns about one attempt.
type Entry uint8

// Entries: what nodes report, and what the leader decides.
const (
	noEntry Entry = iota
	reportStarted
	reportEnded
	reportKilled // on its node, which made sure that it runs no more
	reportNever
	reportSkipped
	reportMissed
	reportCancelled
	leaderMoves // it surely never started there
	leaderLoses // it may have, and surely runs no more
	leaderSkips
	leaderMisses
)

var entryNames = []string{
	"nothing", "started", "ended", "killed", "never", "skipped", "missed", "cancelled", "move", "lose", "skip", "miss",
}

func (e Entry) String() string { return entryNames[e] }

// commit appends an entry; one that changes nothing takes no index.
func (m *Model) commit(s *State, e Entry, shard int, attempt uint8) {
	if m.apply(&s.Log, e, shard, attempt) {
		s.Head++
	}
}

// apply changes the log by an entry about an attempt, and says whether it did.
func (m *Model) apply(l *Log, e Entry, shard int, attempt uint8) bool {
	v := &l.Shards[shard]
	atRest := v.State != armed && v.State != retracting
	if v.Attempt != attempt || (atRest && v.State != running) {
		return false
	}
	switch e {
	case reportStarted:
		if atRest {
			return false
		}
		m.markStarted(l, shard)
	case reportEnded:
		m.markStarted(l, shard)
		m.finish(l, shard, succeeded)
	case reportCancelled:
		m.markStarted(l, shard)
		m.finish(l, shard, cancelled)
	case reportKilled, leaderLoses:
		m.lose(l, shard)
	case reportNever, leaderMoves:
		if atRest {
			return false
		}
		m.release(l, shard)
	case reportSkipped, leaderSkips:
		return !atRest && m.drop(l, shard, skippedOverlap)
	case reportMissed, leaderMisses:
		return !atRest && m.drop(l, shard, skippedMissed)
	}
	return true
}

// markStarted notes that the attempt runs. Who had asked it back is too late.
func (m *Model) markStarted(l *Log, shard int) {
	v := &l.Shards[shard]
	if v.State == retracting {
		m.tooLateForManual(l, shard)
	}
	first := v.Known == 0
	v.State, v.Known, v.Maybe, v.Why = running, 1, 1, whyNone
	if v.Cancelling == 1 || l.Shards[runOf(shard)].Cancelling == 1 {
		v.Why = whyCancel
	}
	if first && shard == 0 && m.Second == SecondRoot && v.Cancelling == 0 && m.on(GateFirst) {
		l.Shards[second].State = pending
	}
}

// finish ends a shard.
func (m *Model) finish(l *Log, shard int, state ShardState) {
	v := &l.Shards[shard]
	v.State = state
	v.unbind()
	if shard == 0 && state == succeeded && m.Second == SecondDependent && v.Cancelling == 0 && m.on(GateFirst) {
		l.Shards[second].State = pending
	}
}

// unbind takes the attempt from its node.
func (v *Shard) unbind() { v.Node, v.Life, v.Why, v.ArmedAt = 0, 0, whyNone, 0 }

// again makes a shard pending for its next attempt.
func (v *Shard) again() {
	v.State = pending
	v.Attempt++
	v.unbind()
}

// maxAttempts ends a shard that has lost its process this often.
const maxAttempts = 3

// lose handles an attempt that ran or may have, and runs no more: the shard is
// tried again unless its run is to end, or was never known to begin and is not
// wanted any longer.
func (m *Model) lose(l *Log, shard int) {
	v := &l.Shards[shard]
	v.Maybe = 1
	unwanted := v.Why == whyPause || v.Why == whyReplace || v.Why == whyVersion
	if v.State == retracting && v.Why != whyPause {
		m.tooLateForManual(l, shard)
	}
	switch {
	case l.Shards[runOf(shard)].Cancelling == 1 && m.on(CancelFinal):
		m.finish(l, shard, cancelled)
	case v.State == retracting && unwanted:
		m.finish(l, shard, failed)
	default:
		v.again()
		if v.Attempt > maxAttempts || (v.Known == 0 && (l.Paused == 1 || l.Deleting == 1)) {
			v.State = failed
		}
	}
}

// release handles an attempt that never started and never will.
func (m *Model) release(l *Log, shard int) {
	v := &l.Shards[shard]
	why := v.Why
	switch {
	case l.Shards[runOf(shard)].Cancelling == 1:
		m.freeManual(l, shard)
		m.finish(l, shard, cancelled)
	case why == whyPause:
		m.giveUp(l, shard, skippedPaused)
	case why == whyReplace:
		m.giveUp(l, shard, skippedOverlap)
	case why == whyVersion:
		m.withdraw(l, shard)
	default:
		if why == whyManual {
			m.yield(l, shard)
		}
		v.again()
	}
}

// drop ends a run that never started.
func (m *Model) drop(l *Log, run int, state ShardState) bool {
	v := &l.Shards[run]
	if v.Maybe == 1 && m.on(MaybeWaits) {
		return false
	}
	m.freeManual(l, run)
	v.State = state
	v.unbind()
	return true
}

// giveUp ends a run that no node holds: it never was, or, where an attempt may
// have started, it ran and was lost.
func (m *Model) giveUp(l *Log, run int, state ShardState) {
	v := &l.Shards[run]
	if v.Maybe == 1 {
		state = failed
	}
	m.freeManual(l, run)
	v.State = state
	v.unbind()
}

// withdraw takes a fire out of the log, to be decided anew by another version.
func (m *Model) withdraw(l *Log, run int) {
	v := &l.Shards[run]
	m.freeManual(l, run)
	if v.Maybe == 1 {
		m.finish(l, run, failed)
		return
	}
	attempt := v.Attempt + 1 // stands for a run of its own: no report on the old one fits it
	if !m.on(FreshRun) {
		attempt = 0
	}
	*v = Shard{Attempt: attempt}
	for r := range runs {
		l.Shards[r].Condition &^= bit(run)
		l.Shards[r].Ahead &^= bit(run)
	}
}

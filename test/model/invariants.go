package model

// Broken names what an invariant forbids. Empty: nothing is broken.
type Broken string

// What must never be.
const (
	TwoAttempts   Broken = "two live processes of one shard"
	TwoRuns       Broken = "two runs of the job overlap"
	TwoOutcomes   Broken = "the outcome says that it never ran, but it started"
	AfterOutcome  Broken = "a start after the outcome was recorded"
	StillAlive    Broken = "a run that has ended has a live process"
	Early         Broken = "a start before its instant"
	Late          Broken = "a start after its deadline"
	PauseBroken   Broken = "a fire started after the pause was answered"
	ForNothing    Broken = "a run was cancelled for one that is being taken back"
	NeverFinishes Broken = "something never ends although the faults are over"
)

// Check returns the invariant that s breaks, or that the step from p to s does.
func (m *Model) Check(p, s *State) Broken {
	if b := m.checkLive(s); b != "" {
		return b
	}
	for r := range runs {
		never := s.Log.Shards[r].State.neverRan() || s.Log.Shards[r].State == absent || s.Log.Shards[r].State == deleted
		if never && s.Started&bit(r) != 0 {
			return TwoOutcomes
		}
	}
	if m.forNothing(p, s) {
		return ForNothing
	}
	for x := range executors {
		for i := range shards {
			if s.Exec[x].Local[i].State == live && p.Exec[x].Local[i].State != live {
				if b := m.checkStart(p, s, x, i); b != "" {
					return b
				}
			}
		}
	}
	return ""
}

// checkLive judges which processes are alive at once. An idempotent task waives it.
func (m *Model) checkLive(s *State) Broken {
	if m.Idempotent {
		return ""
	}
	var alive [executors]uint8 // sets of shards
	var inRuns uint8           // set of runs
	for x := range executors {
		if !m.counts(s, x) {
			continue
		}
		for i := range shards {
			if s.Exec[x].Local[i].State == live {
				alive[x] |= bit(i)
				inRuns |= bit(runOf(i))
			}
		}
	}
	if alive[nodeA]&alive[nodeB] != 0 {
		return TwoAttempts
	}
	if m.Overlap != Allow && inRuns&(inRuns-1) != 0 {
		return TwoRuns
	}
	for r := range runs {
		if inRuns&bit(r) != 0 && s.Log.ended(r) {
			return StillAlive
		}
	}
	return ""
}

// forNothing says whether the step cancels a run that no run waiting for it wants
// out of the way.
func (m *Model) forNothing(p, s *State) bool {
	if m.Overlap != Replace || s.Log.Deleting == 1 {
		return false
	}
	for r := range runs {
		if s.Log.Shards[r].Cancelling == 0 || p.Log.Shards[r].Cancelling == 1 {
			continue
		}
		wanted := false
		for by := range runs {
			v := &p.Log.Shards[by]
			wanted = wanted || (v.Condition&bit(r) != 0 && (v.State == armed || v.State == pending))
		}
		if !wanted {
			return true
		}
	}
	return false
}

// counts says whether a host's processes run. A frozen host's do not, and one that
// has just thawed has a grace to notice.
func (m *Model) counts(s *State, x int) bool {
	e := &s.Exec[x]
	return e.Frozen == 0 && (e.ThawedAt == 0 || s.Now > e.ThawedAt+m.Grace)
}

// checkStart judges a start on node x.
func (m *Model) checkStart(p, s *State, x, i int) Broken {
	r := runOf(i)
	clock := s.Now + m.Offset[x]
	first := p.Started&bit(r) == 0
	fire := i < m.Fires
	switch {
	case fire && clock < m.Due[i]:
		return Early
	case fire && first && p.Log.Shards[i].Maybe == 0 && clock > m.Due[i]+m.Deadline:
		return Late
	case s.PauseAnswered == 1 && first && !(m.ManualWhilePaused && m.isManual(r)):
		return PauseBroken
	case s.Log.ended(r) && !m.Idempotent:
		return AfterOutcome
	}
	return ""
}

// final says whether all has come to its end: every fire has its outcome, and
// nothing lives.
func (m *Model) final(s *State) bool {
	for i := range shards {
		v := s.Log.Shards[i].State
		if v.active() || (i < m.Fires && !v.ended()) {
			return false
		}
		for x := range executors {
			l := s.Exec[x].Local[i].State
			if l == live || l == sent || l == checked {
				return false
			}
		}
	}
	return s.Log.Paused == s.PauseAnswered
}

package proc

import (
	"context"
	"time"
)

// Contact implements Processes.
func (m *Manager) Contact(_ context.Context, base int64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.renewLocked(Mono(), base)
	return nil
}

// renewLocked first condemns what an unnoticed lapse covers, then renews. A
// base that lies ahead of us can only be a mistake and counts as now.
func (m *Manager) renewLocked(now, base int64) {
	m.fenceLocked(now)
	base = min(base, now)
	if base <= m.contact {
		return
	}
	m.contact = base
	m.rearmLocked()
}

// rearmLocked has the watcher look at the next lapse anew.
func (m *Manager) rearmLocked() {
	select {
	case m.rearm <- struct{}{}:
	default: // told already
	}
}

// fenceLocked condemns every fenced attempt whose contact has lapsed, and returns an
// instant before which none does, 0 if there is none to come.
//
// Contact only moves on: nothing lapses before the lapse that was found last, or that
// of an attempt which came since. Until then nobody is looked at, of what may be
// thousands, and each start asks.
func (m *Manager) fenceLocked(now int64) (next int64) {
	if m.contact == 0 || now < m.lapse {
		return m.lapse
	}
	for _, a := range m.attempts {
		if !a.fenced {
			continue
		}
		lapse := m.contact + int64(a.stopAfter)
		switch {
		case now >= lapse:
			a.kill(ReasonFenced)
		case next == 0 || lapse < next:
			next = lapse
		}
	}
	m.lapse = next
	return next
}

// tick watches the contact and collects orphans that died between the ends of
// attempts.
func (m *Manager) tick() {
	defer m.ticker.Done()
	t := time.NewTimer(tickEvery)
	defer t.Stop()
	for {
		select {
		case <-m.quit:
			return
		case <-m.rearm:
		case <-t.C:
			m.orphans.reap()
			m.groups.Retry()
		}
		t.Reset(m.untilLapse())
	}
}

// untilLapse fences if it is time, and returns when to look again.
func (m *Manager) untilLapse() time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := Mono()
	next := m.fenceLocked(now)
	if next == 0 {
		return tickEvery
	}
	return min(tickEvery, time.Duration(next-now))
}

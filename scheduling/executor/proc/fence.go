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
	lapsed := m.fenceLocked(now)
	base = min(base, now)
	if base <= m.contact {
		return
	}
	if m.contact == 0 || lapsed {
		select {
		case m.rearm <- struct{}{}:
		default: // told already
		}
	}
	m.contact = base
}

// fenceLocked condemns every fenced attempt if contact has lapsed.
func (m *Manager) fenceLocked(now int64) (lapsed bool) {
	if m.contact == 0 || now < m.contact+int64(m.stopAfter) {
		return false
	}
	for _, a := range m.attempts {
		if a.fenced {
			a.kill(ReasonFenced)
		}
	}
	return true
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
		}
		t.Reset(m.untilLapse())
	}
}

// untilLapse fences if it is time, and returns when to look again.
func (m *Manager) untilLapse() time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := Mono()
	if m.contact == 0 || m.fenceLocked(now) {
		return tickEvery
	}
	return min(tickEvery, time.Duration(m.contact+int64(m.stopAfter)-now))
}

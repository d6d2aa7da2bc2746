package proc

import (
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// ends waits for the ends of all attempts with one goroutine. What has ended by itself
// and left nothing behind, as most does, is ended there, together with what has ended
// meanwhile: one look at the orphans, one write to the journal. Everything else, and
// what is to be killed, gets a goroutine of its own.
type ends struct {
	m     *Manager
	watch *watch
	// over are the attempts whose main process has ended. Only the watch uses it.
	over []*attempt
}

func newEnds(m *Manager) (e *ends, err error) {
	e = &ends{m: m}
	if e.watch, err = newWatch(e.conclude); err != nil {
		return nil, err
	}
	return e, nil
}

// await sees to the end of an attempt that has just started. What is to be killed
// already, or says itself when it ends, has an owner from the beginning.
func (e *ends) await(a *attempt, timeout time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if timeout > 0 {
		a.timeout = time.AfterFunc(timeout, func() { a.kill(ReasonTimeout) })
	}
	a.own = func() { e.m.end(a, a.supervise()) }
	if a.box == nil && a.reason == "" {
		key, err := e.watch.add(a.pidfd, func() { e.note(a) })
		if err == nil {
			a.unwatch = func() { e.watch.drop(key) }
			return
		}
	}
	a.ownLocked()
}

// note takes an attempt whose main process is over, unless it has an owner.
func (e *ends) note(a *attempt) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.own == nil {
		return
	}
	if !hasExited(a.pidfd) { // over, but a tracer that does not wait keeps it from us
		a.ownLocked()
		return
	}
	a.own, a.exited = nil, true
	e.over = append(e.over, a)
}

// conclude ends what note has taken.
func (e *ends) conclude() {
	if len(e.over) == 0 {
		return
	}
	var done []*attempt
	var results []*Result
	clean := e.m.orphans.none()
	for _, a := range e.over {
		if !clean || !a.leftNothing() {
			go func() { e.m.end(a, a.wrapUp()) }()
			continue
		}
		done, results = append(done, a), append(results, a.collect())
	}
	clear(e.over)
	e.over = e.over[:0]
	e.m.endAll(done, results)
}

// leftNothing says whether an attempt whose main process has ended, while there are no
// orphans, is over with it. No if that cannot be said without waiting for something.
func (a *attempt) leftNothing() bool {
	if !a.limits.None() || slices.ContainsFunc(a.pipes, (*pipe).printed) {
		return false
	}
	return a.group.Remove()
}

// ownLocked gives the attempt a goroutine that sees to its end, unless it has one.
func (a *attempt) ownLocked() {
	if a.own == nil {
		return
	}
	if a.unwatch != nil {
		a.unwatch()
	}
	_ = unix.SetNonblock(a.pidfd, true) // fails never on an open descriptor
	a.poll = os.NewFile(uintptr(a.pidfd), "pidfd")
	go a.own()
	a.own = nil
}

// endAll records and publishes results, in this order: what is told is kept.
func (m *Manager) endAll(of []*attempt, results []*Result) {
	if len(of) == 0 {
		return
	}
	recs := make([]record, len(of))
	for i, a := range of {
		recs[i] = record{Op: opEnd, ID: a.id, Dir: a.dir, Result: results[i]}
	}
	if err := m.journal.append(recs...); err != nil {
		m.log.Error("results are only in memory", "attempt", of[0].id, "attempts", len(of), "error", err)
	}
	for i, a := range of {
		a.end(results[i])
		if m.onEnd != nil {
			m.onEnd(*results[i])
		}
		m.running.Done()
	}
}

func (m *Manager) end(a *attempt, r *Result) { m.endAll([]*attempt{a}, []*Result{r}) }

// endSoon ends an attempt outside of Start, whose caller may hold locks that
// OnEnd wants.
func (m *Manager) endSoon(a *attempt, r *Result) { go m.end(a, r) }

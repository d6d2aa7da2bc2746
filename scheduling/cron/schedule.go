package cron

import (
	"fmt"
	"time"
)

// Schedule is a compiled Spec: an ordered set of instants. It is immutable and
// safe for concurrent use.
type Schedule struct {
	source              source
	jitter              time.Duration
	notBefore, notAfter time.Time // zero: no bound
	blackout            []window
}

// Next returns the earliest instant after another, in UTC. It returns false
// when there is none, and an error wrapping ErrStalled in place of an instant
// that is not after the given one.
func (s *Schedule) Next(after time.Time) (t time.Time, ok bool, err error) {
	after = s.clampAfter(after)
	if !after.Before(time.Unix(endSecond, 0)) {
		return time.Time{}, false, nil
	}
	t, ok = s.source.next(after.Add(-s.jitter))
	if !ok {
		return time.Time{}, false, nil
	}
	t = t.Add(s.jitter)
	if !t.After(after) {
		return time.Time{}, false, fmt.Errorf("%w: %s follows %s", ErrStalled,
			t.Format(time.RFC3339Nano), after.UTC().Format(time.RFC3339Nano))
	}
	if !inRange(t) || s.pastEnd(t) {
		return time.Time{}, false, nil
	}
	return t, true, nil
}

// Between returns the instants in (after, until], oldest first: the first
// limit of them, and how many more there are. Its time grows with limit only;
// the rest is counted by arithmetic, and exactly.
func (s *Schedule) Between(after, until time.Time, limit int) (instants []time.Time, more int, err error) {
	for len(instants) < limit {
		t, ok, err := s.Next(after)
		if err != nil {
			return nil, 0, err
		}
		if !ok || t.After(until) {
			return instants, 0, nil
		}
		instants = append(instants, t)
		after = t
	}
	return instants, s.count(after, until), nil
}

// Latest returns the last instant in (after, until], or false. It bisects, so
// its time does not depend on how many instants there are.
func (s *Schedule) Latest(after, until time.Time) (last time.Time, ok bool, err error) {
	last, ok, err = s.Next(after)
	if err != nil || !ok || last.After(until) {
		return time.Time{}, false, err
	}
	// last is an instant; none lies in (bound, until].
	for bound := s.clampUntil(until); last.Before(bound); {
		middle := last.Add(bound.Sub(last) / 2)
		t, ok, err := s.Next(middle)
		if err != nil {
			return time.Time{}, false, err
		}
		if ok && !t.After(until) {
			last = t
		} else {
			bound = middle
		}
	}
	return last, true, nil
}

// Blackout returns the first window, in the order of the Spec, that holds t.
func (s *Schedule) Blackout(t time.Time) (Window, bool) {
	if !inRange(t) {
		return Window{}, false
	}
	for _, w := range s.blackout {
		if w.holds(t) {
			return w.Window, true
		}
	}
	return Window{}, false
}

// count returns how many instants lie in (after, until].
func (s *Schedule) count(after, until time.Time) int {
	after, until = s.clampAfter(after), s.clampUntil(until)
	if !after.Before(until) {
		return 0
	}
	return s.source.count(after.Add(-s.jitter), until.Add(-s.jitter))
}

// clampAfter moves a reference up to just before the first instant that may be.
func (s *Schedule) clampAfter(after time.Time) time.Time {
	first := time.Unix(startSecond, 0)
	if s.notBefore.After(first) {
		first = s.notBefore
	}
	if after.Before(first) {
		return first.Add(-1)
	}
	return after
}

// clampUntil moves a limit down to the last instant that may be.
func (s *Schedule) clampUntil(until time.Time) time.Time {
	last := time.Unix(endSecond, 0).Add(-1)
	if s.pastEnd(last) {
		last = s.notAfter
	}
	if until.After(last) {
		return last
	}
	return until
}

func (s *Schedule) pastEnd(t time.Time) bool {
	return !s.notAfter.IsZero() && t.After(s.notAfter)
}

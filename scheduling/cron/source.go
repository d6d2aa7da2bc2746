package cron

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"slices"
	"time"
)

// source is a schedule before jitter and bounds. Both methods look at instants
// in (after, …]; callers keep after and until within the bounds of every
// schedule, give or take the largest jitter.
type source interface {
	// next returns the earliest instant after another, or false.
	next(after time.Time) (time.Time, bool)
	// count returns how many instants lie in (after, until].
	count(after, until time.Time) int
}

// periodic is due at whole multiples of a period since the Unix epoch.
type periodic struct{ period time.Duration }

func compileEvery(period time.Duration) (source, error) {
	switch {
	case period < MinEvery:
		return nil, attributeErrorf("every", "%v is too short: use at least %v", period, MinEvery)
	case period > MaxEvery:
		return nil, attributeErrorf("every", "%v is too long: use at most %v, or cron", period, MaxEvery)
	}
	return &periodic{period}, nil
}

// index returns how many periods have passed at t.
func (p *periodic) index(t time.Time) int64 {
	return floorDiv(t.UnixNano(), int64(p.period))
}

func (p *periodic) next(after time.Time) (time.Time, bool) {
	return time.Unix(0, (p.index(after)+1)*int64(p.period)).UTC(), true
}

func (p *periodic) count(after, until time.Time) int {
	return int(max(0, p.index(until)-p.index(after)))
}

// listed is due at given instants, which are in order and differ.
type listed struct{ instants []time.Time }

func compileAt(instants []time.Time) (source, error) {
	if len(instants) > MaxAt {
		return nil, attributeErrorf("at", "%d instants are too many: use at most %d", len(instants), MaxAt)
	}
	sorted := make([]time.Time, len(instants))
	for i, t := range instants {
		if !inRange(t) {
			return nil, attributeErrorf("at", "%s is out of range: use the years 1970 to 2199", t.Format(time.RFC3339Nano))
		}
		sorted[i] = t.Round(0).UTC() // without the monotonic clock
	}
	slices.SortFunc(sorted, time.Time.Compare)
	return &listed{slices.CompactFunc(sorted, time.Time.Equal)}, nil
}

// passed returns how many instants are not after t.
func (l *listed) passed(t time.Time) int {
	i, found := slices.BinarySearchFunc(l.instants, t, time.Time.Compare)
	if found {
		i++
	}
	return i
}

func (l *listed) next(after time.Time) (time.Time, bool) {
	i := l.passed(after)
	if i == len(l.instants) {
		return time.Time{}, false
	}
	return l.instants[i], true
}

func (l *listed) count(after, until time.Time) int {
	return max(0, l.passed(until)-l.passed(after))
}

// inRange reports whether t lies where schedules may.
func inRange(t time.Time) bool {
	return t.Unix() >= startSecond && t.Unix() < endSecond
}

// fineJitter is the widest jitter that is dealt out in milliseconds. Wider ones
// are in whole seconds: enough places for many jobs, and instants that are easy to
// read.
const fineJitter = time.Minute

// compileJitter returns the amount by which the schedule moves.
func compileJitter(spec Spec) (time.Duration, error) {
	switch {
	case spec.Jitter == 0:
		return 0, nil
	case spec.Jitter < MinJitter || spec.Jitter > MaxJitter:
		return 0, attributeErrorf("jitter", "%v is out of range: use %v to %v", spec.Jitter, MinJitter, MaxJitter)
	case spec.JitterSeed == "":
		return 0, attributeError("jitter", errors.New("jitter needs a seed, such as the job's name"))
	}
	unit := time.Second
	if spec.Jitter <= fineJitter {
		unit = time.Millisecond
	}
	steps := uint64((spec.Jitter + unit - 1) / unit)
	// The hash is part of what a schedule means: another one would move every
	// job with jitter at the next release.
	sum := sha256.Sum256([]byte(spec.JitterSeed))
	return time.Duration(binary.BigEndian.Uint64(sum[:])%steps) * unit, nil
}

package netswitch

import (
	"math/rand/v2"
	"time"
)

// maxQueued bounds the packets that are under way on a link.
const maxQueued = 4096

// Link is one direction between two addresses. The zero Link passes everything
// on at once.
type Link struct {
	// Delay is how long a packet is under way; Jitter is by how much more or less.
	Delay, Jitter time.Duration
	// Loss and Reorder are shares from 0 to 1: of packets that are dropped, and
	// of packets that are not delayed and so overtake the others.
	Loss, Reorder float64
	// Rate is in bytes a second; 0 means that there is no limit.
	Rate int
}

// Counters say what became of the packets of a link.
type Counters struct {
	// Delivered were handed to the device of the destination.
	Delivered uint64
	// Cut were dropped because of a cut, Lost by chance, and Overflow because
	// too many were under way.
	Cut, Lost, Overflow uint64
}

// link is the state of a Link. The switch's lock guards it.
type link struct {
	Link
	Counters
	cut    bool
	queued int
	free   time.Time // when the packet before has left, for the rate
	last   time.Time // when the packet before arrives, for the order
}

// admit decides whether a packet goes on, and when it arrives.
func (l *link) admit(now time.Time, size int, r *rand.Rand) (at time.Time, ok bool) {
	switch {
	case l.cut:
		l.Cut++
		return at, false
	case l.Loss > 0 && r.Float64() < l.Loss:
		l.Lost++
		return at, false
	case l.queued >= maxQueued:
		l.Overflow++
		return at, false
	}
	left := now
	if l.Rate > 0 {
		if l.free.After(left) {
			left = l.free
		}
		left = left.Add(time.Duration(float64(size) / float64(l.Rate) * float64(time.Second)))
		l.free = left
	}
	if l.Reorder > 0 && r.Float64() < l.Reorder {
		return left, true
	}
	at = left.Add(l.Delay)
	if l.Jitter > 0 {
		at = at.Add(time.Duration((2*r.Float64() - 1) * float64(l.Jitter)))
	}
	if at.Before(l.last) {
		at = l.last
	}
	l.last = at
	return at, true
}

package executor

import (
	"sync"
	"time"
)

// Grant is a leader's answer to a heartbeat; see rules 2 and 4.
type Grant struct {
	OK    bool
	Age   time.Duration
	Floor uint64
}

// Lease is this agent's right to start work. All methods may be called
// concurrently.
type Lease struct {
	length time.Duration

	mu      sync.Mutex
	base    int64 // mono; 0: never granted
	floor   uint64
	dropped bool
	renewed chan struct{}
}

// NewLease returns a lease that was never granted. length is how long each grant
// lasts from its base.
func NewLease(length time.Duration) *Lease {
	return &Lease{length: length, renewed: make(chan struct{})}
}

// Renew takes the answer to a heartbeat that was sent at the given mono instant
// (rule 3), and returns the base, or 0 if nothing was granted. The age of the
// leader's proof counts from the sending: an answer that was long on its way
// proves nothing about the time that it took.
func (l *Lease) Renew(sent int64, g Grant) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !g.OK || l.dropped {
		return 0
	}
	base := sent - int64(g.Age)
	l.floor = max(l.floor, g.Floor)
	if base <= l.base {
		return l.base
	}
	l.base = base
	close(l.renewed)
	l.renewed = make(chan struct{})
	return base
}

// Renewed returns a channel that closes with the next renewal.
func (l *Lease) Renewed() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.renewed
}

// Drop gives the lease up for good (rule 7).
func (l *Lease) Drop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dropped = true
}

// CaughtUp says whether a store that has applied the log up to applied shows what
// this life of the agent holds: it has passed the floor of some grant. That a
// lease has lapsed or was given up does not matter.
func (l *Lease) CaughtUp(applied uint64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.base != 0 && applied >= l.floor
}

// Behind says whether only the floor is missing for work to start at mono now.
func (l *Lease) Behind(now int64, applied uint64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.base != 0 && !l.dropped && now < l.base+int64(l.length) && applied < l.floor
}

// Dropped says whether the lease was given up.
func (l *Lease) Dropped() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.dropped
}

// Check says whether work may start at mono now by a node that has applied the
// log up to applied. base and end are mono instants.
func (l *Lease) Check(now int64, applied uint64) (base, end int64, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	end = l.base + int64(l.length)
	return l.base, end, l.base != 0 && !l.dropped && now < end && applied >= l.floor
}

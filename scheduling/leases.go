package scheduling

import (
	"sync"
	"time"
)

// Leases is the leader's table of what it has granted. Its one lock also orders
// decisions to take work from a node against answers to that node's heartbeats
// (rule 5). All methods may be called concurrently.
type Leases struct {
	mono   func() int64
	timing Timing

	mu       sync.Mutex
	open     bool
	barrier  uint64
	verified int64 // mono noted before the last successful quorum check; 0: none yet
	nodes    map[string]*lease
	changed  chan struct{}
}

type lease struct {
	// incarnation that this leader has answered itself; 0: none yet.
	incarnation uint64
	// answered is the mono instant of the last answer, or of the election.
	answered int64
	floor    uint64
	holds    int
	// retired is the newest incarnation that gave its right to start work up.
	retired uint64
	// barred: the fate of a decision about the node is unknown. It gets no
	// lease in this term.
	barred bool
	// offset of its wall clock from cluster time, once observed.
	offset   time.Duration
	observed bool
}

// NewLeases returns a closed table. mono is the monotonic clock in nanoseconds.
func NewLeases(mono func() int64, timing Timing) *Leases {
	return &Leases{mono: mono, timing: timing, nodes: map[string]*lease{}, changed: make(chan struct{})}
}

// Open begins a term: every node counts as granted at this moment (rule 6).
func (l *Leases) Open(barrier uint64, nodes []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open, l.barrier, l.verified = true, barrier, 0
	l.nodes = make(map[string]*lease, len(nodes))
	for _, id := range nodes {
		l.nodes[id] = &lease{answered: l.mono(), floor: barrier}
	}
	l.notify()
}

// Close ends the term: no answer grants anything any more.
func (l *Leases) Close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open = false
}

// notify wakes who waits for a change. The caller holds the lock.
func (l *Leases) notify() {
	close(l.changed)
	l.changed = make(chan struct{})
}

// Changed returns a channel that closes when a node becomes ready for work.
func (l *Leases) Changed() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.changed
}

// Verified records a quorum check that succeeded, begun at mono (rule 2).
func (l *Leases) Verified(mono int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.verified = max(l.verified, mono)
}

// Grant is the answer to a heartbeat.
type Grant struct {
	// OK: the answer renews the lease.
	OK bool
	// Age is how old the leader's last proof of a quorum is.
	Age time.Duration
	// Floor is the log index that the node must have applied before the lease
	// counts (rule 4).
	Floor uint64
}

// Heartbeat answers a node. registered is the index at which the log took note
// of this incarnation of it, or 0 if it has not yet: then nothing is granted.
// That entry was written after the incarnation was heard of, so a node that has
// applied it knows everything that was decided about its earlier lives (rule 4).
func (l *Leases) Heartbeat(node string, incarnation, registered uint64) Grant {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.open || l.verified == 0 {
		return Grant{}
	}
	now := l.mono()
	n := l.nodes[node]
	if n == nil {
		n = &lease{answered: now, floor: l.barrier}
		l.nodes[node] = n
	}
	if incarnation < n.incarnation || registered == 0 {
		return Grant{}
	}
	fresh := incarnation > n.incarnation || l.lapsed(n, now)
	if incarnation > n.incarnation {
		n.incarnation = incarnation
		n.floor = max(n.floor, registered)
	}
	if n.holds > 0 || n.barred {
		return Grant{}
	}
	n.answered = now
	if fresh {
		l.notify()
	}
	return Grant{OK: true, Age: time.Duration(now - l.verified), Floor: n.floor}
}

func (l *Leases) lapsed(n *lease, now int64) bool { return now >= n.answered+int64(l.timing.Lease) }

// Ready returns the incarnation to arm work for, or false while this leader has
// not answered the node lately.
func (l *Leases) Ready(node string) (incarnation uint64, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := l.nodes[node]
	if !l.open || n == nil || n.incarnation <= n.retired || n.holds > 0 || n.barred || l.lapsed(n, l.mono()) || l.clockIsOff(n) {
		return 0, false
	}
	return n.incarnation, true
}

// Retire notes that an incarnation has given up its right to start work for good:
// it is stopping, and nothing more is armed for it.
func (l *Leases) Retire(node string, incarnation uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n := l.nodes[node]; n != nil {
		n.retired = max(n.retired, incarnation)
	}
}

// Saw notes that a report of a newer incarnation came in before its heartbeat:
// nothing more is armed there until the heartbeat (rule 14).
func (l *Leases) Saw(node string, incarnation uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n := l.nodes[node]; n != nil && n.incarnation != 0 && incarnation > n.incarnation {
		n.incarnation = 0
	}
}

// Contact returns the mono instant of the leader's last answer to a node, from
// which every wait about it counts, or false outside a term. A node that was
// never heard of counts from now on.
func (l *Leases) Contact(node string) (answered int64, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.open {
		return 0, false
	}
	n := l.nodes[node]
	if n == nil {
		n = &lease{answered: l.mono(), floor: l.barrier}
		l.nodes[node] = n
	}
	return n.answered, true
}

// Hold keeps a node without a lease while a decision about it is in flight.
func (l *Leases) Hold(node string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := l.nodes[node]
	if n == nil {
		n = &lease{answered: l.mono(), floor: l.barrier}
		l.nodes[node] = n
	}
	n.holds++
}

// Settle ends a Hold. If the decision is in the log at index, the node must have
// applied it before its next lease counts; if its fate is unknown, it gets none.
func (l *Leases) Settle(node string, index uint64, known bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := l.nodes[node]
	if n == nil || n.holds == 0 {
		return // the table was opened anew for another term
	}
	n.holds--
	n.floor = max(n.floor, index)
	n.barred = n.barred || !known
}

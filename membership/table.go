package membership

import (
	"net"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"
)

// maxGoneMembers bounds how many members that are not alive are remembered.
const maxGoneMembers = 1024

// table is this node's own copy of the member list. memberlist hands out
// pointers into its live state, which only its callbacks may read safely, and
// it forgets the dead after half a minute; so the callbacks copy into here.
//
// Every method may be called concurrently. None blocks or calls out, since
// memberlist calls them under its own lock.
type table struct {
	mu          sync.Mutex
	members     map[string]Member
	leaving     map[string]bool // announced a leave
	changed     chan struct{}   // closed and replaced at every change
	forgetAfter time.Duration
}

func newTable(forgetAfter time.Duration) *table {
	return &table{
		members:     make(map[string]Member),
		leaving:     make(map[string]bool),
		changed:     make(chan struct{}),
		forgetAfter: forgetAfter,
	}
}

// snapshot returns the members, sorted, and the channel of the next change.
func (t *table) snapshot() ([]Member, <-chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	members := make([]Member, 0, len(t.members))
	for _, m := range t.members {
		members = append(members, m.clone())
	}
	sortMembers(members)
	markReplaced(members)
	return members, t.changed
}

func (t *table) get(id string) (Member, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	m, ok := t.members[id]
	return m.clone(), ok
}

// alive records a node that joined or announced something new.
func (t *table) alive(n *memberlist.Node, said meta, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	since := now
	if old, ok := t.members[n.Name]; ok && old.Status == StatusAlive {
		since = old.Since
	}
	t.members[n.Name] = Member{
		ID:          n.Name,
		Name:        said.Name,
		Incarnation: said.Incarnation,
		Addr:        net.JoinHostPort(n.Addr.String(), strconv.Itoa(int(n.Port))),
		Attributes:  said.Attributes,
		Status:      StatusAlive,
		Since:       since,
	}
	if said.Leaving {
		t.leaving[n.Name] = true
	} else {
		delete(t.leaving, n.Name)
	}
	t.notify()
}

// gone records a node that memberlist counts as dead or left.
func (t *table) gone(id string, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	m, ok := t.members[id]
	if !ok {
		return
	}
	m.Status, m.Since = StatusFailed, now
	if t.leaving[id] {
		m.Status = StatusLeft
	}
	t.members[id] = m
	t.forget(now)
	t.notify()
}

// forget drops the members that have been gone for long, and the longest gone
// beyond the bound.
func (t *table) forget(now time.Time) {
	var gone []Member
	for _, m := range t.members {
		if m.Status != StatusAlive {
			gone = append(gone, m)
		}
	}
	slices.SortFunc(gone, func(a, b Member) int { return b.Since.Compare(a.Since) })
	for i, m := range gone {
		if i >= maxGoneMembers || now.Sub(m.Since) > t.forgetAfter {
			delete(t.members, m.ID)
			delete(t.leaving, m.ID)
		}
	}
}

func (t *table) notify() {
	close(t.changed)
	t.changed = make(chan struct{})
}

package membership

import (
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"
)

const (
	// clashLogInterval and maxClashes keep a copied data directory from
	// flooding the log: each of its announcements is a clash.
	clashLogInterval = time.Minute
	maxClashes       = 128
)

// delegate is what memberlist calls. memberlist holds its own lock meanwhile,
// so nothing here blocks or calls back into it.
type delegate struct {
	table *table
	log   *slog.Logger
	id    string
	// joined and gone hear, if they are set, of every node that comes or goes.
	joined, gone func(id string)

	mu      sync.Mutex
	said    meta   // what this node announces
	encoded []byte // said, as memberlist sends it
	clashes map[string]time.Time
}

func newDelegate(t *table, logger *slog.Logger, id string, said meta) (*delegate, error) {
	encoded, err := said.encode()
	if err != nil {
		return nil, err
	}
	return &delegate{
		table: t, log: logger, id: id,
		said: said, encoded: encoded,
		clashes: make(map[string]time.Time),
	}, nil
}

// update changes what the node announces, or nothing if that cannot be encoded.
func (d *delegate) update(change func(*meta)) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	next := d.said
	next.Attributes = next.Attributes.clone()
	change(&next)
	encoded, err := next.encode()
	if err != nil {
		return err
	}
	d.said, d.encoded = next, encoded
	return nil
}

// NodeMeta is part of memberlist.Delegate. encode has checked the limit.
func (d *delegate) NodeMeta(int) []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.encoded
}

// NotifyAlive is part of memberlist.AliveDelegate: an error keeps the node out.
func (d *delegate) NotifyAlive(n *memberlist.Node) error {
	if !validID(n.Name) {
		return fmt.Errorf("%w: node name %.64q is not a UUID", ErrMetaInvalid, n.Name)
	}
	_, err := decodeMeta(n.Meta)
	return err
}

// NotifyJoin is part of memberlist.EventDelegate.
func (d *delegate) NotifyJoin(n *memberlist.Node) {
	d.record(n)
	if d.joined != nil {
		d.joined(n.Name)
	}
}

// NotifyUpdate is part of memberlist.EventDelegate.
func (d *delegate) NotifyUpdate(n *memberlist.Node) { d.record(n) }

func (d *delegate) record(n *memberlist.Node) {
	said, err := decodeMeta(n.Meta)
	if err != nil { // NotifyAlive has refused it before
		d.log.Warn("ignoring a node with unreadable metadata", "node", n.Name, "error", err)
		return
	}
	d.table.alive(n, said, time.Now())
}

// NotifyLeave is part of memberlist.EventDelegate; it means failed or left.
func (d *delegate) NotifyLeave(n *memberlist.Node) {
	d.table.gone(n.Name, time.Now())
	if d.gone != nil {
		d.gone(n.Name)
	}
}

// NotifyConflict is part of memberlist.ConflictDelegate: one ID at two
// addresses. A machine that changes its address goes through it for a moment; a
// copied data directory stays.
func (d *delegate) NotifyConflict(existing, other *memberlist.Node) {
	if !d.shouldLogClash(existing.Name, time.Now()) {
		return
	}
	d.log.Error("one node id at two addresses: either the node has just moved, or a data directory was copied; a copy must be emptied before it starts",
		"id", existing.Name, "known", existing.Address(), "other", other.Address())
}

func (d *delegate) shouldLogClash(id string, now time.Time) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if last, ok := d.clashes[id]; ok && now.Sub(last) < clashLogInterval {
		return false
	}
	if len(d.clashes) >= maxClashes {
		clear(d.clashes)
	}
	d.clashes[id] = now
	return true
}

// The rest of memberlist.Delegate: no messages of our own travel by gossip.

// NotifyMsg is part of memberlist.Delegate.
func (d *delegate) NotifyMsg([]byte) {}

// GetBroadcasts is part of memberlist.Delegate.
func (d *delegate) GetBroadcasts(int, int) [][]byte { return nil }

// LocalState is part of memberlist.Delegate.
func (d *delegate) LocalState(bool) []byte { return nil }

// MergeRemoteState is part of memberlist.Delegate.
func (d *delegate) MergeRemoteState([]byte, bool) {}

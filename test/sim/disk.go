package sim

import (
	"errors"
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

// errDead: the agent that wrote is dead; nobody reads the error.
var errDead = errors.New("the agent is dead")

// gate holds up who passes while it is shut. All methods may be called
// concurrently.
type gate struct {
	mu   sync.Mutex
	shut chan struct{} // closed when the gate opens; nil while it is open
}

// Shut closes the gate, and Open opens it.
func (g *gate) Shut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.shut == nil {
		g.shut = make(chan struct{})
	}
}

func (g *gate) Open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.shut != nil {
		close(g.shut)
		g.shut = nil
	}
}

// pass returns when the gate is open, or with false when dead or given up is
// closed.
func (g *gate) pass(dead <-chan struct{}, givenUp <-chan struct{}) bool {
	for {
		g.mu.Lock()
		shut := g.shut
		g.mu.Unlock()
		if shut == nil {
			select {
			case <-dead:
				return false
			default:
				return true
			}
		}
		select {
		case <-shut:
		case <-dead:
			return false
		case <-givenUp:
			return false
		}
	}
}

// disk is a host's raft stores as one life of its agent has them. What a dead
// agent still had under way is not written.
type disk struct {
	*raft.InmemStore
	host *Node
	dead <-chan struct{}
}

// write holds a write up as the disk is slow or hangs, and as the agent is frozen.
func (d *disk) write(do func() error) error {
	if slow := time.Duration(d.host.slow.Load()); slow > 0 {
		select {
		case <-time.After(slow):
		case <-d.dead:
			return errDead
		}
	}
	if !d.host.hung.pass(d.dead, nil) || !d.host.ice.pass(d.dead, nil) {
		return errDead
	}
	return do()
}

// StoreLog implements raft.LogStore.
func (d *disk) StoreLog(l *raft.Log) error { return d.StoreLogs([]*raft.Log{l}) }

// StoreLogs implements raft.LogStore.
func (d *disk) StoreLogs(logs []*raft.Log) error {
	return d.write(func() error {
		if len(logs) > 0 {
			d.host.cluster.Trace.stored(d.host.Name, logs[0].Index, logs[len(logs)-1].Index)
		}
		return d.InmemStore.StoreLogs(logs)
	})
}

// DeleteRange implements raft.LogStore.
func (d *disk) DeleteRange(low, high uint64) error {
	return d.write(func() error { return d.InmemStore.DeleteRange(low, high) })
}

// Set implements raft.StableStore.
func (d *disk) Set(key, value []byte) error {
	return d.write(func() error { return d.InmemStore.Set(key, value) })
}

// SetUint64 implements raft.StableStore.
func (d *disk) SetUint64(key []byte, value uint64) error {
	return d.write(func() error { return d.InmemStore.SetUint64(key, value) })
}

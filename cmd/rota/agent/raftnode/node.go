package raftnode

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"
)

const (
	shutdownTimeout = 5 * time.Second
	// drainTimeout is how long Shutdown lets raft answer the calls in flight. A
	// leader without a quorum needs its lease to lapse before it does.
	drainTimeout = 1500 * time.Millisecond
)

// Node is a running raft node. All methods may be called concurrently.
type Node struct {
	raft       *raft.Raft
	guard      *guard
	leadership *leadership
	calls      *calls
	announcer  *announcer
	logger     *slog.Logger

	transport   raft.Transport
	sent        sentMessages
	closeStores func() error
	hadState    bool
	fsyncP99    time.Duration
	timings     Timings
	opened      time.Time

	// transferSince is when, after opened, raft began to refuse writes because
	// of a transfer; 0 when it does not.
	transferSince atomic.Int64

	shutdown    sync.Once
	shutdownErr error
}

// Open starts a node. Its errors wrap ErrCorrupt, ErrLocked or ErrNoSpace where
// that is the cause. The transport is closed when Open fails.
func Open(cfg Config) (*Node, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	n, err := open(cfg)
	if err != nil {
		return nil, errors.Join(err, closeTransport(cfg.Transport))
	}
	return n, nil
}

func open(cfg Config) (*Node, error) {
	n := &Node{
		leadership:  newLeadership(),
		calls:       newCalls(),
		logger:      cfg.Logger,
		transport:   cfg.Transport,
		closeStores: func() error { return nil },
		opened:      time.Now(),
	}
	stores := cfg.Stores
	if stores == nil {
		var err error
		if n.closeStores, stores, err = openStores(cfg.DataDir, &cfg); err != nil {
			return nil, err
		}
		if n.fsyncP99, err = measureFsync(cfg.DataDir); err != nil {
			return nil, errors.Join(err, n.closeStores())
		}
	}
	cfg.resolve(n.fsyncP99)
	n.timings = *cfg.Timings
	cfg.Logger.Info("raft timings chosen", "fsync_p99", n.fsyncP99, "slow_above", slowDisk,
		"heartbeat", n.timings.Heartbeat, "election", n.timings.Election,
		"lease", n.timings.LeaderLease, "stall_timeout", cfg.StallTimeout)

	n.guard = newGuard(cfg.StallTimeout, cfg.Logger, cfg.OnFatal)
	go n.guard.run()
	if err := n.start(cfg, stores); err != nil {
		n.guard.close()
		<-n.guard.done
		return nil, errors.Join(err, n.closeStores())
	}
	go n.leadership.run(n.raft.CurrentTerm, n.pace)
	return n, nil
}

// start checks the stores and starts raft on them. Raft panics on a log that
// has a hole, which the check leaves possible only behind a damaged snapshot.
func (n *Node) start(cfg Config, stores *Stores) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = corruptError(cfg.DataDir, fmt.Errorf("%v", p))
		}
	}()
	log := &guardedLog{store: stores.Log, guard: n.guard}
	stable := &guardedStable{store: stores.Stable, guard: n.guard}
	if err := repair(log, stable, stores.Snapshots); err != nil {
		return corruptError(cfg.DataDir, err)
	}
	cache, err := raft.NewLogCache(logCacheEntries, log)
	if err != nil {
		return err
	}
	snaps := &guardedSnapshots{SnapshotStore: stores.Snapshots, guard: n.guard, log: log, cache: cache}
	if n.hadState, err = raft.HasExistingState(cache, stable, snaps); err != nil {
		return fmt.Errorf("raft state: %w", err)
	}
	var started atomic.Pointer[raft.Raft]
	serves := func(peer raft.ServerID) bool { return serves(started.Load(), peer) }
	network := counted(cfg.Transport, &n.sent)
	n.raft, err = raft.NewRaft(cfg.raftConfig(n.leadership.notify), cfg.FSM, cache, stable, snaps, patient(network, serves))
	if err != nil {
		return fmt.Errorf("start raft: %w", err)
	}
	started.Store(n.raft)
	n.announcer = newAnnouncer(n.raft, raft.ServerID(cfg.ID), network, cfg.Logger)
	return nil
}

// HasState reports whether the node took part in a cluster before it was
// opened.
func (n *Node) HasState() bool { return n.hadState }

// Leader returns the leader that this node knows of, or empty strings.
func (n *Node) Leader() (id, addr string) {
	a, i := n.raft.LeaderWithID()
	return string(i), string(a)
}

// IsLeader reports whether this node believes that it leads.
func (n *Node) IsLeader() bool { return n.raft.State() == raft.Leader }

// AppliedIndex returns the last index handed to the FSM. The FSM itself may be
// a moment behind.
func (n *Node) AppliedIndex() uint64 { return n.raft.AppliedIndex() }

// CommitIndex returns the last index that this node knows to be committed.
func (n *Node) CommitIndex() uint64 { return n.raft.CommitIndex() }

// CurrentTerm returns raft's term.
func (n *Node) CurrentTerm() uint64 { return n.raft.CurrentTerm() }

// Terms returns the channel on which gains of leadership arrive. It holds only
// a term that still lasts: one that ended before it was read never appears. It
// is meant for one reader and is closed by Shutdown.
func (n *Node) Terms() <-chan Term { return n.leadership.terms }

// Raft returns the library's node, for membership changes. Its Apply, Barrier
// and Shutdown must not be used.
func (n *Node) Raft() *raft.Raft { return n.raft }

// Stats describes the store and the timings.
func (n *Node) Stats() Stats {
	s := n.guard.stats()
	s.StartupFsyncP99 = n.fsyncP99
	s.Sent = n.sent.read()
	s.Timings = n.timings
	return s
}

// Shutdown stops the node and closes its transport and its stores. It takes at
// most five seconds, or until ctx ends; then it returns ErrShutdownTimeout and
// the stores stay open, since a write hangs in them. Later calls return what
// the first did.
func (n *Node) Shutdown(ctx context.Context) error {
	n.shutdown.Do(func() { n.shutdownErr = n.stop(ctx) })
	return n.shutdownErr
}

func (n *Node) stop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, shutdownTimeout)
	defer cancel()
	n.drain(ctx)
	stopped := make(chan error, 1)
	future := n.raft.Shutdown()
	go func() { stopped <- future.Error() }()
	// After a failure goroutines of raft wait in the guard, and it cannot stop
	// before they are let go. Before one there are none, and the watchdog is
	// still wanted.
	if n.guard.failure() != nil {
		n.guard.close()
	}
	var err error
	select {
	case err = <-stopped:
	case <-ctx.Done():
		err = fmt.Errorf("%w: %w", ErrShutdownTimeout, ctx.Err())
	}
	n.guard.close()
	<-n.guard.done
	n.leadership.close()
	err = errors.Join(err, closeTransport(n.transport))
	n.announcer.close()
	if errors.Is(err, ErrShutdownTimeout) {
		return err
	}
	return errors.Join(err, n.closeStores())
}

// drain refuses new calls and gives those in flight a moment.
func (n *Node) drain(ctx context.Context) {
	idle := n.calls.close()
	if n.guard.failure() != nil {
		return
	}
	timer := time.NewTimer(drainTimeout)
	defer timer.Stop()
	select {
	case <-idle:
	case <-timer.C:
	case <-ctx.Done():
	}
}

// closeTransport also frees the pooled connections, which raft's own Close
// leaves open, so that the peers' ends close too.
func closeTransport(t raft.Transport) error {
	if s, ok := t.(interface{ CloseStreams() }); ok {
		s.CloseStreams()
	}
	if c, ok := t.(raft.WithClose); ok {
		return c.Close()
	}
	return nil
}

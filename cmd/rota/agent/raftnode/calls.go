package raftnode

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

const (
	// maxCalls bounds the calls that wait for raft at one time, each of which
	// holds a goroutine.
	maxCalls = 1024
	// enqueueTimeout bounds the wait for raft's main loop when the caller's
	// context does not.
	enqueueTimeout  = 5 * time.Second
	transferTimeout = 2 * time.Second
	// transferStuck is when a transfer that raft believes to be under way is
	// certainly not: it gives up after two election timeouts by itself.
	transferStuck = 10 * time.Second
)

// calls counts the calls in flight, so that Shutdown can let raft answer them
// before it stops: afterwards it never would.
type calls struct {
	mu     sync.Mutex
	n      int
	closed bool
	idle   chan struct{} // closed when closed and n == 0
}

func newCalls() *calls { return &calls{idle: make(chan struct{})} }

func (c *calls) enter() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return ErrClosed
	}
	if c.n >= maxCalls {
		return ErrBusy
	}
	c.n++
	return nil
}

func (c *calls) leave() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n--
	if c.closed && c.n == 0 {
		close(c.idle)
	}
}

// close refuses further calls and returns a channel that closes with the last.
func (c *calls) close() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed {
		c.closed = true
		if c.n == 0 {
			close(c.idle)
		}
	}
	return c.idle
}

// await runs f, which blocks on a future of raft, on a goroutine of its own,
// because futures take no context. When ctx ends first, f goes on until raft
// answers and its result is dropped.
func await[T any](ctx context.Context, c *calls, f func() (T, error)) (T, error) {
	type result struct {
		v   T
		err error
	}
	var none T
	if err := ctx.Err(); err != nil {
		return none, fmt.Errorf("%w: %w", ErrNotApplied, err)
	}
	if err := c.enter(); err != nil {
		return none, fmt.Errorf("%w: %w", ErrNotApplied, err)
	}
	done := make(chan result, 1)
	go func() {
		defer c.leave()
		v, err := f()
		done <- result{v, err}
	}()
	select {
	case r := <-done:
		return r.v, r.err
	case <-ctx.Done():
		return none, fmt.Errorf("%w: %w", ErrUnknownFate, ctx.Err())
	}
}

// enqueueWait is how long raft's main loop may let a call wait.
func enqueueWait(ctx context.Context) time.Duration {
	deadline, ok := ctx.Deadline()
	if !ok {
		return enqueueTimeout
	}
	return max(min(time.Until(deadline), enqueueTimeout), time.Millisecond)
}

// Applied is the result of Apply.
type Applied struct {
	Index    uint64 // of the entry
	Response any    // what FSM.Apply returned
}

// Apply appends cmd to the log and waits until this node has applied it. A
// failure wraps ErrNotApplied or ErrUnknownFate. Several calls that wait at the
// same time share one write to disk.
func (n *Node) Apply(ctx context.Context, cmd []byte) (Applied, error) {
	wait := enqueueWait(ctx)
	return await(ctx, n.calls, func() (Applied, error) {
		term := n.raft.CurrentTerm()
		f := n.raft.Apply(cmd, wait)
		if err := n.classify(f.Error()); err != nil {
			return Applied{}, err
		}
		if n.raft.CurrentTerm() == term { // then the entry is of that term, which this node has led
			n.announcer.committed(f.Index(), term)
		}
		return Applied{Index: f.Index(), Response: f.Response()}, nil
	})
}

// Barrier waits until everything committed before the call has been applied
// here, and returns the index up to which that surely holds. It fails on a node
// that does not lead.
func (n *Node) Barrier(ctx context.Context) (uint64, error) {
	wait := enqueueWait(ctx)
	return await(ctx, n.calls, func() (uint64, error) {
		f := n.raft.Barrier(wait)
		if err := n.classify(f.Error()); err != nil {
			return 0, err
		}
		// Raft's barrier is an entry like any other; only its declared type
		// hides the index.
		if entry, ok := f.(raft.IndexFuture); ok {
			return entry.Index(), nil
		}
		return n.raft.AppliedIndex(), nil
	})
}

// VerifyLeader asks a quorum whether this node still leads.
func (n *Node) VerifyLeader(ctx context.Context) error {
	_, err := await(ctx, n.calls, func() (struct{}, error) {
		return struct{}{}, n.raft.VerifyLeader().Error()
	})
	return err
}

// TransferLeadership hands the leadership to the follower that is most up to
// date, and returns nil when this node no longer leads. It takes at most two
// seconds; on ErrTransferTimeout the leadership may still move. A node whose store
// has failed is refused at once: raft would wait for the store.
func (n *Node) TransferLeadership(ctx context.Context) error {
	if err := n.guard.failure(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, transferTimeout)
	defer cancel()
	_, err := await(ctx, n.calls, func() (struct{}, error) {
		return struct{}{}, n.raft.LeadershipTransfer().Error()
	})
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%w after %s", ErrTransferTimeout, transferTimeout)
	}
	return err
}

// Bootstrap starts a new cluster with these servers. It is called once in the
// life of the cluster, on one node; raft.ErrCantBootstrap says that this node
// has state already.
func (n *Node) Bootstrap(ctx context.Context, servers []raft.Server) error {
	_, err := await(ctx, n.calls, func() (struct{}, error) {
		return struct{}{}, n.raft.BootstrapCluster(raft.Configuration{Servers: servers}).Error()
	})
	return err
}

// Snapshot takes a snapshot now. raft.ErrNothingNewToSnapshot is no failure of
// the node.
func (n *Node) Snapshot(ctx context.Context) error {
	_, err := await(ctx, n.calls, func() (struct{}, error) {
		return struct{}{}, n.raft.Snapshot().Error()
	})
	return err
}

// classify says what an answer of raft means for the entry.
func (n *Node) classify(err error) error {
	if errors.Is(err, raft.ErrLeadershipTransferInProgress) {
		n.noteTransfer()
		return fmt.Errorf("%w: %w", ErrNotApplied, err)
	}
	n.transferSince.Store(0)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, raft.ErrNotLeader), errors.Is(err, raft.ErrEnqueueTimeout):
		return fmt.Errorf("%w: %w", ErrNotApplied, err)
	default:
		return fmt.Errorf("%w: %w", ErrUnknownFate, err)
	}
}

// noteTransfer ends the node when raft has refused every call for too long
// because of a transfer.
func (n *Node) noteTransfer() {
	now := time.Since(n.opened) + 1 // never 0, which means none
	if n.transferSince.CompareAndSwap(0, int64(now)) {
		return
	}
	if now-time.Duration(n.transferSince.Load()) > transferStuck {
		n.guard.fail(fmt.Errorf("%w: raft has refused every write for %s: the agent must restart", ErrTransferStuck, transferStuck))
	}
}

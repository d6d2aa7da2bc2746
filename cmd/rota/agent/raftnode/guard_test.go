package raftnode

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"
)

// faultyLog fails or hangs on demand.
type faultyLog struct {
	*raft.InmemStore
	mu   sync.Mutex
	err  error
	hang chan struct{} // closed to let go
	n    atomic.Int64
}

func (l *faultyLog) set(err error, hang chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.err, l.hang = err, hang
}

func (l *faultyLog) fault() error {
	l.n.Add(1)
	l.mu.Lock()
	err, hang := l.err, l.hang
	l.mu.Unlock()
	if hang != nil {
		<-hang
	}
	return err
}

func (l *faultyLog) StoreLog(e *raft.Log) error { return l.StoreLogs([]*raft.Log{e}) }

func (l *faultyLog) StoreLogs(e []*raft.Log) error {
	if err := l.fault(); err != nil {
		return err
	}
	return l.InmemStore.StoreLogs(e)
}

func (l *faultyLog) Set(k, v []byte) error {
	if err := l.fault(); err != nil {
		return err
	}
	return l.InmemStore.Set(k, v)
}

// simNode is a node with stores and a transport in memory.
type simNode struct {
	*Node
	store  *faultyLog
	trans  *raft.InmemTransport
	fsm    *listFSM
	fatals chan error
}

func newSimNode(t *testing.T, id string) *simNode {
	t.Helper()
	s := &simNode{
		store:  &faultyLog{InmemStore: raft.NewInmemStore()},
		fsm:    &listFSM{},
		fatals: make(chan error, 8),
	}
	_, s.trans = raft.NewInmemTransport(raft.ServerAddress(id))
	s.open(t, id, raft.NewInmemSnapshotStore())
	return s
}

func (s *simNode) open(t *testing.T, id string, snaps raft.SnapshotStore) {
	t.Helper()
	n, err := Open(Config{
		ID: id, Transport: s.trans, FSM: s.fsm,
		Logger:  slog.New(slog.NewTextHandler(io.Discard, nil)),
		OnFatal: func(err error) { s.fatals <- err },
		Stores:  &Stores{Log: s.store, Stable: s.store, Snapshots: snaps},
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Node = n
}

func simCluster(t *testing.T, size int) []*simNode {
	t.Helper()
	var nodes []*simNode
	var servers []raft.Server
	for i := range size {
		id := fmt.Sprintf("n%d", i)
		nodes = append(nodes, newSimNode(t, id))
		servers = append(servers, raft.Server{ID: raft.ServerID(id), Address: raft.ServerAddress(id)})
	}
	for _, a := range nodes {
		for _, b := range nodes {
			a.trans.Connect(b.trans.LocalAddr(), b.trans)
		}
	}
	if err := nodes[0].Bootstrap(t.Context(), servers); err != nil {
		t.Fatal(err)
	}
	return nodes
}

func simLeader(t *testing.T, nodes []*simNode) *simNode {
	t.Helper()
	for range 6000 { // a virtual minute
		for _, n := range nodes {
			if n.guard.failure() == nil && n.IsLeader() && n.VerifyLeader(t.Context()) == nil {
				return n
			}
		}
		time.Sleep(10 * time.Millisecond) // virtual
	}
	t.Fatal("no leader within a minute")
	return nil
}

func simShutdown(t *testing.T, nodes []*simNode) {
	t.Helper()
	for _, n := range nodes {
		if err := n.Shutdown(context.Background()); err != nil {
			t.Errorf("shutdown: %v", err)
		}
	}
}

func TestVirtualMinutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nodes := simCluster(t, 3)
		want := 0
		for minute := range 5 {
			leader := simLeader(t, nodes)
			for range 20 {
				if _, err := leader.Apply(t.Context(), fmt.Append(nil, want)); err != nil {
					t.Fatalf("minute %d: %v", minute, err)
				}
				want++
				time.Sleep(3 * time.Second)
			}
			if minute%2 == 1 {
				if err := leader.TransferLeadership(t.Context()); err != nil {
					t.Logf("transfer: %v", err)
				}
			}
		}
		time.Sleep(time.Second)
		for _, n := range nodes {
			if got := len(n.fsm.list()); got != want {
				t.Errorf("%d items, want %d", got, want)
			}
			if len(n.fatals) != 0 {
				t.Errorf("fatal: %v", <-n.fatals)
			}
		}
		simShutdown(t, nodes)
	})
}

func TestHungWriteIsFatal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nodes := simCluster(t, 3)
		leader := simLeader(t, nodes)
		release := make(chan struct{})
		leader.store.set(nil, release)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		start := time.Now()
		done := make(chan error, 1)
		go func() { _, err := leader.Apply(ctx, []byte("x")); done <- err }()
		err := <-leader.fatals
		if !errors.Is(err, ErrStalled) {
			t.Errorf("fatal: %v", err)
		}
		if d := time.Since(start); d < minStallTimeout || d > minStallTimeout+time.Second {
			t.Errorf("noticed after %s", d)
		}
		if err := leader.Shutdown(context.Background()); !errors.Is(err, ErrShutdownTimeout) {
			t.Errorf("shutdown with a hung disk: %v", err)
		}
		close(release)
		<-done
		simShutdown(t, nodes[1:])
		for _, n := range nodes {
			_ = n.Shutdown(context.Background())
		}
	})
}

func TestFailedWriteIsFatalOnce(t *testing.T) {
	tests := map[string]struct{ cause, want error }{
		"io error":  {syscall.EIO, ErrWriteFailed},
		"full disk": {syscall.ENOSPC, ErrNoSpace},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				nodes := simCluster(t, 3)
				leader := simLeader(t, nodes)
				leader.store.set(tt.cause, nil)
				if _, err := leader.Apply(t.Context(), []byte("x")); !errors.Is(err, ErrUnknownFate) {
					t.Errorf("apply: %v", err)
				}
				if err := <-leader.fatals; !errors.Is(err, tt.want) || !errors.Is(err, tt.cause) {
					t.Errorf("fatal: %v", err)
				}
				before := leader.store.n.Load()
				leader.store.set(nil, nil) // the disk is well again; nothing must trust it
				var others []*simNode
				for _, n := range nodes {
					if n != leader {
						others = append(others, n)
					}
				}
				if _, err := simLeader(t, others).Apply(t.Context(), []byte("y")); err != nil {
					t.Errorf("the others: %v", err)
				}
				time.Sleep(time.Minute)
				if n := leader.store.n.Load(); n != before {
					t.Errorf("%d writes after the failure", n-before)
				}
				if len(leader.fatals) != 0 {
					t.Errorf("second fatal: %v", <-leader.fatals)
				}
				simShutdown(t, nodes)
			})
		})
	}
}

// A process that was stopped and thawed sees that much time has passed in one
// step, while nothing is wrong with its disk.
func TestThawIsNoStall(t *testing.T) {
	g := newGuard(time.Hour, testLogger(t), func(error) {})
	w, err := g.begin()
	if err != nil {
		t.Fatal(err)
	}
	w.start = w.start.Add(-2 * time.Hour)
	if g.oldest() != nil {
		t.Error("one look at an old write was taken for a hang")
	}
	g.end(w, false)
}

// Raft can be left believing that a transfer is under way for ever. Refusals
// with a success in between are two transfers, not a stuck one.
func TestStuckTransferIsFatal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nodes := simCluster(t, 1)
		n := simLeader(t, nodes)
		refuse := func() {
			if err := n.classify(raft.ErrLeadershipTransferInProgress); !errors.Is(err, ErrNotApplied) {
				t.Errorf("refusal is %v", err)
			}
		}
		refuse()
		if _, err := n.Apply(t.Context(), []byte("x")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * transferStuck)
		refuse()
		time.Sleep(transferStuck / 2)
		refuse()
		synctest.Wait()
		if len(n.fatals) != 0 {
			t.Fatalf("fatal: %v", <-n.fatals)
		}
		time.Sleep(transferStuck)
		refuse()
		if err := <-n.fatals; !errors.Is(err, ErrTransferStuck) {
			t.Errorf("fatal: %v", err)
		}
		simShutdown(t, nodes)
	})
}

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

func TestDivergedSnapshot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nodes := simCluster(t, 1)
		n := simLeader(t, nodes)
		for i := range 5 {
			if _, err := n.Apply(t.Context(), fmt.Append(nil, i)); err != nil {
				t.Fatal(err)
			}
		}
		last, _ := n.store.LastIndex()
		snaps := raft.NewInmemSnapshotStore()
		gs := &guardedSnapshots{SnapshotStore: snaps, guard: n.guard, log: &guardedLog{n.store, n.guard}, cache: &guardedLog{n.store, n.guard}}
		conf := n.Raft().GetConfiguration().Configuration()

		sink, err := gs.Create(1, last-1, 1000, conf, 1, n.trans)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := sink.Write([]byte(`["from the snapshot"]`)); err != nil {
			t.Fatal(err)
		}
		if err := sink.Close(); !errors.Is(err, ErrDivergedLog) {
			t.Errorf("close: %v", err)
		}
		if err := <-n.fatals; !errors.Is(err, ErrDivergedLog) {
			t.Errorf("fatal: %v", err)
		}
		simShutdown(t, nodes)

		// The restart drops the log.
		_, n.trans = raft.NewInmemTransport("n0")
		n.open(t, "n0", snaps)
		if got, _ := n.store.LastIndex(); got != 0 {
			t.Errorf("log still ends at %d", got)
		}
		if got := n.fsm.list(); len(got) != 1 {
			t.Errorf("state is %v", got)
		}
		simShutdown(t, nodes)
	})
}

func TestDeleteRangeLeavesNoHole(t *testing.T) {
	tests := map[string]struct{ low, high, wantFirst, wantLast uint64 }{
		"prefix":     {0, 1200, 1201, 2000},
		"suffix":     {701, 2000, 1, 700},
		"past end":   {1999, 9999, 1, 1998},
		"all":        {0, ^uint64(0), 0, 0},
		"before all": {0, 0, 1, 2000},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			store := &stepLog{InmemStore: raft.NewInmemStore()}
			g := newGuard(time.Hour, testLogger(t), func(error) {})
			log := &guardedLog{store, g}
			for i := uint64(1); i <= 2000; i++ {
				if err := log.StoreLog(&raft.Log{Index: i, Term: 1}); err != nil {
					t.Fatal(err)
				}
			}
			store.check = func() {
				first, _ := store.FirstIndex()
				last, _ := store.LastIndex()
				var l raft.Log
				for i := first; i <= last && last > 0; i++ {
					if err := store.GetLog(i, &l); err != nil {
						t.Fatalf("entry %d of %d to %d is missing in between", i, first, last)
					}
				}
			}
			if err := log.DeleteRange(tt.low, tt.high); err != nil {
				t.Fatal(err)
			}
			first, _ := store.FirstIndex()
			last, _ := store.LastIndex()
			if first != tt.wantFirst || last != tt.wantLast {
				t.Errorf("log is %d to %d, want %d to %d", first, last, tt.wantFirst, tt.wantLast)
			}
		})
	}
}

// stepLog looks at the log after every step of a deletion.
type stepLog struct {
	*raft.InmemStore
	check func()
}

func (s *stepLog) DeleteRange(low, high uint64) error {
	if high-low >= deleteChunk {
		return fmt.Errorf("deletes %d entries at once", high-low+1)
	}
	err := s.InmemStore.DeleteRange(low, high)
	s.check()
	return err
}

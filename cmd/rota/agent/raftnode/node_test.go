package raftnode

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/raft"
)

func TestElectReplicateRestart(t *testing.T) {
	c := startCluster(t, 3, nil)
	for i := range 10 {
		a := c.apply(t, fmt.Sprint(i))
		if a.Response != i+1 || a.Index == 0 {
			t.Fatalf("applied %d: %+v", i, a)
		}
	}
	c.converge(t, 10)

	old := c.leader(t)
	old.stop(t)
	c.apply(t, "after the leader stopped")
	old.start(t)
	if !old.HasState() {
		t.Error("restarted node says it has no state")
	}
	c.converge(t, 11)
	if diff := cmp.Diff(c[0].fsm.list(), c[1].fsm.list()); diff != "" {
		t.Error(diff)
	}

	for _, m := range c {
		m.stop(t)
	}
	for _, m := range c {
		m.start(t)
	}
	c.apply(t, "after all stopped")
	c.converge(t, 12)
}

func TestBarrierCoversEveryEarlierEntry(t *testing.T) {
	c := startCluster(t, 1, nil)
	a := c.apply(t, "x")
	index, err := c.leader(t).Barrier(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if index <= a.Index {
		t.Errorf("barrier at %d, entry before it at %d", index, a.Index)
	}
}

func TestCallsOnFollower(t *testing.T) {
	c := startCluster(t, 3, nil)
	leader := c.leader(t)
	for _, m := range c {
		if m == leader {
			continue
		}
		if _, err := m.Apply(t.Context(), []byte("x")); !errors.Is(err, ErrNotApplied) || !errors.Is(err, raft.ErrNotLeader) {
			t.Errorf("apply on follower: %v", err)
		}
		if err := m.VerifyLeader(t.Context()); err == nil {
			t.Error("follower verified itself as leader")
		}
		eventually(t, "follower knows the leader", func() bool {
			id, addr := m.Leader()
			return id == leader.id && addr == leader.addr
		})
	}
}

func TestApplyWithoutQuorumHasUnknownFate(t *testing.T) {
	c := startCluster(t, 3, nil)
	leader := c.leader(t)
	for _, m := range c {
		if m != leader {
			m.stop(t)
		}
	}
	_, err := leader.Apply(t.Context(), []byte("x"))
	if !errors.Is(err, ErrUnknownFate) && !errors.Is(err, ErrNotApplied) {
		t.Fatalf("error says nothing of the fate: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := leader.Apply(ctx, []byte("x")); !errors.Is(err, ErrNotApplied) {
		t.Errorf("call with an ended context: %v", err)
	}
}

func TestSnapshotAndInstall(t *testing.T) {
	c := startCluster(t, 3, func(cfg *Config) { cfg.TrailingLogs = 5; cfg.SnapshotThreshold = 10 })
	leader := c.leader(t)
	var late *member
	for _, m := range c {
		if m != leader {
			late = m
		}
	}
	c.apply(t, "0")
	c.converge(t, 1)
	late.stop(t)
	for i := 1; i < 50; i++ {
		c.apply(t, fmt.Sprint(i))
	}
	if err := c.leader(t).Snapshot(t.Context()); err != nil {
		t.Fatal(err)
	}
	late.start(t)
	c.converge(t, 50)
	eventually(t, "the late node got a snapshot", func() bool {
		return late.Raft().Stats()["last_snapshot_index"] != "0"
	})
	c.apply(t, "50")
	c.converge(t, 51)

	// What the snapshot replaced must be gone, and what it covers must be found.
	late.stop(t)
	late.start(t)
	c.converge(t, 51)
	if diff := cmp.Diff(c.leader(t).fsm.list(), late.fsm.list()); diff != "" {
		t.Error(diff)
	}
}

func TestShutdownEndsCalls(t *testing.T) {
	c := startCluster(t, 1, nil)
	m := c.leader(t)
	if err := m.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Apply(t.Context(), nil); !errors.Is(err, ErrClosed) || !errors.Is(err, ErrNotApplied) {
		t.Errorf("apply after shutdown: %v", err)
	}
	for range m.Terms() {
		t.Error("a term survived the shutdown")
	}
	if err := m.Shutdown(t.Context()); err != nil {
		t.Errorf("second shutdown: %v", err)
	}
}

func TestTransferAndEpochs(t *testing.T) {
	c := startCluster(t, 3, nil)
	last := make(map[*member]Term)
	for range 6 {
		leader := c.leader(t)
		var term Term
		select {
		case term = <-leader.Terms():
		case <-time.After(10 * time.Second):
			t.Fatal("leader without a term")
		}
		if prev, ok := last[leader]; ok && (term.Epoch <= prev.Epoch || prev.Ctx.Err() == nil) {
			t.Fatalf("epoch %d follows %d, whose context says %v", term.Epoch, prev.Epoch, prev.Ctx.Err())
		}
		last[leader] = term
		paced(t, leader, leaderPace)
		start := time.Now()
		err := leader.TransferLeadership(t.Context())
		if d := time.Since(start); d > transferTimeout+time.Second {
			t.Fatalf("transfer took %s", d)
		}
		if err != nil {
			t.Logf("transfer: %v", err)
			continue
		}
		select {
		case <-term.Ctx.Done():
		case <-time.After(10 * time.Second):
			t.Fatal("leadership moved but its term lasts")
		}
		paced(t, leader, 1)
	}
}

// paced waits until the timeouts of a node are those of its part, as many times a
// follower's.
func paced(t *testing.T, m *member, times time.Duration) {
	t.Helper()
	eventually(t, fmt.Sprintf("timeouts %d times a follower's", times), func() bool {
		c := m.Raft().ReloadableConfig()
		return c.HeartbeatTimeout == times*m.timings.Heartbeat && c.ElectionTimeout == times*m.timings.Election
	})
}

func TestTransferIsBounded(t *testing.T) {
	c := startCluster(t, 3, nil)
	leader := c.leader(t)
	for _, m := range c {
		if m != leader {
			m.stop(t)
		}
	}
	start := time.Now()
	// Nobody is left to take over, so either it fails or the lease lapses first.
	if err := leader.TransferLeadership(t.Context()); err == nil && leader.IsLeader() {
		t.Error("leadership moved but is still here")
	}
	if d := time.Since(start); d > transferTimeout+time.Second {
		t.Errorf("took %s", d)
	}
}

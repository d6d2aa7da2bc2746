package raftnode

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/raft"
)

// A follower learns of each commit with the announcement, not when the leader next
// happens to speak: also the one that stores the entry a moment after the majority,
// and so refuses the first.
func TestFollowersLearnAtOnce(t *testing.T) {
	c := startCluster(t, 3, func(cfg *Config) { cfg.Timings.Commit = time.Hour })
	for try := range 50 {
		index := c.apply(t, fmt.Sprint("command ", try)).Index
		if !allApply(t, c, index) {
			t.Fatalf("the followers never learned of commit %d", try)
		}
	}
}

// allApply waits a moment until every member has applied an entry.
func allApply(t *testing.T, c cluster, index uint64) bool {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), behindPause)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for slices.ContainsFunc(c, func(m *member) bool { return m.AppliedIndex() < index }) {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return false
		}
	}
	return true
}

// A follower that is stopped neither holds up the others nor the shutdown, and is
// told again once it is back.
func TestAnnounceToAFollowerThatIsAway(t *testing.T) {
	c := startCluster(t, 3, func(cfg *Config) { cfg.Timings.Commit = time.Hour })
	leader := c.leader(t)
	var away, other *member
	for _, m := range c {
		switch {
		case m == leader:
		case away == nil:
			away = m
		default:
			other = m
		}
	}
	away.stop(t)
	index := c.apply(t, "alone").Index
	eventually(t, "the other has applied it", func() bool {
		c.apply(t, "again") // should the announcement have been lost
		return other.AppliedIndex() >= index
	})
	away.start(t)
	eventually(t, "who was away catches up", func() bool {
		c.apply(t, "again")
		return away.AppliedIndex() > index
	})
}

// Pauses that are over are dropped, also those of servers that are gone for good.
func TestAnnouncerForgetsPauses(t *testing.T) {
	now := time.Now()
	a := &announcer{busy: map[raft.ServerID]bool{}, behind: map[raft.ServerID]time.Time{"gone": now, "slow": now.Add(time.Millisecond)}}
	a.forgetBehind(now)
	if len(a.behind) != 1 || a.claim("slow") || !a.claim("gone") {
		t.Errorf("left are %v", a.behind)
	}
}

// refusing is the way to a follower that lacks every entry.
type refusing struct {
	raft.Transport
	calls atomic.Int32
}

func (r *refusing) LocalAddr() raft.ServerAddress { return "" }

func (r *refusing) EncodePeer(raft.ServerID, raft.ServerAddress) []byte { return nil }

func (r *refusing) AppendEntries(raft.ServerID, raft.ServerAddress, *raft.AppendEntriesRequest, *raft.AppendEntriesResponse) error {
	r.calls.Add(1)
	return nil
}

// Who leads no more does not repeat what a follower has refused: it would call off
// the election that this follower holds.
func TestADeposedLeaderRepeatsNothing(t *testing.T) {
	c := startCluster(t, 3, func(*Config) {})
	leader := c.leader(t)
	index := c.apply(t, "last").Index
	for _, m := range c {
		if m == leader {
			continue
		}
		eventually(t, "it has the entry", func() bool { return m.raft.LastIndex() == index })
		way := &refusing{}
		a := newAnnouncer(m.raft, "deposed", way, slog.New(slog.DiscardHandler))
		a.tell(raft.Server{ID: "behind"}, committed{index, m.CurrentTerm()})
		a.close()
		if n := way.calls.Load(); n != 1 {
			t.Errorf("told %d times", n)
		}
		return
	}
}

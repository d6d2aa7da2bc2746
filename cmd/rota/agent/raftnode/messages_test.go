package raftnode

import (
	"fmt"
	"testing"
)

// sum is what all nodes of the cluster have counted.
func (c cluster) sum() (all Stats) {
	for _, m := range c {
		s := m.Stats()
		all.Entries += s.Entries
		all.Bytes += s.Bytes
		all.Syncs += s.Syncs
		all.Sent.Appends += s.Sent.Appends
		all.Sent.Commits += s.Sent.Commits
		all.Sent.Heartbeats += s.Sent.Heartbeats
		all.Sent.Votes += s.Sent.Votes
	}
	return all
}

// TestStatsCount: what is appended, synced and sent is counted, each kind apart.
func TestStatsCount(t *testing.T) {
	const nodes, commands, text = 3, 20, "command %02d"
	c := startCluster(t, nodes, nil)
	c.leader(t)
	before := c.sum()
	if before.Sent.Votes == 0 {
		t.Error("there is a leader, and no request for a vote was counted")
	}
	for i := range commands {
		c.apply(t, fmt.Sprintf(text, i))
	}
	c.converge(t, commands)
	eventually(t, "a heartbeat", func() bool { return c.sum().Sent.Heartbeats > before.Sent.Heartbeats })
	after := c.sum()
	if got := after.Entries - before.Entries; got < nodes*commands {
		t.Errorf("%d entries were counted for %d commands", got, commands)
	}
	if got, want := after.Bytes-before.Bytes, uint64(nodes*commands*len(fmt.Sprintf(text, 0))); got < want {
		t.Errorf("%d bytes were counted, want %d or more", got, want)
	}
	// One after the other they share no write of the leader, and none of the
	// follower that makes the majority.
	if got := after.Syncs - before.Syncs; got < 2*syncsPerWrite*commands || got%syncsPerWrite != 0 {
		t.Errorf("%d syncs were counted for %d commands", got, commands)
	}
	if got := after.Sent.Appends - before.Sent.Appends; got < commands {
		t.Errorf("%d appends were counted for %d commands", got, commands)
	}
	if after.Sent.Commits == before.Sent.Commits {
		t.Error("no announcement of a commit was counted")
	}
}

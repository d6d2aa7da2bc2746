package raftnode

import (
	"cmp"
	"errors"
	"log/slog"
	"time"

	"github.com/hashicorp/raft"
)

const (
	defaultTrailingLogs      = 10240
	defaultSnapshotThreshold = 8192
	defaultSnapshotInterval  = 30 * time.Second
	retainSnapshots          = 2

	// maxAppendEntries is the most entries in one group commit and in one
	// request to a follower.
	maxAppendEntries = 64
	// logCacheEntries spares followers that keep up, and the idle leader's
	// look at its last entry, a read of the store. It bounds memory too: entries
	// may be large.
	logCacheEntries = 128

	// slowDisk is the start-up fsync p99 above which the fast timings would
	// cause elections on their own.
	slowDisk = 20 * time.Millisecond

	minStallTimeout = 2 * time.Second
	maxStallTimeout = 10 * time.Second
)

// Config describes a node. ID, Transport, FSM, Logger and OnFatal are required,
// and DataDir unless Stores is given.
type Config struct {
	// ID names the node for ever: a UUID kept in the data directory.
	ID string
	// DataDir holds raft.db and snapshots/. It is made if missing.
	DataDir string
	// Transport is closed by Shutdown, and by Open when it fails.
	Transport raft.Transport
	FSM       raft.FSM
	Logger    *slog.Logger
	// Timings default to FastTimings, or to SlowTimings on a slow disk.
	Timings *Timings
	// TrailingLogs is how many entries stay after a snapshot, for followers
	// that are a little behind. Default 10240.
	TrailingLogs uint64
	// SnapshotThreshold is how many entries make a snapshot due. Default 8192.
	SnapshotThreshold uint64
	// SnapshotInterval is how often that is looked at. Default 30 s.
	SnapshotInterval time.Duration
	// StallTimeout is how long one write may take before OnFatal is called. The
	// default is ten times the p99 of the start-up fsyncs, at least 2 s and at
	// most 10 s: far above what a busy disk does, well below what a person
	// would wait for a failover.
	StallTimeout time.Duration
	// Stores, when given, replace the files in DataDir: for simulation.
	Stores *Stores
	// OnFatal is called at most once, on a goroutine of its own, when the node
	// cannot go on. It must end the process; it may call Shutdown.
	OnFatal func(error)
}

// Stores are the three stores of raft. They are not closed by the node.
type Stores struct {
	Log       raft.LogStore
	Stable    raft.StableStore
	Snapshots raft.SnapshotStore
}

// Timings are raft's clocks.
type Timings struct {
	Heartbeat   time.Duration // follower without contact, before it asks for votes
	Election    time.Duration // candidate without a result, before it asks again
	LeaderLease time.Duration // leader without a quorum, before it steps down; at most Heartbeat
	Commit      time.Duration // quiet leader, before it tells followers again what is committed
}

// FastTimings suit a LAN and a disk that syncs within 20 ms.
func FastTimings() Timings {
	return Timings{
		Heartbeat:   300 * time.Millisecond,
		Election:    300 * time.Millisecond,
		LeaderLease: 250 * time.Millisecond,
		Commit:      300 * time.Millisecond,
	}
}

// SlowTimings suit a disk that does not: followers store entries on the same
// goroutine that counts elections.
func SlowTimings() Timings {
	return Timings{
		Heartbeat:   time.Second,
		Election:    time.Second,
		LeaderLease: 900 * time.Millisecond,
		Commit:      300 * time.Millisecond,
	}
}

func (c *Config) validate() error {
	switch {
	case c.ID == "":
		return errors.New("raft node: ID is empty")
	case c.DataDir == "" && c.Stores == nil:
		return errors.New("raft node: DataDir is empty")
	case c.Transport == nil || c.FSM == nil || c.Logger == nil || c.OnFatal == nil:
		return errors.New("raft node: Transport, FSM, Logger and OnFatal are required")
	case c.Stores != nil && (c.Stores.Log == nil || c.Stores.Stable == nil || c.Stores.Snapshots == nil):
		return errors.New("raft node: Stores must be complete")
	}
	return nil
}

// resolve fills in the defaults, which depend on how fast the disk syncs.
func (c *Config) resolve(fsyncP99 time.Duration) {
	if c.Timings == nil {
		t := FastTimings()
		if fsyncP99 > slowDisk {
			t = SlowTimings()
		}
		c.Timings = &t
	}
	c.TrailingLogs = cmp.Or(c.TrailingLogs, defaultTrailingLogs)
	c.SnapshotThreshold = cmp.Or(c.SnapshotThreshold, defaultSnapshotThreshold)
	c.SnapshotInterval = cmp.Or(c.SnapshotInterval, defaultSnapshotInterval)
	if c.StallTimeout == 0 {
		c.StallTimeout = min(max(10*fsyncP99, minStallTimeout), maxStallTimeout)
	}
}

// leaderPace is how much longer a leader's timeouts are than a follower's. The
// library sends heartbeats every tenth to fifth of the leader's own timeout, which
// says nothing to a leader otherwise: twice the time lets a follower miss one and
// still hear of its leader in time, and an idle cluster wake up half as often.
const leaderPace = 2

// pace sets the timeouts of this node, which has just begun or ceased to lead.
func (n *Node) pace(leads bool) {
	c := n.raft.ReloadableConfig()
	c.HeartbeatTimeout, c.ElectionTimeout = n.timings.Heartbeat, n.timings.Election
	if leads {
		c.HeartbeatTimeout *= leaderPace
		c.ElectionTimeout *= leaderPace
	}
	if err := n.raft.ReloadConfig(c); err != nil {
		n.logger.Error("raft timeouts not changed", "leads", leads, "error", err)
	}
}

func (c *Config) raftConfig(notify chan<- bool) *raft.Config {
	rc := raft.DefaultConfig()
	rc.LocalID = raft.ServerID(c.ID)
	rc.HeartbeatTimeout = c.Timings.Heartbeat
	rc.ElectionTimeout = c.Timings.Election
	rc.LeaderLeaseTimeout = c.Timings.LeaderLease
	rc.CommitTimeout = c.Timings.Commit
	rc.MaxAppendEntries = maxAppendEntries
	// Group commit works without the buffer: raft takes every sender that waits
	// at that moment. With it, a command could sit in the buffer past its
	// deadline, and for ever when the node stops.
	rc.BatchApplyCh = false
	rc.TrailingLogs = c.TrailingLogs
	rc.SnapshotThreshold = c.SnapshotThreshold
	rc.SnapshotInterval = c.SnapshotInterval
	// A removed node waits to be added again; the agent decides whether it ends.
	rc.ShutdownOnRemove = false
	rc.PreVoteDisabled = false
	rc.NotifyCh = notify
	rc.Logger = NewHCLog(c.Logger)
	rc.NoLegacyTelemetry = true
	return rc
}

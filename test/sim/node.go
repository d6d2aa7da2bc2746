package sim

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"

	"github.com/rota-scheduler/rota/cmd/rota/agent"
	"github.com/rota-scheduler/rota/cmd/rota/agent/raftnode"
	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/membership"
	"github.com/rota-scheduler/rota/scheduling/executor/proc"
)

// Node is one host: its disk, its clock, its supervisor, and the agent that runs
// there, if one does.
type Node struct {
	Name, IP string
	cluster  *Cluster
	dir      string
	logs     *raft.InmemStore
	snaps    *raft.InmemSnapshotStore
	super    *Supervisor
	offset   atomic.Int64 // of the wall clock, in nanoseconds
	slow     atomic.Int64 // what each write takes, in nanoseconds
	hung     gate         // shut while the disk hangs
	ice      gate         // shut while the agent is frozen
	booted   atomic.Int64 // when the machine was started, in nanoseconds of the cluster's time
	off      bool         // it has no power
	agent    *agent.Agent
	dead     chan struct{} // closed with the agent's life
	// store is the replica of the agent that runs, or ran last.
	store *fsm.Store
}

// mono counts true time since the machine's start; no host's monotonic clock is
// wrong.
func (n *Node) mono() int64 { return int64(time.Since(n.cluster.start)) - n.booted.Load() + 1 }

// Start starts an agent on the host, and the machine if need be.
func (n *Node) Start() {
	c := n.cluster
	c.t.Helper()
	n.Boot()
	gossip, err := c.Net.gossip.Transport(n.IP + ":7702")
	if err != nil {
		c.t.Fatalf("starting %s: %v", n.Name, err)
	}
	f := time.Duration(c.opts.Stretch)
	var join []string
	for _, other := range c.nodes {
		join = append(join, other.IP)
	}
	raftTimings := raftnode.Timings{
		Heartbeat: 300 * time.Millisecond * f, Election: 300 * time.Millisecond * f,
		LeaderLease: 250 * time.Millisecond * f, Commit: 300 * time.Millisecond * f,
	}
	n.dead = make(chan struct{})
	d := &disk{n.logs, n, n.dead}
	stores := raftnode.Stores{Log: d, Stable: d, Snapshots: n.snaps}
	a, err := agent.Start(context.Background(), agent.Config{
		Name: n.Name, DataDir: n.dir, Bind: n.IP, HTTPPort: 7700, RPCPort: 7701, GossipPort: 7702,
		Join: join, BootstrapExpect: n.expects(), Capacity: c.opts.Capacity,
	}, agent.Seams{
		Version: "sim", Format: c.opts.Formats[n.Name], Logger: slog.New(&traceHandler{logHandler{node: n.Name, t: c.t}, c.Trace}),
		Wall: func() time.Time { return time.Now().Add(time.Duration(n.offset.Load())) }, Mono: n.mono, Timing: &c.Timing,
		Listen: c.Net.listen, Dial: c.Net.dialer(n.IP, n.dead), Gossip: gossip,
		GossipTiming: membership.Timing{
			ProbeInterval: time.Second * f, ProbeTimeout: 500 * time.Millisecond * f, GossipInterval: 200 * time.Millisecond * f,
			PushPullInterval: 10 * time.Second * f, RejoinInterval: 30 * time.Second * f,
		},
		Pace:   f,
		Stores: &stores, RaftTimings: &raftTimings, StallTimeout: c.opts.StallTimeout * f,
		Processes: func(onEnd func(proc.Result)) (agent.Processes, error) {
			return n.super.Open(onEnd), nil
		},
	})
	if err != nil {
		c.t.Fatalf("starting %s: %v", n.Name, err)
	}
	n.agent, n.store = a, a.Store()
}

// expects is how many nodes the agent founds a cluster with.
func (n *Node) expects() int {
	c := n.cluster
	for _, founder := range c.nodes[:c.opts.Founders] {
		if founder == n {
			return c.opts.Founders
		}
	}
	return 0
}

// Wipe empties the host's disk. No agent may run there.
func (n *Node) Wipe() {
	n.cluster.t.Helper()
	n.logs, n.snaps = raft.NewInmemStore(), raft.NewInmemSnapshotStore()
	if err := os.RemoveAll(n.dir); err != nil {
		n.cluster.t.Fatal(err)
	}
}

// Up says whether an agent runs on the host.
func (n *Node) Up() bool { return n.agent != nil }

// Store is the replica of the agent that runs, or ran last.
func (n *Node) Store() *fsm.Store { return n.store }

// StepClock moves the host's wall clock.
func (n *Node) StepClock(d time.Duration) { n.offset.Add(int64(d)) }

// Crash kills the agent: nothing is handed over, and the kernel closes what it
// had open. Its supervisor and processes live on.
func (n *Node) Crash() {
	n.die()
	n.super.Hangup()
	n.cluster.Net.Reset(n.IP)
	n.drop()
}

// Kill kills agent, supervisor and processes.
func (n *Node) Kill() {
	n.die()
	n.cluster.Net.Reset(n.IP)
	n.super.Die()
	n.drop()
}

// LosePower ends the whole machine at once: agent, supervisor and processes, and
// what was written and not synced within the last while. Raft's log is synced
// before anything is acknowledged; a write that is under way is not done. Nobody is
// told: the others wait for answers that do not come.
func (n *Node) LosePower(last time.Duration) {
	n.cluster.Net.PowerOff(n.IP)
	n.die()
	n.super.LosePower(last)
	n.drop()
	n.off = true
	// Cluster time is kept as an offset from the monotonic clock, under the name of
	// this uptime; the host's own uptime, which the agent would ask for, goes on.
	if err := os.Remove(filepath.Join(n.dir, "clock.json")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		n.cluster.t.Fatal(err)
	}
}

// Boot starts a machine that has no power: its kernel answers, and no agent runs
// yet. Its monotonic clock begins anew, and its wall clock has been set.
func (n *Node) Boot() {
	if !n.off {
		return
	}
	n.off = false
	n.booted.Store(int64(time.Since(n.cluster.start)))
	n.offset.Store(0)
	n.cluster.Net.PowerOn(n.IP)
}

// Stop stops the agent as SIGTERM does.
func (n *Node) Stop() {
	if err := n.shutdown(); err != nil {
		n.cluster.t.Errorf("stopping %s: %v", n.Name, err)
	}
}

func (n *Node) shutdown() error {
	if n.agent == nil {
		return nil
	}
	err := n.agent.Stop(context.Background())
	n.agent = nil
	n.die()
	return err
}

// drop ends an agent that was killed: every step of its stop gives up at once.
func (n *Node) drop() {
	if n.agent == nil {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	n.die()
	_ = n.agent.Stop(ctx) // it could do nothing
	n.agent = nil
}

// die ends what the agent has under way with its disk and its network. One that
// is frozen dies like any other.
func (n *Node) die() {
	if n.agent == nil && n.dead == nil {
		return
	}
	select {
	case <-n.dead:
	default:
		close(n.dead)
	}
	n.ice.Open()
	n.cluster.Net.Freeze(n.IP, false)
}

// Freeze stops the agent in its tracks, as SIGSTOP does: its supervisor, its
// processes and its host's kernel go on.
func (n *Node) Freeze() {
	n.ice.Shut()
	n.cluster.Net.Freeze(n.IP, true)
}

// Thaw lets a frozen agent go on.
func (n *Node) Thaw() {
	n.cluster.Net.Freeze(n.IP, false)
	n.ice.Open()
}

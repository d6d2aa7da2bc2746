package sim

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"

	"github.com/rota-scheduler/rota/cmd/rota/agent"
	"github.com/rota-scheduler/rota/cmd/rota/agent/raftnode"
	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/membership"
	"github.com/rota-scheduler/rota/scheduling"
	"github.com/rota-scheduler/rota/scheduling/executor/proc"
)

// Options describe a cluster.
type Options struct {
	// Nodes, 3 if zero.
	Nodes int
	// Founders are the nodes that NewCluster starts; the others join when the test
	// starts them. All if zero.
	Founders int
	// Stretch multiplies every timeout, so that days of virtual time cost no
	// more than hours; 1 if zero.
	Stretch int
	// Work says what processes do; 10 ms and success if nil.
	Work Workload
	// Capacity of each node; 1000 if zero.
	Capacity int
	// Formats are the log formats that the nodes announce, where they are not the
	// newest.
	Formats map[string]int
	// StallTimeout is how long a disk may hang before its agent ends; 10 s if zero.
	StallTimeout time.Duration
}

// Cluster is a set of nodes in one bubble. Its methods are for the test's own
// goroutine.
type Cluster struct {
	Net    *Network
	Record *Recorder
	Trace  *Trace
	Timing scheduling.Timing
	t      *testing.T
	opts   Options
	start  time.Time
	nodes  []*Node
}

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
	agent    *agent.Agent
	dead     chan struct{} // closed with the agent's life
	// store is the replica of the agent that runs, or ran last.
	store *fsm.Store
}

// NewCluster starts a cluster and returns once it has a leader that every node
// has a lease from. It must be called inside a bubble; it ends with the test.
func NewCluster(t *testing.T, opts Options) *Cluster {
	t.Helper()
	opts.Nodes = orDefault(opts.Nodes, 3)
	opts.Founders = orDefault(opts.Founders, opts.Nodes)
	opts.Stretch = orDefault(opts.Stretch, 1)
	opts.Capacity = orDefault(opts.Capacity, 1000)
	if opts.StallTimeout == 0 {
		opts.StallTimeout = 10 * time.Second
	}
	if opts.Work == nil {
		opts.Work = func(proc.StartRequest) Outcome { return Outcome{After: 10 * time.Millisecond} }
	}
	c := &Cluster{Net: NewNetwork(), Record: &Recorder{}, Trace: &Trace{}, Timing: stretched(opts.Stretch), t: t, opts: opts, start: time.Now()}
	root, err := os.MkdirTemp("", "rota-sim-")
	if err != nil {
		t.Fatal(err)
	}
	for i := range opts.Nodes {
		n := &Node{
			Name: fmt.Sprintf("n%d", i+1), IP: fmt.Sprintf("10.0.0.%d", i+1), cluster: c,
			dir:  fmt.Sprintf("%s/n%d", root, i+1),
			logs: raft.NewInmemStore(), snaps: raft.NewInmemSnapshotStore(),
		}
		n.super = newSupervisor(n, c.Timing.StopAfter, opts.Work)
		c.nodes = append(c.nodes, n)
	}
	for _, n := range c.nodes[:opts.Founders] {
		n.Start()
	}
	t.Cleanup(func() { c.end(root) })
	c.Wait("every node is ready for work", c.scale(60*time.Second), c.settled)
	return c
}

func orDefault(n, d int) int {
	if n == 0 {
		return d
	}
	return n
}

func stretched(factor int) scheduling.Timing {
	t := scheduling.DefaultTiming()
	f := time.Duration(factor)
	return scheduling.Timing{
		Horizon: t.Horizon * f, Lease: t.Lease * f, Heartbeat: t.Heartbeat * f, Margin: t.Margin * f,
		Skew: t.Skew, StopAfter: t.StopAfter * f, Misfire: t.Misfire * f,
	}
}

func (c *Cluster) scale(d time.Duration) time.Duration { return d * time.Duration(c.opts.Stretch) }

// mono counts true time; no host's monotonic clock is wrong.
func (c *Cluster) mono() int64 { return int64(time.Since(c.start)) + 1 }

// node returns the host of that name.
func (c *Cluster) node(name string) *Node {
	for _, n := range c.nodes {
		if n.Name == name {
			return n
		}
	}
	c.t.Fatalf("no node %s", name)
	return nil
}

// isolate cuts a node off from all others.
func (c *Cluster) isolate(n *Node) {
	for _, other := range c.nodes {
		if other != n {
			c.Net.Cut(n.IP, other.IP)
		}
	}
}

// Nodes returns every host.
func (c *Cluster) Nodes() []*Node { return c.nodes }

// Start starts an agent on the host.
func (n *Node) Start() {
	c := n.cluster
	c.t.Helper()
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
		Wall: func() time.Time { return time.Now().Add(time.Duration(n.offset.Load())) }, Mono: c.mono, Timing: &c.Timing,
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

// Leader returns the node that serves a term, or nil.
func (c *Cluster) Leader() *Node {
	for _, n := range c.nodes {
		if n.Up() && n.agent.IsLeader() {
			return n
		}
	}
	return nil
}

// settled: there is a leader, and it may arm work on every node that is up.
func (c *Cluster) settled() bool {
	leader := c.Leader()
	if leader == nil {
		return false
	}
	for _, n := range c.nodes {
		if n.Up() && !leader.agent.Ready(n.agent.ID()) {
			return false
		}
	}
	return true
}

// Propose commits a command through whoever leads, waiting for a leader.
func (c *Cluster) Propose(op fsm.Opcode, command func(now fsm.Time) any) any {
	c.t.Helper()
	var value any
	c.Wait("a command is committed", c.scale(30*time.Second), func() bool {
		leader := c.Leader()
		if leader == nil {
			return false
		}
		ctx, cancel := context.WithTimeout(context.Background(), c.scale(10*time.Second))
		defer cancel()
		v, _, err := leader.agent.Propose(ctx, op, command(leader.agent.Now()))
		value = v
		return err == nil
	})
	return value
}

// Apply applies jobs as the API does.
func (c *Cluster) Apply(specs ...fsm.JobSpec) {
	c.t.Helper()
	c.Propose(fsm.OpPutJobs, func(now fsm.Time) any {
		cmd := fsm.PutJobs{At: now}
		for _, spec := range specs {
			if spec.Namespace == "" {
				spec.Namespace = fsm.DefaultNamespace
			}
			next, err := scheduling.FirstInstants(&spec, now)
			if err != nil {
				c.t.Fatal(err)
			}
			cmd.Jobs = append(cmd.Jobs, fsm.PutJob{Spec: spec, Next: next})
		}
		return cmd
	})
}

// Run lets virtual time pass.
func (c *Cluster) Run(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// Wait lets virtual time pass until the condition holds; it fails the test after
// the limit.
func (c *Cluster) Wait(what string, limit time.Duration, condition func() bool) {
	c.t.Helper()
	deadline := time.Now().Add(limit)
	for !condition() {
		if time.Now().After(deadline) {
			c.t.Fatalf("%s: not within %s of virtual time", what, limit)
		}
		c.Run(c.scale(10 * time.Millisecond))
	}
}

// end stops everything and lets the last timers run out.
func (c *Cluster) end(root string) {
	c.Net.Heal()
	for _, n := range c.nodes {
		n.drop()
		n.super.stop()
	}
	c.Net.end()
	// memberlist lets a probe run out for some intervals after its end.
	c.Run(c.scale(20 * time.Second))
	if err := os.RemoveAll(root); err != nil {
		c.t.Error(err)
	}
}

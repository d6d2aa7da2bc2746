package sim

import (
	"context"
	"fmt"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"

	"github.com/rota-scheduler/rota/fsm"
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

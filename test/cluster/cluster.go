package cluster

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/rota-scheduler/rota/transport/api"
)

// tailLines is how much of each agent's log a failed test shows.
const tailLines = 60

// settleWithin bounds the forming of a cluster on a busy machine.
const settleWithin = 60 * time.Second

// Options say what cluster to start. Zero fields take the defaults.
type Options struct {
	// Nodes is how many; default 3.
	Nodes int
	// Found is how many of them, the first ones, found the cluster and are started
	// by Start; default all.
	Found int
	// LogLevel of the agents; default info.
	LogLevel string
	// Args are more arguments of "rota agent".
	Args []string
	// NodeArgs are further arguments of the agent with that index. It may be nil.
	NodeArgs func(i int) []string
	// Program is the executable of the agents; default that of [Binary].
	Program string
	// Dirs are the data dirs of the first nodes; default one in a temporary folder.
	Dirs []string
	// Network is where the agents are, each in a namespace of its own; default
	// loopback addresses of this process's namespace.
	Network *Network
}

// Cluster is a set of agents.
type Cluster struct {
	Nodes []*Node

	t       testing.TB
	spawner *spawner
	ports   ports
	ips     []string
}

// New makes a cluster whose agents are down.
func New(t testing.TB, opts Options) *Cluster {
	t.Helper()
	if opts.Nodes == 0 {
		opts.Nodes = 3
	}
	if opts.Found == 0 {
		opts.Found = opts.Nodes
	}
	if opts.LogLevel == "" {
		opts.LogLevel = "info"
	}
	if opts.Program == "" {
		opts.Program = Binary(t)
	}
	c := &Cluster{t: t, spawner: newSpawner(t)}
	if opts.Network == nil {
		c.ips = loopback(opts.Nodes)
		c.ports = claimPorts(t, c.ips)
	} else { // where nobody else takes a port
		c.ips = opts.Network.addresses()
		c.ports = ports{firstPort, firstPort + 1, firstPort + 2}
	}
	for i, ip := range c.ips {
		c.Nodes = append(c.Nodes, newNode(t, c, i, ip, opts))
	}
	t.Cleanup(c.end)
	logs := t.ArtifactDir()
	for _, n := range c.Nodes {
		var err error
		if n.log, err = createLog(filepath.Join(logs, n.Name+".log")); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// Start makes a cluster and returns when every node that founds it knows one
// leader and can run work.
func Start(t testing.TB, opts Options) *Cluster {
	t.Helper()
	c := New(t, opts)
	for i, n := range c.Nodes {
		if opts.Found == 0 || i < opts.Found {
			n.Start()
		}
	}
	c.WaitReady()
	return c
}

// end kills every agent and, if the test failed, shows what they said.
func (c *Cluster) end() {
	for _, n := range c.Nodes {
		n.end()
	}
	for _, n := range c.Nodes {
		if n.log == nil {
			continue
		}
		if c.t.Failed() {
			c.t.Logf("the end of the log of %s (%s):\n%s", n.Name, n.IP, n.log.tail(tailLines))
		}
		if err := n.log.close(); err != nil {
			c.t.Error(err)
		}
	}
}

// Node returns the node of that name.
func (c *Cluster) Node(name string) *Node {
	c.t.Helper()
	i := slices.IndexFunc(c.Nodes, func(n *Node) bool { return n.Name == name })
	if i < 0 {
		c.t.Fatalf("there is no node %q", name)
	}
	return c.Nodes[i]
}

// Client returns a client of the node i.
func (c *Cluster) Client(i int) *api.Client { return c.Nodes[i].client }

// Leader returns the leader once the nodes that are up agree on one that is up.
func (c *Cluster) Leader() *Node {
	c.t.Helper()
	var leader *Node
	Eventually(c.t, settleWithin, "a leader", func() error {
		var err error
		leader, err = c.CurrentLeader(c.t.Context())
		return err
	})
	return leader
}

// Followers returns the nodes that are up and do not lead.
func (c *Cluster) Followers() []*Node {
	c.t.Helper()
	leader := c.Leader()
	var all []*Node
	for _, n := range c.Up() {
		if n != leader {
			all = append(all, n)
		}
	}
	return all
}

// Up returns the nodes whose agents run.
func (c *Cluster) Up() []*Node {
	var up []*Node
	for _, n := range c.Nodes {
		if n.PID() != 0 {
			up = append(up, n)
		}
	}
	return up
}

// CurrentLeader asks every node that is up who leads. It is an error if they do
// not agree, or if the leader is down.
func (c *Cluster) CurrentLeader(ctx context.Context) (*Node, error) {
	name := ""
	for _, n := range c.Up() {
		leader, err := n.client.Leader(ctx)
		if err != nil {
			return nil, fmt.Errorf("asking %s: %w", n.Name, err)
		}
		if name != "" && leader.Name != name {
			return nil, fmt.Errorf("%s says that %s leads, another says %s", n.Name, leader.Name, name)
		}
		name = leader.Name
	}
	for _, n := range c.Up() {
		if n.Name == name {
			return n, nil
		}
	}
	return nil, fmt.Errorf("the leader %q is down", name)
}

// WaitReady returns when the nodes that are up agree on a leader, are caught
// up, and are all registered in the cluster as ready.
func (c *Cluster) WaitReady() {
	c.t.Helper()
	Eventually(c.t, settleWithin, "a cluster of ready nodes", func() error {
		ctx := c.t.Context()
		if _, err := c.CurrentLeader(ctx); err != nil {
			return err
		}
		for _, n := range c.Up() {
			if err := n.client.Ready(ctx); err != nil {
				return fmt.Errorf("%s: %w", n.Name, err)
			}
		}
		return c.allVote(ctx)
	})
}

// allVote says whether each node that is up is listed as a voter. Each node is
// asked for an answer of the leader: one that was just elected may not serve yet.
func (c *Cluster) allVote(ctx context.Context) error {
	for _, asked := range c.Up() {
		list, err := asked.client.Nodes(ctx, api.Page{}, api.Read{Consistent: true})
		if err != nil {
			return fmt.Errorf("listing the nodes: %w", err)
		}
		for _, n := range c.Up() {
			if !slices.ContainsFunc(list.Items, func(a api.Node) bool { return a.Name == n.Name && a.Voter }) {
				return fmt.Errorf("%s does not list %s as a voter: %+v", asked.Name, n.Name, list.Items)
			}
		}
	}
	return nil
}

package fsm

import "fmt"

// NodeStatus is what an operator, or the cluster, says of a node. Whether a node
// is in touch right now is not replicated: the leader holds that in its leases.
type NodeStatus string

// Statuses of a node.
const (
	NodeReady       NodeStatus = "ready"
	NodeDraining    NodeStatus = "draining"
	NodeMaintenance NodeStatus = "maintenance"
	NodeStandby     NodeStatus = "standby"
	NodeSuspect     NodeStatus = "suspect"
	NodeDown        NodeStatus = "down"
	NodeLeft        NodeStatus = "left"
)

// Node is a machine's agent as the cluster knows it.
type Node struct {
	// ID is the UUID in the node's data dir; a node that lost its disk comes
	// back with another.
	ID   string `codec:"id" json:"id"`
	Name string `codec:"n" json:"name"`
	// Incarnation numbers the lives of the agent process.
	Incarnation uint64            `codec:"in" json:"incarnation"`
	HTTPAddr    string            `codec:"h" json:"http"`
	RaftAddr    string            `codec:"r" json:"raft"`
	Region      string            `codec:"re,omitempty" json:"region,omitempty"`
	Zone        string            `codec:"z,omitempty" json:"zone,omitempty"`
	Labels      map[string]string `codec:"l,omitempty" json:"labels,omitempty"`
	Capacity    int               `codec:"c" json:"capacity"`
	// OS and Arch are the machine's, as Go calls them: linux, amd64.
	OS   string `codec:"os,omitempty" json:"os,omitempty"`
	Arch string `codec:"ar,omitempty" json:"arch,omitempty"`
	// Version is the program's, Format the newest log format that it knows.
	Version string `codec:"v,omitempty" json:"version,omitempty"`
	Format  int    `codec:"f" json:"format"`
	// Limits says which limits the node can keep: "v1 (cpu, memory, pids)".
	Limits      string     `codec:"li,omitempty" json:"limits,omitempty"`
	Status      NodeStatus `codec:"s" json:"status"`
	StatusSetBy string     `codec:"sb,omitempty" json:"status_set_by,omitempty"`
	StatusSetAt Time       `codec:"sa,omitempty" json:"status_set_at,omitempty"`
	JoinedAt    Time       `codec:"j" json:"joined_at"`
	ModifyIndex uint64     `codec:"mi" json:"modify_index"`
}

// DefaultCapacity is the weight that a node takes when it states none.
const DefaultCapacity = 100

// RegisterNode records a node's first contact and each new incarnation.
type RegisterNode struct {
	At   Time `codec:"at"`
	Node Node `codec:"n"`
}

// SetNodeStatus changes what an operator or the cluster says of a node.
type SetNodeStatus struct {
	At     Time       `codec:"at"`
	ID     string     `codec:"id"`
	Status NodeStatus `codec:"s"`
	By     string     `codec:"by"`
}

func applyRegisterNode(c *change, cmd *RegisterNode) (any, error) {
	n := cmd.Node
	if err := CheckName(n.ID); err != nil {
		return nil, fmt.Errorf("node ID: %w", err)
	}
	if err := CheckName(n.Name); err != nil {
		return nil, err
	}
	old := c.node(n.ID)
	if old != nil && old.Incarnation > n.Incarnation {
		return nil, fmt.Errorf("%w: node %s is known with incarnation %d, this is %d", ErrStale, n.Name, old.Incarnation, n.Incarnation)
	}
	for other := range c.nodes() {
		if other.Name == n.Name && other.ID != n.ID {
			retireNode(c, other)
		}
	}
	n.JoinedAt, n.Status, n.StatusSetBy, n.StatusSetAt = cmd.At, NodeReady, "", 0
	if old != nil {
		n.JoinedAt = old.JoinedAt
		if !old.Status.byCluster() {
			n.Status, n.StatusSetBy, n.StatusSetAt = old.Status, old.StatusSetBy, old.StatusSetAt
		}
	}
	n.Capacity = max(n.Capacity, 1)
	c.putNode(&n)
	return nil, nil
}

// byCluster: a status that ends by itself when the node is heard of again.
func (s NodeStatus) byCluster() bool {
	return s == NodeSuspect || s == NodeDown || s == NodeLeft
}

// retireNode handles a node whose name another identity has taken: it keeps its
// row, so that what it may have started is still accounted for, under a name
// that no one can type by accident.
func retireNode(c *change, n *Node) {
	gone := *n
	gone.Name = n.Name + "." + n.ID[:min(8, len(n.ID))]
	gone.Status = NodeLeft
	c.putNode(&gone)
}

func applySetNodeStatus(c *change, cmd *SetNodeStatus) (any, error) {
	old := c.node(cmd.ID)
	if old == nil {
		return nil, fmt.Errorf("node %s: %w", cmd.ID, ErrNotFound)
	}
	switch cmd.Status {
	case NodeReady, NodeDraining, NodeMaintenance, NodeStandby, NodeSuspect, NodeDown, NodeLeft:
	default:
		return nil, fmt.Errorf("%w: node status %q", ErrInvalid, cmd.Status)
	}
	n := *old
	n.Status, n.StatusSetBy, n.StatusSetAt = cmd.Status, cmd.By, cmd.At
	c.putNode(&n)
	if n.Status != NodeReady {
		askBack(c, n.ID)
	}
	return nil, nil
}

// askBack takes back what a node holds and has not started. What runs there
// goes on.
func askBack(c *change, node string) {
	for s := range c.heldBy(node) {
		if s.State == ShardArmed {
			retract(c, s, WhyDrain)
		}
	}
}

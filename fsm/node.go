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
	Limits string `codec:"li,omitempty" json:"limits,omitempty"`
	// Isolation says in what the node can isolate tasks: IsolationPidns, or
	// nothing.
	Isolation   string     `codec:"is,omitempty" json:"isolation,omitempty"`
	Status      NodeStatus `codec:"s" json:"status"`
	StatusSetBy string     `codec:"sb,omitempty" json:"status_set_by,omitempty"`
	StatusSetAt Time       `codec:"sa,omitempty" json:"status_set_at,omitempty"`
	// EvictAt is when what still runs on a node that is not ready is ended there
	// and started elsewhere; 0 means that it may run to its end.
	EvictAt Time `codec:"ea,omitempty" json:"evict_at,omitempty"`
	// StatusLife, if set, is the incarnation that the status ends with.
	StatusLife  uint64 `codec:"sl,omitempty" json:"status_life,omitempty"`
	JoinedAt    Time   `codec:"j" json:"joined_at"`
	ModifyIndex uint64 `codec:"mi" json:"modify_index"`
}

// MaxStatusBy bounds the name of who set a status, in bytes.
const MaxStatusBy = 128

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
	// Seen, if not 0, is the node's ModifyIndex that the status follows from: what
	// was said of the node since, by a person perhaps, stands.
	Seen uint64 `codec:"se,omitempty"`
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
	n.JoinedAt = cmd.At
	n.Status, n.StatusSetBy, n.StatusSetAt, n.EvictAt, n.StatusLife = NodeReady, "", 0, 0, 0
	if old != nil {
		n.JoinedAt = old.JoinedAt
		if old.statusHolds(n.Incarnation) {
			n.Status, n.StatusSetBy, n.StatusSetAt = old.Status, old.StatusSetBy, old.StatusSetAt
			n.EvictAt, n.StatusLife = old.EvictAt, old.StatusLife
		}
	}
	n.Capacity = max(n.Capacity, 1)
	c.putNode(&n)
	return nil, nil
}

// statusHolds: what was said of the node is still meant when it registers.
func (n *Node) statusHolds(incarnation uint64) bool {
	return !n.Status.byCluster() && (n.StatusLife == 0 || n.StatusLife >= incarnation)
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

// DrainNode takes a node out of use, like SetNodeStatus, and says what becomes of
// the work that runs there.
type DrainNode struct {
	At     Time       `codec:"at"`
	ID     string     `codec:"id"`
	Status NodeStatus `codec:"s"`
	By     string     `codec:"by"`
	// EvictAt and Life become the node's EvictAt and StatusLife. One that comes
	// after the end of that life is refused: nobody would undo it.
	EvictAt Time   `codec:"ea,omitempty"`
	Life    uint64 `codec:"li,omitempty"`
}

func applySetNodeStatus(c *change, cmd *SetNodeStatus) (any, error) {
	if n := c.node(cmd.ID); n != nil && cmd.Seen != 0 && cmd.Seen != n.ModifyIndex {
		return nil, fmt.Errorf("%w: node %s has changed since", ErrStale, n.Name)
	}
	switch cmd.Status {
	case NodeReady, NodeDraining, NodeMaintenance, NodeStandby, NodeSuspect, NodeDown, NodeLeft:
		return nil, setStatus(c, &DrainNode{At: cmd.At, ID: cmd.ID, Status: cmd.Status, By: cmd.By})
	}
	return nil, fmt.Errorf("%w: node status %q", ErrInvalid, cmd.Status)
}

func applyDrainNode(c *change, cmd *DrainNode) (any, error) {
	switch cmd.Status {
	case NodeDraining, NodeMaintenance, NodeStandby:
		return nil, setStatus(c, cmd)
	}
	return nil, fmt.Errorf("%w: a node cannot be drained by the status %q", ErrInvalid, cmd.Status)
}

func setStatus(c *change, cmd *DrainNode) error {
	old := c.node(cmd.ID)
	switch {
	case old == nil:
		return fmt.Errorf("node %s: %w", cmd.ID, ErrNotFound)
	case cmd.Life != 0 && cmd.Life < old.Incarnation:
		return fmt.Errorf("%w: node %s is in its life %d, this is meant for %d", ErrStale, old.Name, old.Incarnation, cmd.Life)
	}
	n := *old
	n.Status, n.StatusSetBy, n.StatusSetAt = cmd.Status, clip(cmd.By, MaxStatusBy), cmd.At
	n.EvictAt, n.StatusLife = cmd.EvictAt, cmd.Life
	c.putNode(&n)
	if n.Status != NodeReady {
		askBack(c, n.ID)
	}
	return nil
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

// EvictShards has the nodes that run these attempts end them, so that their work
// starts elsewhere: once a node has reported the end, and only then.
type EvictShards struct {
	At    Time         `codec:"at"`
	Items []AttemptRef `codec:"i"`
}

func applyEvictShards(c *change, cmd *EvictShards) (any, error) {
	results := make([]error, len(cmd.Items))
	for i, ref := range cmd.Items {
		old := c.shard(ref.RunID, ref.Task, ref.Shard)
		if old == nil || old.Current.Number != ref.Attempt || old.State != ShardRunning || old.Why != "" {
			results[i] = ErrStale
			continue
		}
		s := *old
		s.Why = WhyDrain
		c.putShard(&s)
	}
	return results, nil
}

package scheduling

import (
	"time"

	"github.com/rota-scheduler/rota/fsm"
)

// Cluster is a snapshot of the nodes that can take work, with what they hold.
// Placing adds to it, so that one snapshot serves a batch of decisions. It is
// not safe for concurrent use.
type Cluster struct {
	view    *fsm.View
	nodes   []*candidate // in the order of their IDs
	byID    map[string]*candidate
	now     fsm.Time
	latency Latency
	// What was found out for this snapshot.
	rulings map[*Rules]*ruling
	tasks   map[taskKey]*taskLoad
	pools   map[string]*poolRoom
}

// candidate is a node that may be given work.
type candidate struct {
	node        *fsm.Node
	place       int // in the snapshot's list
	incarnation uint64
	// busy is the weight that runs, or is due and will start at once.
	busy int
	// booked is the weight that is armed for an instant to come. It takes
	// capacity at that instant, not before.
	booked map[fsm.Time]int
	total  int
	// strain is how hard its machine works, by its own word; see [Load].
	strain int
	// suspect: its heartbeats are missing, though its lease has not lapsed.
	suspect bool
	// kept: its room is for work that has waited for long, and for what stands
	// before that in the line.
	kept *fsm.Time
}

// Readiness says which incarnation of a node work may be armed for.
type Readiness func(node string) (incarnation uint64, ok bool)

// Latency is the round trip between two regions, as far as it is known.
type Latency func(from, to string) (rtt time.Duration, known bool)

// Facts are what a snapshot shows beside the store: what only the node that
// decides knows. Fields that are nil know nothing; Ready must be set.
type Facts struct {
	Ready   Readiness
	Latency Latency
	// Load is what a node said of its machine lately.
	Load func(node string) (Load, bool)
	// Suspect says that a node is to get work only where no other can take it.
	Suspect func(node string) bool
	// ledger spares reading all that the nodes hold for each snapshot.
	ledger *ledger
}

// NewCluster gathers the nodes that are ready and in touch, and their load.
func NewCluster(v *fsm.View, facts Facts, now fsm.Time) *Cluster {
	c := emptyCluster(v, now)
	c.latency = facts.Latency
	for n := range v.Nodes() {
		if n.Status != fsm.NodeReady {
			continue
		}
		if inc, ok := facts.Ready(n.ID); ok && inc == n.Incarnation {
			c.add(n)
			if facts.Load != nil {
				load, _ := facts.Load(n.ID)
				c.byID[n.ID].strain = load.strain()
			}
			c.byID[n.ID].suspect = facts.Suspect != nil && facts.Suspect(n.ID)
		}
	}
	for _, n := range c.nodes {
		if facts.ledger != nil {
			facts.ledger.of(n.node.ID).loadOn(n, v, now)
		} else {
			readAccount(v, v, n.node.ID, loads{}).loadOn(n, v, now)
		}
	}
	return c
}

func emptyCluster(v *fsm.View, now fsm.Time) *Cluster {
	return &Cluster{
		view: v, now: now, byID: map[string]*candidate{}, rulings: map[*Rules]*ruling{},
		tasks: map[taskKey]*taskLoad{}, pools: map[string]*poolRoom{},
	}
}

func (c *Cluster) add(n *fsm.Node) {
	cand := &candidate{node: n, place: len(c.nodes), incarnation: n.Incarnation, booked: map[fsm.Time]int{}}
	c.nodes = append(c.nodes, cand)
	c.byID[n.ID] = cand
}

func (c *candidate) take(at fsm.Time, weight int, now fsm.Time) {
	c.total += weight
	if at <= now {
		c.busy += weight
		return
	}
	c.booked[at] += weight
}

// free returns the capacity left at an instant.
func (c *candidate) free(at fsm.Time) int { return c.node.Capacity - c.busy - c.booked[at] }

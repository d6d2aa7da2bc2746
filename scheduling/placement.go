package scheduling

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rota-scheduler/rota/fsm"
)

// Cluster is a snapshot of the nodes that can take work, with what they hold.
// Placing adds to it, so that one snapshot serves a batch of decisions. It is
// not safe for concurrent use.
type Cluster struct {
	nodes []*candidate // in the order of their IDs
	byID  map[string]*candidate
}

// candidate is a node that may be given work.
type candidate struct {
	node        *fsm.Node
	incarnation uint64
	// busy is the weight that runs, or is due and will start at once.
	busy int
	// booked is the weight that is armed for an instant to come. It takes
	// capacity at that instant, not before.
	booked map[fsm.Time]int
	total  int
}

// Readiness says which incarnation of a node work may be armed for.
type Readiness func(node string) (incarnation uint64, ok bool)

// NewCluster gathers the nodes that are ready and in touch, and their load.
func NewCluster(v *fsm.View, ready Readiness, now fsm.Time) *Cluster {
	c := &Cluster{byID: map[string]*candidate{}}
	for n := range v.Nodes() {
		if n.Status != fsm.NodeReady {
			continue
		}
		inc, ok := ready(n.ID)
		if !ok || inc != n.Incarnation {
			continue
		}
		cand := &candidate{node: n, incarnation: inc, booked: map[fsm.Time]int{}}
		c.nodes = append(c.nodes, cand)
		c.byID[n.ID] = cand
	}
	for s := range v.Held() {
		if cand := c.byID[s.Current.Node]; cand != nil {
			if at, ok := startOf(v, s, now); ok {
				cand.take(at, s.Weight, now)
			}
		}
	}
	return c
}

// startOf returns when an attempt takes its capacity: at its instant for the
// gate of a scheduled run, otherwise now. A gate whose instant has come and that
// still waits for another run takes none: its node starts it when there is room.
func startOf(v *fsm.View, s *fsm.Shard, now fsm.Time) (at fsm.Time, ok bool) {
	if s.State == fsm.ShardRunning {
		return now, true
	}
	run := v.Run(s.RunID)
	if run == nil || run.Opened {
		return max(now, s.NotBefore), true
	}
	if run.NotBefore <= now && !ConditionMet(v, run) {
		return 0, false
	}
	return max(run.NotBefore, now), true
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

// Request asks for a place.
type Request struct {
	Ref    fsm.AttemptRef
	Weight int
	// Start is the instant from which the capacity is needed; now or earlier
	// for work that starts at once.
	Start fsm.Time
	// With is a node to prefer before all others, if the work fits there: the
	// one that decides what this work waits for.
	With string
	// Avoid is a node to take only if no other fits: where it failed before.
	Avoid string
	// Only is the one node that may take the work; empty means any.
	Only string
}

// Place finds the node for a request, or says why there is none. It is a pure
// function of the snapshot and what was placed with it before: of the nodes with
// room at that instant the one with the least work on its list, by share of its
// capacity, then the freest at that instant, then by ID.
func (c *Cluster) Place(r Request, now fsm.Time) (*fsm.Placement, string) {
	fits := make([]*candidate, 0, len(c.nodes))
	for _, n := range c.nodes {
		if n.free(r.Start) >= r.Weight && (r.Only == "" || r.Only == n.node.ID) {
			fits = append(fits, n)
		}
	}
	if len(fits) == 0 {
		return nil, c.whyNot(r)
	}
	best := slices.MinFunc(fits, func(a, b *candidate) int { return compare(a, b, r) })
	reason := fmt.Sprintf("least work on its list; %d of %d free", best.free(r.Start), best.node.Capacity)
	switch best.node.ID {
	case r.Only:
		reason = "the node that the shard is for"
	case r.With:
		reason = "beside the run that it waits for"
	}
	best.take(r.Start, r.Weight, now)
	return &fsm.Placement{
		AttemptRef: r.Ref, Node: best.node.ID, Incarnation: best.incarnation, Reason: reason,
	}, ""
}

func compare(a, b *candidate, r Request) int {
	if w := preferred(b, r) - preferred(a, r); w != 0 {
		return w
	}
	// Compare shares of the capacity without dividing. The whole list counts
	// first: by what is free at this instant alone, jobs whose instants all
	// differ would all go to whichever node is a little freer than the others.
	if d := a.total*b.node.Capacity - b.total*a.node.Capacity; d != 0 {
		return d
	}
	if d := b.free(r.Start)*a.node.Capacity - a.free(r.Start)*b.node.Capacity; d != 0 {
		return d
	}
	return strings.Compare(a.node.ID, b.node.ID)
}

func preferred(c *candidate, r Request) int {
	switch c.node.ID {
	case r.With:
		return 1
	case r.Avoid:
		return -1
	}
	return 0
}

func (c *Cluster) whyNot(r Request) string {
	if len(c.nodes) == 0 {
		return "no node is ready for work"
	}
	if r.Only != "" && c.byID[r.Only] == nil {
		return "the node that the shard is for is not ready"
	}
	most := 0
	for _, n := range c.nodes {
		if r.Only != "" && r.Only != n.node.ID {
			continue
		}
		most = max(most, n.free(r.Start))
	}
	largest := slices.MaxFunc(c.nodes, func(a, b *candidate) int { return a.node.Capacity - b.node.Capacity })
	if r.Weight > largest.node.Capacity {
		return fmt.Sprintf("needs weight %d, and the largest node has a capacity of %d: it will never fit", r.Weight, largest.node.Capacity)
	}
	return fmt.Sprintf("needs weight %d; the freest of %d nodes has %d", r.Weight, len(c.nodes), max(most, 0))
}

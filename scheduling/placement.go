package scheduling

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/rota-scheduler/rota/fsm"
)

// Request asks for a place.
type Request struct {
	Ref fsm.AttemptRef
	Job fsm.JobKey
	// Rules is what the task asks of its nodes.
	Rules  *Rules
	Weight int
	// Pools are what the attempt takes of the cluster's pools.
	Pools []fsm.PoolUse
	// Line is the place in the line of what waits.
	Line fsm.Time
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

// choice is a node that passed every filter.
type choice struct {
	node *candidate
	// fixed is its score by the node scorers, score the sum of all.
	fixed, score int
	// away is how far it is from the region of the work.
	away time.Duration
}

// Place finds the node for a request; nil means that there is none now, for a
// reason that [Cluster.WhyNot] gives. It is a pure function of the snapshot and
// what was placed with it before: of the nodes that pass every filter the one with
// the highest score.
func (c *Cluster) Place(r *Request) *fsm.Placement {
	if !c.poolsFit(r) {
		return nil
	}
	var best choice
	fits := 0
	may := c.rulingOf(r.Rules)
	for i, n := range may.nodes {
		if firstRefusal(workFilters, c, n, r) != nil {
			continue
		}
		fits++
		one := choice{n, may.points[i], may.points[i] + sum(workScorers, c, n, r), may.away[i]}
		if best.node == nil || compare(&one, &best, r) > 0 {
			best = one
		}
	}
	if fits == 0 {
		return nil
	}
	p := &fsm.Placement{
		AttemptRef: r.Ref, Node: best.node.node.ID, Incarnation: best.node.incarnation, Reason: c.whyHere(&best, fits, r),
	}
	c.take(best.node, r)
	return p
}

// take adds what was placed to the snapshot.
func (c *Cluster) take(n *candidate, r *Request) {
	n.take(r.Start, r.Weight, c.now)
	c.usePools(r)
	if r.Rules.counts() {
		c.taskLoad(r).add(n)
	}
}

// compare orders choices, the better one last: first what is not suspect, then what
// is nearest to the region of the work, then what is preferred whatever it scores,
// then the score, then what is free at the instant, then how hard the
// machines work, then the ID.
func compare(a, b *choice, r *Request) int {
	x, y := a.node, b.node
	switch {
	case x.suspect && !y.suspect:
		return -1
	case y.suspect && !x.suspect:
		return 1
	}
	if d := cmp.Or(cmp.Compare(b.away, a.away), preferred(x, r)-preferred(y, r), a.score-b.score); d != 0 {
		return d
	}
	// Shares of the capacity are compared without dividing.
	return cmp.Or(
		cmp.Compare(x.free(r.Start)*y.node.Capacity, y.free(r.Start)*x.node.Capacity),
		cmp.Compare(y.strain, x.strain),
		strings.Compare(y.node.ID, x.node.ID),
	)
}

func preferred(c *candidate, r *Request) int {
	switch {
	case c.node.ID == r.With:
		return 1
	case c.node.ID == r.Avoid:
		return -1
	}
	return 0
}

// whyHere says why a node was chosen. It is kept with the attempt, so that it
// still says what was true when the decision was made.
func (c *Cluster) whyHere(best *choice, fits int, r *Request) string {
	room := c.whyRegion(best.node, r) + fmt.Sprintf("%d of %d free", best.node.free(r.Start), best.node.node.Capacity)
	switch {
	case best.node.node.ID == r.Only:
		return "the node that the shard is for; " + room
	case best.node.node.ID == r.With:
		return "beside the run that it waits for; " + room
	case fits == 1:
		return "the only node that may take it; " + room
	}
	return fmt.Sprintf("best of %d nodes; %s%s", fits, room, c.parts(best, r))
}

// parts lists the scores that made a decision where there is more than one.
func (c *Cluster) parts(best *choice, r *Request) string {
	if r.Rules == nil {
		return ""
	}
	var b strings.Builder
	list := func(scorers []scorer) {
		for i := range scorers {
			if score := scorers[i].score(c, best.node, r); score != 0 {
				fmt.Fprintf(&b, "; %s %+.1f", scorers[i].name, float64(score)/point)
			}
		}
	}
	list(nodeScorers)
	list(workScorers)
	return b.String()
}

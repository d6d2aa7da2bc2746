package scheduling

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/rota-scheduler/rota/fsm"
)

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

// choice is a node that passed every filter.
type choice struct {
	node  *candidate
	score int
}

// Place finds the node for a request, or says why there is none. It is a pure
// function of the snapshot and what was placed with it before: of the nodes that
// pass every filter the one with the highest score.
func (c *Cluster) Place(r Request) (*fsm.Placement, string) {
	var best choice
	fits := 0
	for _, n := range c.nodes {
		if c.firstRefusal(n, &r) >= 0 {
			continue
		}
		fits++
		if one := (choice{n, c.scoreOf(n, &r)}); best.node == nil || c.compare(one, best, &r) > 0 {
			best = one
		}
	}
	if fits == 0 {
		return nil, c.whyNot(&r)
	}
	reason := c.whyHere(best, fits, &r)
	best.node.take(r.Start, r.Weight, c.now)
	return &fsm.Placement{
		AttemptRef: r.Ref, Node: best.node.node.ID, Incarnation: best.node.incarnation, Reason: reason,
	}, ""
}

func (c *Cluster) scoreOf(n *candidate, r *Request) int {
	sum := 0
	for i := range scorers {
		sum += scorers[i].score(c, n, r)
	}
	return sum
}

// compare orders choices, the better one last: first what is preferred whatever
// it scores, then the score, then what is free at the instant, then the ID.
func (c *Cluster) compare(a, b choice, r *Request) int {
	x, y := a.node, b.node
	// Shares of the capacity are compared without dividing.
	return cmp.Or(
		cmp.Compare(preferred(x, r), preferred(y, r)),
		cmp.Compare(a.score, b.score),
		cmp.Compare(x.free(r.Start)*y.node.Capacity, y.free(r.Start)*x.node.Capacity),
		strings.Compare(y.node.ID, x.node.ID),
	)
}

func preferred(c *candidate, r *Request) int {
	switch {
	case c.suspect:
		return -2
	case c.node.ID == r.With:
		return 1
	case c.node.ID == r.Avoid:
		return -1
	}
	return 0
}

// whyHere says why a node was chosen. It is kept with the attempt, so that it
// still says what was true when the decision was made.
func (c *Cluster) whyHere(best choice, fits int, r *Request) string {
	room := fmt.Sprintf("%d of %d free", best.node.free(r.Start), best.node.node.Capacity)
	switch {
	case best.node.node.ID == r.Only:
		return "the node that the shard is for; " + room
	case best.node.node.ID == r.With:
		return "beside the run that it waits for; " + room
	case fits == 1:
		return "the only node that may take it; " + room
	}
	return fmt.Sprintf("best of %d nodes; %s%s", fits, room, c.parts(best.node, r))
}

// parts lists the scores that made a decision where there is more than one.
func (c *Cluster) parts(n *candidate, r *Request) string {
	var b strings.Builder
	kinds := 0
	for i := range scorers {
		if score := scorers[i].score(c, n, r); score != 0 {
			kinds++
			fmt.Fprintf(&b, "; %s %+.1f", scorers[i].name, float64(score)/point)
		}
	}
	if kinds < 2 {
		return ""
	}
	return b.String()
}

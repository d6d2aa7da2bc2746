package scheduling

// point is the unit that scores are counted in. Scores are whole numbers, so
// that the same snapshot gives the same plan on every machine.
const point = 1000

// scorer rates a node that passed the filters. Its scores are added to those of
// the others; docs/placement.md has the formula. Scorers are pure functions of
// the snapshot.
type scorer struct {
	// name stands in the reason of a decision.
	name  string
	score func(c *Cluster, n *candidate, r *Request) int
}

// nodeScorers depend on the task's rules and the node alone. They are asked once
// for each node and each [Rules] of a snapshot, and never where a task has none.
var nodeScorers = []scorer{affine}

// workScorers depend on what the nodes hold.
var workScorers = []scorer{room, spread}

// affine adds the weights of the affinities that a node meets.
var affine = scorer{"affinity", func(_ *Cluster, n *candidate, r *Request) int {
	sum := 0
	for _, a := range r.Rules.affinities {
		if a.Rule != nil && a.Holds(n.node) {
			sum += a.points * point
		}
	}
	return sum
}}

// room rates a node by what it would have on its list, as a share of its
// capacity: 100 points for nothing at all, 50 for as much as it can take at once.
// The whole list counts, not what is free at one instant: by that alone, jobs
// whose instants all differ would all go to whichever node is a little freer.
var room = scorer{"room", func(_ *Cluster, n *candidate, r *Request) int {
	capacity := max(n.node.Capacity, 1)
	return 100 * point * capacity / (capacity + n.total + r.Weight)
}}

// spread has the attempts of a task be as many on each value of an attribute.
var spread = scorer{"spread", func(c *Cluster, n *candidate, r *Request) int {
	if r.Rules == nil || len(r.Rules.spreads) == 0 {
		return 0
	}
	sum := 0
	spreads := c.spreadLoads(r)
	for i := range spreads {
		sum += spreads[i].score(n)
	}
	return sum
}}

func sum(scorers []scorer, c *Cluster, n *candidate, r *Request) int {
	total := 0
	for i := range scorers {
		total += scorers[i].score(c, n, r)
	}
	return total
}

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

// scorers in the order in which a reason names them.
var scorers = []scorer{room}

// room rates a node by what it would have on its list, as a share of its
// capacity: 100 points for nothing at all, 50 for as much as it can take at once.
// The whole list counts, not what is free at one instant: by that alone, jobs
// whose instants all differ would all go to whichever node is a little freer.
var room = scorer{"room", func(_ *Cluster, n *candidate, r *Request) int {
	capacity := max(n.node.Capacity, 1)
	return 100 * point * capacity / (capacity + n.total + r.Weight)
}}

package scheduling

import (
	"fmt"
	"strings"
	"time"
)

// filter is a rule that a node must pass to take the work. Filters are pure
// functions of the snapshot.
type filter struct {
	pass func(c *Cluster, n *candidate, r *Request) bool
	// why says, for people and in few words, what is in the way on a node that did
	// not pass. Nodes with the same words are counted together.
	why func(c *Cluster, n *candidate, r *Request) string
}

// nodeFilters depend on the task's rules and the node alone. They are asked once
// for each node and each [Rules] of a snapshot: not for each shard.
var nodeFilters = []filter{atHome, constraints}

// workFilters depend on what the nodes hold. A node passes them in this order, and
// the first that it does not pass is the one that counts in the explanation: what
// no waiting mends stands first, and room last.
var workFilters = []filter{bound, perNode, unkept, capacity}

// constraints: a node must meet all that the job and the task demand.
var constraints = filter{
	pass: func(_ *Cluster, n *candidate, r *Request) bool { return r.Rules.unmet(n) == "" },
	why:  func(_ *Cluster, n *candidate, r *Request) string { return "not " + r.Rules.unmet(n) },
}

// unmet returns the first constraint that a node does not meet.
func (r *Rules) unmet(n *candidate) string {
	if r.broken != "" {
		return r.broken
	}
	for _, rule := range r.constraints {
		if !rule.Holds(n.node) {
			return rule.String()
		}
	}
	return ""
}

// bound: a shard that is for one node goes nowhere else.
var bound = filter{
	pass: func(_ *Cluster, n *candidate, r *Request) bool { return r.Only == "" || r.Only == n.node.ID },
	why:  func(*Cluster, *candidate, *Request) string { return "the shard is for another" },
}

// perNode: at most max_per_node attempts of a task are on one node.
var perNode = filter{
	pass: func(c *Cluster, n *candidate, r *Request) bool {
		return r.Rules == nil || r.Rules.maxPerNode == 0 || c.taskLoad(r).onNode[n.place] < r.Rules.maxPerNode
	},
	why: func(_ *Cluster, _ *candidate, r *Request) string {
		return fmt.Sprintf("max_per_node = %d is reached", r.Rules.maxPerNode)
	},
}

// unkept: the room of some nodes is for work that has waited for long.
var unkept = filter{
	pass: func(_ *Cluster, n *candidate, r *Request) bool { return n.kept == nil || r.Line <= *n.kept },
	why: func(*Cluster, *candidate, *Request) string {
		return "kept for work that has waited for long"
	},
}

// capacity: a node never takes more than it has room for at the instant.
var capacity = filter{
	pass: func(_ *Cluster, n *candidate, r *Request) bool { return n.free(r.Start) >= r.Weight },
	why:  func(_ *Cluster, _ *candidate, r *Request) string { return fmt.Sprintf("no room for %d", r.Weight) },
}

// ruling is what follows from the rules of a task for the nodes of a snapshot,
// whatever they hold.
type ruling struct {
	nodes  []*candidate // those that pass the node filters
	points []int        // what each of them scores by the node scorers
	away   []time.Duration
}

func (c *Cluster) rulingOf(rules *Rules) *ruling {
	if v := c.rulings[rules]; v != nil {
		return v
	}
	v := &ruling{}
	c.rulings[rules] = v
	if rules == nil {
		v.nodes, v.points, v.away = c.nodes, make([]int, len(c.nodes)), make([]time.Duration, len(c.nodes))
		return v
	}
	r := &Request{Rules: rules}
	for _, n := range c.nodes {
		if firstRefusal(nodeFilters, c, n, r) == nil {
			v.nodes = append(v.nodes, n)
			v.points = append(v.points, sum(nodeScorers, c, n, r))
			v.away = append(v.away, c.away(n, rules.home))
		}
	}
	return v
}

// firstRefusal returns the first of the filters that a node does not pass, or nil.
func firstRefusal(filters []filter, c *Cluster, n *candidate, r *Request) *filter {
	for i := range filters {
		if !filters[i].pass(c, n, r) {
			return &filters[i]
		}
	}
	return nil
}

// WhyNot explains why Place found no node; it is "" if there is one.
func (c *Cluster) WhyNot(r *Request) string {
	if why := c.whyNoPool(r); why != "" {
		return why
	}
	if len(c.nodes) == 0 {
		return "no node is ready for work"
	}
	if r.Only != "" && c.byID[r.Only] == nil {
		return "the node that the shard is for is not ready"
	}
	var reasons []string
	counts := map[string]int{}
	var full []*candidate // those that lack nothing but room
	for _, n := range c.nodes {
		f := firstRefusal(workFilters, c, n, r)
		if r.Rules != nil {
			if first := firstRefusal(nodeFilters, c, n, r); first != nil {
				f = first
			}
		}
		switch {
		case f == nil:
			return ""
		case f == &workFilters[len(workFilters)-1]:
			full = append(full, n)
		default:
			why := f.why(c, n, r)
			if counts[why]++; counts[why] == 1 {
				reasons = append(reasons, why)
			}
		}
	}
	for i, why := range reasons {
		reasons[i] = fmt.Sprintf("%s: %s", nodes(counts[why]), why)
	}
	if len(full) > 0 {
		reasons = append(reasons, whyNoRoom(full, r))
	}
	return strings.Join(reasons, "; ")
}

func whyNoRoom(full []*candidate, r *Request) string {
	roomiest, largest := 0, 0
	for _, n := range full {
		roomiest, largest = max(roomiest, n.free(r.Start)), max(largest, n.node.Capacity)
	}
	if r.Weight > largest {
		return fmt.Sprintf("needs weight %d, and the largest node that may take it has a capacity of %d: it will never fit", r.Weight, largest)
	}
	return fmt.Sprintf("needs weight %d; the freest of %s has %d", r.Weight, nodes(len(full)), roomiest)
}

func nodes(n int) string {
	if n == 1 {
		return "1 node"
	}
	return fmt.Sprintf("%d nodes", n)
}

package scheduling

import (
	"fmt"
	"strings"
)

// filter is a rule that a node must pass to take the work. Filters are pure
// functions of the snapshot.
type filter struct {
	pass func(c *Cluster, n *candidate, r *Request) bool
	// why says, for people and in few words, what the rule asked of the nodes
	// that did not pass it.
	why func(c *Cluster, r *Request) string
}

// filters in the order in which a node passes them. The first that it does not
// pass is the one that counts in the explanation, so that what no waiting mends
// stands before what it does.
var filters = []filter{bound, capacity}

// bound: a shard that is for one node goes nowhere else.
var bound = filter{
	pass: func(_ *Cluster, n *candidate, r *Request) bool { return r.Only == "" || r.Only == n.node.ID },
	why:  func(*Cluster, *Request) string { return "the shard is for another" },
}

// capacity: a node never takes more than it has room for at the instant.
var capacity = filter{
	pass: func(_ *Cluster, n *candidate, r *Request) bool { return n.free(r.Start) >= r.Weight },
	why:  func(_ *Cluster, r *Request) string { return fmt.Sprintf("no room for weight %d", r.Weight) },
}

// whyNot explains why no node passed. It counts the nodes by the first filter
// that each did not pass, so that the counts add up.
func (c *Cluster) whyNot(r *Request) string {
	if len(c.nodes) == 0 {
		return "no node is ready for work"
	}
	if r.Only != "" && c.byID[r.Only] == nil {
		return "the node that the shard is for is not ready"
	}
	refused := make([]int, len(filters))
	roomiest, largest := 0, 0
	for _, n := range c.nodes {
		i := c.firstRefusal(n, r)
		refused[i]++
		if i == len(filters)-1 { // all but room
			roomiest, largest = max(roomiest, n.free(r.Start)), max(largest, n.node.Capacity)
		}
	}
	room := refused[len(filters)-1]
	var parts []string
	for i, n := range refused[:len(filters)-1] {
		if n > 0 {
			parts = append(parts, fmt.Sprintf("%s: %s", nodes(n), filters[i].why(c, r)))
		}
	}
	switch {
	case room == 0:
	case r.Weight > largest:
		parts = append(parts, fmt.Sprintf("needs weight %d, and the largest node that may take it has a capacity of %d: it will never fit", r.Weight, largest))
	default:
		parts = append(parts, fmt.Sprintf("needs weight %d; the freest of %s has %d", r.Weight, nodes(room), roomiest))
	}
	return strings.Join(parts, "; ")
}

// firstRefusal returns the first filter that a node does not pass, or -1.
func (c *Cluster) firstRefusal(n *candidate, r *Request) int {
	for i := range filters {
		if !filters[i].pass(c, n, r) {
			return i
		}
	}
	return -1
}

func nodes(n int) string {
	if n == 1 {
		return "1 node"
	}
	return fmt.Sprintf("%d nodes", n)
}

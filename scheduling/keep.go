package scheduling

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/rota-scheduler/rota/fsm"
)

// keepStep is how long work that waits in front of all that is new keeps one
// node's room; then it keeps two, then four, until it keeps all.
const keepStep = time.Minute

// keep has room stay free for work that found none although it has waited so long
// that nothing new comes before it. Without that, work that needs much room would
// wait for ever while less finds its way past it. What comes after it in the line
// is not placed where it may go.
//
// At first it keeps the node that lacks least. That node only gains room while it
// is kept, so that another is kept instead only when it has more. Because what
// runs there may never end, more nodes are kept as time goes by.
func (c *Cluster) keep(r *Request) {
	overdue := fsm.Aged(c.now).Sub(r.Line)
	if overdue < 0 {
		return
	}
	if !c.poolsFit(r) {
		if c.couldRun(r) {
			c.keepPools(r)
		}
		return
	}
	var full []*candidate
	for _, n := range c.rulingOf(r.Rules).nodes {
		if n.node.Capacity >= r.Weight && firstRefusal(workFilters, c, n, r) == &workFilters[len(workFilters)-1] {
			full = append(full, n)
		}
	}
	slices.SortFunc(full, func(a, b *candidate) int {
		return cmp.Or(cmp.Compare(b.free(r.Start), a.free(r.Start)), strings.Compare(a.node.ID, b.node.ID))
	})
	many := 1 << min(overdue/keepStep, 16)
	for _, n := range full[:min(many, len(full))] {
		n.kept = &r.Line
	}
}

// couldRun says whether what a request lacks of its pools may be all that it lacks.
// Work that no node can take, or that takes more of a pool than there is, would keep
// its pools from everybody for nothing.
func (c *Cluster) couldRun(r *Request) bool {
	for _, use := range r.Pools {
		if p := c.pool(use.Name); !p.gone && use.Weight > p.limit {
			return false
		}
	}
	return slices.ContainsFunc(c.rulingOf(r.Rules).nodes, func(n *candidate) bool {
		return n.node.Capacity >= r.Weight && (r.Only == "" || r.Only == n.node.ID)
	})
}

func (c *Cluster) keepPools(r *Request) {
	for _, use := range r.Pools {
		if p := c.pool(use.Name); p.kept == nil {
			p.kept = &r.Line
		}
	}
}

package scheduling

import (
	"fmt"

	"github.com/rota-scheduler/rota/fsm"
)

// poolRoom is what is left of a pool.
type poolRoom struct {
	limit, free int
	// kept: what is left is for work that has waited for long, and for what stands
	// before that in the line.
	kept *fsm.Time
	// gone: there is no such pool any more, and it bounds nothing.
	gone bool
}

func (c *Cluster) pool(name string) *poolRoom {
	p := c.pools[name]
	if p == nil {
		p = &poolRoom{gone: true}
		if c.view != nil {
			if row := c.view.Pool(name); row != nil {
				p = &poolRoom{limit: row.Limit, free: row.Limit - row.Used}
			}
		}
		c.pools[name] = p
	}
	return p
}

func (p *poolRoom) fits(use fsm.PoolUse, line fsm.Time) bool {
	return p.gone || use.Weight <= p.free && (p.kept == nil || line <= *p.kept)
}

// poolsFit says whether each pool has room. Apply checks the same again.
func (c *Cluster) poolsFit(r *Request) bool {
	for _, use := range r.Pools {
		if !c.pool(use.Name).fits(use, r.Line) {
			return false
		}
	}
	return true
}

func (c *Cluster) usePools(r *Request) {
	for _, use := range r.Pools {
		c.pool(use.Name).free -= use.Weight
	}
}

// whyNoPool explains which pool is in the way, if one is.
func (c *Cluster) whyNoPool(r *Request) string {
	for _, use := range r.Pools {
		switch p := c.pool(use.Name); {
		case p.fits(use, r.Line):
		case use.Weight > p.limit:
			return fmt.Sprintf("takes %d of pool %s, which has %d: it will never fit", use.Weight, use.Name, p.limit)
		case use.Weight <= p.free:
			return fmt.Sprintf("pool %s is kept for work that has waited for long", use.Name)
		default:
			return fmt.Sprintf("waits for pool %s: it takes %d, and %d of %d are in use", use.Name, use.Weight, p.limit-p.free, p.limit)
		}
	}
	return ""
}

package check

import (
	"fmt"
	"time"
)

// recovery checks that the cluster came back by itself in time.
func (c *checker) recovery() {
	r := c.Recovery
	if r == nil {
		return
	}
	if len(r.Leaders) != 1 {
		c.addRecovery(fmt.Sprintf("%s after the last fault these nodes lead: %v", r.Within, r.Leaders))
	}
	var least, most uint64
	for _, index := range r.Indexes {
		if least == 0 || index < least {
			least = index
		}
		most = max(most, index)
	}
	if least != most {
		c.addRecovery(fmt.Sprintf("%s after the last fault the nodes have applied up to %v", r.Within, r.Indexes))
	}
	for _, node := range r.Unready {
		c.addRecovery(fmt.Sprintf("%s after the last fault the leader gives no work to %s", r.Within, node))
	}
	for _, ghost := range r.Ghosts {
		c.addRecovery(fmt.Sprintf("%s after the last fault %s runs without a process", r.Within, ghost))
	}
	for _, run := range r.Stuck {
		c.addRecovery(run + " does not end")
	}
	c.probe(r)
}

// probe checks that what is due once the cluster must have recovered is on time.
func (c *checker) probe(r *Recovery) {
	from := r.Healed.Add(r.Within)
	for _, d := range c.Due {
		if d.Job != r.Probe {
			continue
		}
		for _, at := range d.Instants {
			if at.Time().Before(from) {
				continue
			}
			key := fireKey{d.Job, at}
			begun := c.begun[key]
			if len(begun) == 0 || begun[0].Begin.Sub(at.Time()) > r.Late {
				late := "it did not start"
				if len(begun) > 0 {
					late = fmt.Sprintf("it was %s late", begun[0].Begin.Sub(at.Time()).Round(time.Millisecond))
				}
				c.add(NotRecovered, key, fmt.Sprintf("due %s after the last fault, %s", at.Time().Sub(r.Healed).Round(time.Millisecond), late))
				return // the next ones say the same
			}
		}
	}
}

func (c *checker) addRecovery(detail string) {
	c.found.Violations = append(c.found.Violations, Violation{Kind: NotRecovered, Detail: detail, Story: c.story(fireKey{}, nil)})
}

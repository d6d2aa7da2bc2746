package scheduling

import (
	"fmt"

	"github.com/rota-scheduler/rota/fsm"
)

// maxWarnings bounds the answer; the rest are counted.
const maxWarnings = 20

// Warnings says which tasks of jobs no node of the cluster could take as it is now,
// in the order of the jobs. That is no error: a node that can may be on its way.
func Warnings(v *fsm.View, specs []fsm.JobSpec) []string {
	c := emptyCluster(v, 0)
	for n := range v.Nodes() {
		if n.Status != fsm.NodeLeft && n.Status != fsm.NodeDown {
			c.add(n)
		}
	}
	if len(c.nodes) == 0 {
		return nil
	}
	var found []string
	more := 0
	for i := range specs {
		for t := range specs[i].Tasks {
			text := c.warning(&specs[i], &specs[i].Tasks[t])
			switch {
			case text == "":
			case len(found) == maxWarnings:
				more++
			default:
				found = append(found, text)
			}
		}
	}
	if more > 0 {
		found = append(found, fmt.Sprintf("and %d more", more))
	}
	return found
}

func (c *Cluster) warning(spec *fsm.JobSpec, t *fsm.Task) string {
	rules := compileRules(spec, t)
	may := c.nodes
	if rules != nil {
		may = c.rulingOf(rules).nodes
		delete(c.rulings, rules) // of this task alone
	}
	largest := 0
	for _, n := range may {
		largest = max(largest, n.node.Capacity)
	}
	switch {
	case len(may) == 0:
		return fmt.Sprintf("job %s, task %q: no node meets its constraints; it would wait until one does", spec.Key(), t.Name)
	case t.Load() > largest:
		return fmt.Sprintf("job %s, task %q: its weight is %d, and the largest node that may take it has a capacity of %d; it would wait until a larger one comes", spec.Key(), t.Name, t.Load(), largest)
	}
	return ""
}

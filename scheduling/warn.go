package scheduling

import (
	"fmt"

	"github.com/rota-scheduler/rota/fsm"
)

// maxWarnings bounds the answer; the rest are counted.
const maxWarnings = 20

// warnings is a bounded list of them.
type warnings struct {
	found []string
	more  int
}

func (w *warnings) addf(format string, args ...any) {
	if len(w.found) == maxWarnings {
		w.more++
		return
	}
	w.found = append(w.found, fmt.Sprintf(format, args...))
}

func (w *warnings) list() []string {
	if w.more > 0 {
		return append(w.found, fmt.Sprintf("and %d more", w.more))
	}
	return w.found
}

// Warnings says what of an apply could not run in the cluster as it is now: first
// what pools with a new limit hold up, then which tasks no node could take, in the
// order of the jobs. That is no error: a node that can may be on its way.
func Warnings(v *fsm.View, specs []fsm.JobSpec, pools []fsm.PoolResult) []string {
	var w warnings
	w.ofPools(v, specs, pools)
	w.ofNodes(v, specs)
	return w.list()
}

// ofPools: apply checks the jobs that come with it against the pools, and leaves
// those that there are alone. They wait, and nobody would know why.
func (w *warnings) ofPools(v *fsm.View, specs []fsm.JobSpec, pools []fsm.PoolResult) {
	limits := map[string]int{}
	for _, result := range pools {
		if !result.Changed || result.Created {
			continue
		}
		pool := v.Pool(result.Name)
		if pool == nil {
			continue
		}
		if pool.Jobs > 0 {
			limits[pool.Name] = result.Limit
		}
		if pool.Used > result.Limit {
			w.addf("pool %s: %d of it are in use, and its limit is %d now; what runs goes on, and nothing more of it starts until less is in use",
				pool.Name, pool.Used, result.Limit)
		}
	}
	if len(limits) == 0 {
		return
	}
	applied := map[fsm.JobKey]bool{}
	for i := range specs {
		applied[specs[i].Key()] = true
	}
	for job := range v.Jobs(fsm.JobKey{}) {
		if version := v.Version(job.Key(), job.Version); version != nil && !applied[job.Key()] && !job.Deleting {
			w.ofPoolUses(version.Spec(), limits)
		}
	}
}

func (w *warnings) ofPoolUses(spec *fsm.JobSpec, limits map[string]int) {
	for i := range spec.Tasks {
		for _, use := range spec.Tasks[i].Pools {
			if limit, changed := limits[use.Name]; changed && use.Weight > limit {
				w.addf("job %s, task %q: it takes %d of pool %s, whose limit is %d now; it would wait until that is raised, or the job changed",
					spec.Key(), spec.Tasks[i].Name, use.Weight, use.Name, limit)
			}
		}
	}
}

func (w *warnings) ofNodes(v *fsm.View, specs []fsm.JobSpec) {
	c := emptyCluster(v, 0)
	for n := range v.Nodes() {
		if n.Status != fsm.NodeLeft && n.Status != fsm.NodeDown {
			c.add(n)
		}
	}
	if len(c.nodes) == 0 {
		return
	}
	for i := range specs {
		for t := range specs[i].Tasks {
			if text := c.warning(&specs[i], &specs[i].Tasks[t]); text != "" {
				w.addf("%s", text)
			}
		}
	}
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

package jobspec

import (
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"github.com/rota-scheduler/rota/fsm"
)

var poolSchema = &hcl.BodySchema{Attributes: []hcl.AttributeSchema{{Name: "limit", Required: true}}}

// Content is what job files hold.
type Content struct {
	Jobs  []fsm.JobSpec
	Pools []fsm.PutPool
	// uses are where tasks name pools that stand in none of the files.
	uses []poolUse
}

// poolUse is one task's word on one pool.
type poolUse struct {
	fsm.PoolUse
	at hcl.Range
}

// CheckPools reports tasks that name a pool that neither the files nor the cluster
// have, or more of one than there is. limit returns a pool of the cluster.
func (c *Content) CheckPools(limit func(name string) (limit int, known bool)) hcl.Diagnostics {
	report := &reporter{}
	for _, use := range c.uses {
		n, known := limit(use.Name)
		use.check(report, n, known)
	}
	return report.diags
}

// UnknownPools returns the pools that tasks name and that stand in none of the
// files, in the order of their names. Only a cluster can tell whether it has them.
func (c *Content) UnknownPools() []string {
	var names []string
	for _, use := range c.uses {
		names = append(names, use.Name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func (u *poolUse) check(report *reporter, limit int, known bool) {
	switch {
	case !known:
		report.errorf(u.at, "Unknown pool", "There is no pool %q, in these files or in the cluster. Declare it beside the jobs: pool %q { limit = 3 }.", u.Name, u.Name)
	case u.Weight > limit:
		report.errorf(u.at, invalidValue, "The task takes %d of the pool %q, which has %d: it could never run.", u.Weight, u.Name, limit)
	}
}

// pool reads a pool block of a file.
func (d *decoder) pool(file *fields, block *hcl.Block) {
	f := file.child(block, poolSchema)
	name := block.Labels[0]
	if err := fsm.CheckName(name); err != nil {
		f.errorAt("", block.LabelRanges[0], "Invalid name", "%s", sentence(strings.TrimPrefix(err.Error(), fsm.ErrInvalid.Error()+": ")))
	}
	if first, twice := d.pools[name]; twice {
		f.errorAt("", block.DefRange, "Duplicate pool", "There is already a pool %q, at %s.", name, place(first))
		return
	}
	if len(d.pools) >= fsm.MaxPools {
		f.errorAt("", block.DefRange, "Too many pools", "Use at most %d pools.", fsm.MaxPools)
		return
	}
	d.pools[name] = block.DefRange
	limit, _ := f.between("limit", 1, fsm.MaxPoolLimit)
	d.content.Pools = append(d.content.Pools, fsm.PutPool{Name: name, Limit: int(limit)})
}

// notePools keeps where a job's tasks name pools.
func (d *decoder) notePools(j *jobBlock) {
	for i := range j.spec.Tasks {
		for _, use := range j.spec.Tasks[i].Pools {
			d.content.uses = append(d.content.uses, poolUse{use, j.tasks[i].poolPlace(use.Name)})
		}
	}
}

// checkPools checks the uses of the pools that stand in the files, and keeps the
// others for who knows the cluster.
func (d *decoder) checkPools() {
	limits := make(map[string]int, len(d.content.Pools))
	for _, p := range d.content.Pools {
		limits[p.Name] = p.Limit
	}
	var others []poolUse
	for _, use := range d.content.uses {
		limit, known := limits[use.Name]
		switch {
		case !known:
			others = append(others, use)
		case limit > 0: // else it was reported
			use.check(d.report, limit, true)
		}
	}
	d.content.uses = others
}

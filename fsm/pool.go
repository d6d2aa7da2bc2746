package fsm

import (
	"fmt"
	"iter"
)

// Pool bounds what the cluster does at once of the tasks that name it, whatever
// their jobs and nodes.
type Pool struct {
	Name  string `codec:"n" json:"name"`
	Limit int    `codec:"l" json:"limit"`
	// Used is the weight of the attempts that nodes hold: armed, being taken back,
	// running, or lost and not known to have ended. It may be above Limit where
	// that has been lowered.
	Used int `codec:"u,omitempty" json:"used"`
	// Jobs counts the jobs whose current version names the pool.
	Jobs        int    `codec:"j,omitempty" json:"jobs"`
	ModifyIndex uint64 `codec:"mi" json:"modify_index"`
}

// PoolUse is how much of a pool an attempt takes.
type PoolUse struct {
	Name   string `codec:"n" json:"name"`
	Weight int    `codec:"w" json:"weight"`
}

// Bounds of pools.
const (
	MaxPools     = 1_000
	MaxPoolLimit = MaxWeight
	MaxPoolUses  = 16
)

// ApplyFile puts pools and jobs: all of them or, if one is refused, none.
type ApplyFile struct {
	Pools []PutPool `codec:"p,omitempty"`
	PutJobs
}

// PutPool is a pool as a file describes it.
type PutPool struct {
	Name  string `codec:"n" json:"name"`
	Limit int    `codec:"l" json:"limit"`
}

// ApplyResult says what became of an ApplyFile.
type ApplyResult struct {
	Pools []PoolResult
	Jobs  []PutResult
}

// PoolResult says what became of one pool of an ApplyFile.
type PoolResult struct {
	Name    string `json:"name"`
	Limit   int    `json:"limit"`
	Created bool   `json:"created"`
	Changed bool   `json:"changed"`
}

// DeletePool removes a pool that no job names.
type DeletePool struct {
	At   Time   `codec:"at"`
	Name string `codec:"n"`
}

func applyApplyFile(c *change, cmd *ApplyFile) (any, error) {
	var result ApplyResult
	seen := make(map[string]bool, len(cmd.Pools))
	for i := range cmd.Pools {
		p := &cmd.Pools[i]
		if err := p.Validate(); err != nil {
			return nil, err
		}
		if seen[p.Name] {
			return nil, fmt.Errorf("%w: pool %s stands twice in one request", ErrInvalid, p.Name)
		}
		seen[p.Name] = true
		result.Pools = append(result.Pools, putPool(c, p))
	}
	if n := count(c.Pools()); n > MaxPools {
		return nil, fmt.Errorf("%w: the cluster would have %d pools, at most %d", ErrInvalid, n, MaxPools)
	}
	jobs, err := applyPutJobs(c, &cmd.PutJobs)
	if err != nil {
		return nil, err
	}
	result.Jobs, _ = jobs.([]PutResult)
	return result, nil
}

// Validate returns the rule that the pool breaks, if any.
func (p *PutPool) Validate() error {
	if err := CheckName(p.Name); err != nil {
		return fmt.Errorf("pool: %w", err)
	}
	if p.Limit < 1 || p.Limit > MaxPoolLimit {
		return fmt.Errorf("%w: pool %s: limit %d is outside 1 to %d", ErrInvalid, p.Name, p.Limit, MaxPoolLimit)
	}
	return nil
}

func putPool(c *change, p *PutPool) PoolResult {
	result := PoolResult{Name: p.Name, Limit: p.Limit, Created: true, Changed: true}
	pool := Pool{Name: p.Name}
	if old := c.pool(p.Name); old != nil {
		pool, result.Created, result.Changed = *old, false, old.Limit != p.Limit
	} else {
		// Runs of a version from when there was a pool of this name may be at work.
		pool.Used = heldOf(c, p.Name)
	}
	pool.Limit = p.Limit
	if result.Changed {
		c.putPool(&pool)
	}
	return result
}

// heldOf adds up what attempts hold of a pool.
func heldOf(c *change, pool string) int {
	sum := 0
	for s := range c.Held() {
		for _, use := range s.Pools {
			if use.Name == pool {
				sum += use.Weight
			}
		}
	}
	return sum
}

func applyDeletePool(c *change, cmd *DeletePool) (any, error) {
	pool := c.pool(cmd.Name)
	switch {
	case pool == nil:
		return nil, fmt.Errorf("pool %s: %w", cmd.Name, ErrNotFound)
	case pool.Jobs > 0:
		return nil, fmt.Errorf("%w: pool %s is named by %d jobs: change or delete them first", ErrConflict, cmd.Name, pool.Jobs)
	case pool.Used > 0:
		return nil, fmt.Errorf("%w: pool %s is in use: wait until what runs in it has ended", ErrConflict, cmd.Name)
	}
	c.remove(tablePools, pool)
	return nil, nil
}

// CheckPools refuses a job that names a pool that there is not, or more of one than
// it has; limitOf returns the limit of a pool. Its error is ErrInvalid.
func (s *JobSpec) CheckPools(limitOf func(pool string) (limit int, known bool)) error {
	for i := range s.Tasks {
		for _, use := range s.Tasks[i].Pools {
			limit, known := limitOf(use.Name)
			if !known {
				return fmt.Errorf("%w: task %q: there is no pool %q", ErrInvalid, s.Tasks[i].Name, use.Name)
			}
			if use.Weight > limit {
				return fmt.Errorf("%w: task %q takes %d of pool %q, which has %d", ErrInvalid, s.Tasks[i].Name, use.Weight, use.Name, limit)
			}
		}
	}
	return nil
}

// PoolLimit returns the limit of a pool.
func (v *View) PoolLimit(name string) (limit int, known bool) {
	if pool := v.pool(name); pool != nil {
		return pool.Limit, true
	}
	return 0, false
}

// recountPools keeps up in how many jobs each pool is named, when the current
// version of one changes; nil stands for a job that is not there.
func recountPools(c *change, before, after *JobSpec) {
	for _, step := range []struct {
		spec *JobSpec
		by   int
	}{{before, -1}, {after, +1}} {
		for _, name := range step.spec.PoolNames() {
			if pool := c.pool(name); pool != nil {
				counted := *pool
				counted.Jobs += step.by
				c.putPool(&counted)
			}
		}
	}
}

// PoolNames returns the pools that the job's tasks name, each once, in the order
// of the file.
func (s *JobSpec) PoolNames() []string {
	if s == nil {
		return nil
	}
	var names []string
	seen := map[string]bool{}
	for i := range s.Tasks {
		for _, use := range s.Tasks[i].Pools {
			if !seen[use.Name] {
				seen[use.Name] = true
				names = append(names, use.Name)
			}
		}
	}
	return names
}

// fitsPools says whether each pool has room for an attempt. A pool that is gone
// bounds nothing any more.
func fitsPools(c *change, uses []PoolUse) bool {
	for _, use := range uses {
		if pool := c.pool(use.Name); pool != nil && pool.Used+use.Weight > pool.Limit {
			return false
		}
	}
	return true
}

// usePools adds what an attempt takes of its pools, or gives it back.
func usePools(c *change, uses []PoolUse, sign int) {
	for _, use := range uses {
		if pool := c.pool(use.Name); pool != nil {
			used := *pool
			used.Used += sign * use.Weight
			c.putPool(&used)
		}
	}
}

func (v *validator) pools(path string, uses []PoolUse) {
	v.between(path, int64(len(uses)), 0, MaxPoolUses)
	for i, use := range uses {
		v.name(path, use.Name)
		v.between(path, int64(use.Weight), 1, MaxPoolLimit)
		if i > 0 && uses[i-1].Name >= use.Name {
			v.add(path, "the pools stand in the order of their names, each once; %q is out of place", use.Name)
		}
	}
}

func count[T any](seq iter.Seq[T]) int {
	n := 0
	for range seq {
		n++
	}
	return n
}

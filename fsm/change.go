package fsm

import "maps"

// change is one command's transaction: the reads of View, and the writes, which go
// into the draft of its entry.
// Objects in the store are never changed in place: every write puts a new one.
type change struct {
	View
	graphs *graphs
}

func (c *change) put(table string, obj any) { c.draft.put(table, obj) }

// remove takes the object of the same key out, if there is one.
func (c *change) remove(table string, obj any) { c.draft.remove(table, obj) }

func (c *change) putJob(j *Job) {
	j.ModifyIndex = c.index
	c.put(tableJobs, j)
}

func (c *change) putVersion(v *JobVersion) { c.put(tableVersions, v) }
func (c *change) putCursor(cur *Cursor)    { c.put(tableCursors, cur) }
func (c *change) putFire(f *Fire)          { c.put(tableFires, f) }
func (c *change) putTask(t *RunTask)       { c.put(tableTasks, t) }
func (c *change) putStats(s *JobStats)     { c.put(tableStats, s) }
func (c *change) putSettings(s *Settings)  { c.put(tableSettings, s) }

func (c *change) putRun(r *Run) {
	r.ModifyIndex = c.index
	if r.CreateIndex == 0 {
		r.CreateIndex = c.index
	}
	c.put(tableRuns, r)
}

func (c *change) putShard(s *Shard) {
	s.ModifyIndex = c.index
	if len(s.Pools) > 0 {
		c.releasePools(c.shard(s.RunID, s.Task, s.Index))
		if s.State.Held() {
			usePools(c, s.Pools, +1)
		}
	}
	c.put(tableShards, s)
}

// removeShard removes a shard, which may be held: its run never was.
func (c *change) removeShard(s *Shard) {
	c.releasePools(s)
	c.remove(tableShards, s)
}

// releasePools gives back what a shard held of its pools before a change.
func (c *change) releasePools(old *Shard) {
	if old != nil && old.State.Held() {
		usePools(c, old.Pools, -1)
	}
}

func (c *change) putPool(p *Pool) {
	p.ModifyIndex = c.index
	c.put(tablePools, p)
}

func (c *change) putNode(n *Node) {
	n.ModifyIndex = c.index
	c.put(tableNodes, n)
}

func (c *change) putFollow(f *Follow) { c.put(tableFollows, f) }

func (c *change) deleteJob(j *Job)            { c.remove(tableJobs, j) }
func (c *change) deleteVersion(v *JobVersion) { c.remove(tableVersions, v) }
func (c *change) deleteCursor(cur *Cursor)    { c.remove(tableCursors, cur) }
func (c *change) deleteFire(f *Fire)          { c.remove(tableFires, f) }

func (c *change) deleteStats(k JobKey) {
	c.remove(tableStats, &JobStats{Namespace: k.Namespace, Job: k.Name})
}

// deleteRun removes a run with its tasks and shards.
func (c *change) deleteRun(id string) {
	for s := range c.shardsOf(id) {
		c.removeShard(s)
	}
	for t := range c.tasksOf(id) {
		c.remove(tableTasks, t)
	}
	if r := c.run(id); r != nil {
		c.remove(tableRuns, r)
	}
}

// statsFor returns a copy of a job's counts that may be changed and put.
func (c *change) statsFor(k JobKey) *JobStats {
	old := c.stats(k)
	if old == nil {
		return &JobStats{Namespace: k.Namespace, Job: k.Name}
	}
	s := *old
	s.Skipped = maps.Clone(old.Skipped)
	return &s
}

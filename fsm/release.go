package fsm

import "fmt"

// maxLive bounds the shards of one task that are put up at a time, so that a task
// of ten thousand costs no single entry much more than one of a few.
const maxLive = 2048

// releaseTask makes a task's shards: the leader may place them. It returns the
// task if it ended by that: because there is nothing to do, or no telling what.
func releaseTask(c *change, run *Run, t *Task, at Time) *RunTask {
	rt := *c.task(run.ID, t.Name)
	if rt.State != TaskWaiting {
		return nil
	}
	if rt.Again != againRest {
		before := rt.Shards
		if err := cutTask(c, run, t, &rt); err != "" {
			rt.State, rt.Reason, rt.EndedAt = TaskFailed, err, at
			c.putTask(&rt)
			return &rt
		}
		for i := rt.Shards; i < before && rt.Again == againAll; i++ {
			if s := c.shard(run.ID, t.Name, i); s != nil {
				c.removeShard(s)
			}
		}
	}
	rt.State = TaskPending
	makeShards(c, run, t, &rt, at)
	if rt.Live > 0 {
		c.putTask(&rt)
		return nil
	}
	endTask(&rt, at)
	c.putTask(&rt)
	return &rt
}

// cutTask decides how many shards a task has and, where it is bound to them, on
// which nodes. It returns why that cannot be told.
func cutTask(c *change, run *Run, t *Task, rt *RunTask) (why string) {
	s := t.Shards
	rt.Shards, rt.Nodes = 1, nil
	if s == nil {
		return ""
	}
	pieces := s.Count
	if s.PerNode {
		for n := range c.nodes() {
			if n.Status == NodeReady && len(rt.Nodes) < MaxShards {
				rt.Nodes = append(rt.Nodes, n.ID)
			}
		}
		pieces = max(len(rt.Nodes), 1) // with no node yet, the first that comes
	}
	var items []string
	switch {
	case s.Range != nil:
		rt.Shards = piecesOf(s.Range[1]-s.Range[0], pieces)
		return ""
	case s.ItemsFrom != "":
		from := c.task(run.ID, s.ItemsFrom)
		if !from.Listed {
			return fmt.Sprintf("items_from: task %s, which is %s, has written no list", from.Name, from.State)
		}
		items = from.Items
	case len(s.Items) > 0:
		items = s.Items
	default:
		rt.Shards = pieces
		return ""
	}
	if pieces == 0 {
		pieces = len(items)
	}
	rt.Shards = piecesOf(int64(len(items)), pieces)
	return ""
}

// makeShards puts up the next shards of a task, as many as may be live at a time;
// the caller puts the task. Before the run is opened that is its gate alone.
func makeShards(c *change, run *Run, t *Task, rt *RunTask, at Time) {
	limit, end := maxLive, rt.Shards
	if t.Shards != nil && t.Shards.MaxParallel > 0 {
		limit = min(limit, t.Shards.MaxParallel)
	}
	if !run.Opened {
		end = 1
	}
	line := PlaceInLine(at, c.specOf(run).Rank())
	if !run.Opened {
		line = PlaceInLine(max(at, run.NotBefore), c.specOf(run).Rank())
	}
	for rt.Made < end && rt.Live < limit {
		i := rt.Made
		rt.Made++
		s := &Shard{
			RunID: run.ID, Task: t.Name, Index: i,
			Namespace: run.Namespace, Job: run.Job, Version: run.Version,
			Weight: t.Load(), Pools: t.Pools, Line: line, Current: Attempt{Number: rt.Base},
		}
		if rt.Shards > 1 {
			s.Count = rt.Shards
		}
		if rt.Again != "" {
			if old := c.shard(run.ID, t.Name, i); old != nil {
				if rt.Again == againRest && old.State == ShardSucceeded {
					continue // it is counted already
				}
				s.Current, s.Past = old.Current, old.Past
				if s.Current.Node != "" {
					endAttempt(s)
				}
			}
		}
		s.State = ShardPending
		if run.Opened && i < len(rt.Nodes) {
			s.NodeID = rt.Nodes[i]
		}
		c.putShard(s)
		rt.Live++
	}
}

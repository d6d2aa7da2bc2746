package fsm

// ReplaceRuns makes way for a run whose overlap policy is replace: what its
// condition names is cancelled, or, where it has not started, taken back.
type ReplaceRuns struct {
	At Time   `codec:"at"`
	By string `codec:"by"`
}

// MaxQueuedRuns bounds the runs of one job that wait for each other under the
// policies queue and replace. A fire beyond it is skipped as an overlap.
const MaxQueuedRuns = 100

func applyReplaceRuns(c *change, cmd *ReplaceRuns) (any, error) {
	by := c.run(cmd.By)
	if by == nil || by.Opened || by.Cancelling || by.State.Ended() || by.Overlap != OverlapReplace {
		return nil, ErrStale
	}
	if gate := c.shard(by.ID, by.Gate, 0); gate == nil || gate.State == ShardRetracting {
		return nil, ErrStale // it may not happen itself: nothing is killed for it
	}
	for _, id := range by.Condition {
		if run := c.run(id); run != nil && !run.State.Ended() {
			replaceRun(c, run, by, cmd.At)
		}
	}
	return nil, nil
}

func replaceRun(c *change, run, by *Run, at Time) {
	gate := c.shard(run.ID, run.Gate, 0)
	switch {
	case !run.Replaceable(gate):
	case run.ScheduledAt == 0 || run.Opened || gate.Maybe:
		cancelRun(c, run, "replaced by run "+by.ID, at)
	case gate.State == ShardArmed:
		retract(c, gate, WhyReplace)
	default:
		skipRun(c, run, ReasonOverlap, at)
	}
}

// Replaceable says whether a run, with its gate, is active and nothing is on its
// way yet to end it: then a ReplaceRuns has something to do.
func (r *Run) Replaceable(gate *Shard) bool {
	if r.State.Ended() || r.Cancelling {
		return false
	}
	return r.Opened || gate == nil || gate.State != ShardRetracting
}

// queueFull says whether a job has as many runs waiting as are kept.
func queueFull(c *change, job JobKey, overlap string) bool {
	if overlap != OverlapQueue && overlap != OverlapReplace {
		return false
	}
	n := 0
	for range c.activeRuns(job) {
		if n++; n > MaxQueuedRuns {
			return true
		}
	}
	return false
}

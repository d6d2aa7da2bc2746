package fsm

import "iter"

// TimeoutRuns ends runs whose deadline has passed; each answer stands at its
// run's place.
type TimeoutRuns struct {
	At  Time     `codec:"at"`
	IDs []string `codec:"ids"`
}

// ReasonTimedOut is the reason of a run that its job's timeout has ended.
const ReasonTimedOut = "timed out"

func applyTimeoutRuns(c *change, cmd *TimeoutRuns) (any, error) {
	results := make([]error, len(cmd.IDs))
	for i, id := range cmd.IDs {
		run := c.run(id)
		if run == nil || run.State.Ended() || run.Cancelling || run.Deadline == 0 || cmd.At < run.Deadline {
			results[i] = ErrStale
			continue
		}
		late := *run
		late.TimedOut = true
		c.putRun(&late)
		cancelRun(c, &late, ReasonTimedOut, cmd.At)
	}
	return results, nil
}

// Deadlines yields the active runs that have a deadline and are not being ended
// yet, the earliest deadline first.
func (v *View) Deadlines() iter.Seq[*Run] { return scan[Run](v, tableRuns, byDeadline, nil) }

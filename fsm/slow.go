package fsm

import "iter"

// NoteSlowRuns notes that runs still run after the expected duration of their
// job; each answer stands at its run's place. A run is noted once.
type NoteSlowRuns struct {
	At  Time     `codec:"at"`
	IDs []string `codec:"ids"`
}

func applyNoteSlowRuns(c *change, cmd *NoteSlowRuns) (any, error) {
	results := make([]error, len(cmd.IDs))
	for i, id := range cmd.IDs {
		run := c.run(id)
		if run == nil || run.State.Ended() || run.Slow || run.SlowAt == 0 || cmd.At < run.SlowAt {
			results[i] = ErrStale
			continue
		}
		slow := *run
		slow.Slow = true
		c.putRun(&slow)
		tellSlow(c, &slow, cmd.At)
	}
	return results, nil
}

func tellSlow(c *change, r *Run, at Time) {
	spec := c.specOf(r)
	if !spec.tells(EventSlow) {
		return
	}
	e := &Event{Name: EventSlow, OccurredAt: at}
	e.about(r)
	e.Reason = "still running after " + spec.ExpectedDuration.String()
	enqueue(c, spec, e)
}

// SlowRuns yields the active runs that are to be noted as slow when their time
// comes, the earliest first.
func (v *View) SlowRuns() iter.Seq[*Run] { return scan[Run](v, tableRuns, bySlow, nil) }

package scheduling

import (
	"context"

	"github.com/rota-scheduler/rota/fsm"
)

// noteSlow notes runs that still run after the expected duration of their job, for
// those who want to be told. The store orders them, so that a pass costs what is
// due.
func (l *Leader) noteSlow(ctx context.Context) error {
	for ctx.Err() == nil {
		v := l.Store.Watch()
		due, wake := l.slowRuns(v)
		if len(due) == 0 {
			l.wait(ctx, v, wake)
			continue
		}
		if _, _, err := l.Proposer.Propose(ctx, fsm.OpNoteSlowRuns, fsm.NoteSlowRuns{At: l.Clock.Now(), IDs: due}); err != nil && ctx.Err() == nil {
			l.Logger.Warn("slow runs were not noted; trying again", "runs", len(due), "error", err)
			l.pause(ctx)
		}
	}
	return nil
}

// slowRuns returns the runs that are slow by now, and when the next one is.
func (l *Leader) slowRuns(v *fsm.View) (due []string, wake fsm.Time) {
	if v.Settings().CheckFormat(fsm.OpNoteSlowRuns) != nil {
		return nil, 0 // the settings are watched
	}
	now := l.Clock.Now()
	for run := range v.SlowRuns() {
		if run.SlowAt > now {
			return due, run.SlowAt
		}
		if due = append(due, run.ID); len(due) == maxTimeouts {
			break
		}
	}
	return due, 0
}

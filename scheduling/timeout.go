package scheduling

import (
	"context"

	"github.com/rota-scheduler/rota/fsm"
)

// maxTimeouts bounds one entry of the log.
const maxTimeouts = 500

// timeout ends the runs whose job bounds them and whose time is up. The store
// orders them by deadline, so that a pass costs what is due.
func (l *Leader) timeout(ctx context.Context) error {
	for ctx.Err() == nil {
		v := l.Store.Watch()
		due, wake := l.overdueRuns(v)
		if len(due) == 0 {
			l.wait(ctx, v, wake)
			continue
		}
		if _, _, err := l.Proposer.Propose(ctx, fsm.OpTimeoutRuns, fsm.TimeoutRuns{At: l.Clock.Now(), IDs: due}); err != nil && ctx.Err() == nil {
			l.Logger.Warn("runs were not timed out; trying again", "runs", len(due), "error", err)
			l.pause(ctx)
		}
	}
	return nil
}

// overdueRuns returns the runs whose deadline has passed, and when the next one
// does.
func (l *Leader) overdueRuns(v *fsm.View) (due []string, wake fsm.Time) {
	now := l.Clock.Now()
	for run := range v.Deadlines() {
		if run.Deadline > now {
			return due, run.Deadline
		}
		if due = append(due, run.ID); len(due) == maxTimeouts {
			break
		}
	}
	return due, 0
}

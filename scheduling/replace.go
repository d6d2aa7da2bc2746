package scheduling

import (
	"context"
	"time"

	"github.com/rota-scheduler/rota/fsm"
)

// replacePoll bounds how long a run that is to replace others waits for another
// look: what it replaces may start between two looks.
const replacePoll = 200 * time.Millisecond

// replace makes way for runs whose overlap policy is replace, once their instant
// has come. Their own node starts them when what they replace has ended: that is
// one decider still, and a leader that dies in between delays, never doubles.
func (l *Leader) replace(ctx context.Context) error {
	for ctx.Err() == nil {
		v := l.Store.Watch()
		due, wake := l.replacing(v)
		for _, id := range due {
			if _, _, err := l.Proposer.Propose(ctx, fsm.OpReplaceRuns, fsm.ReplaceRuns{At: l.Clock.Now(), By: id}); err != nil && ctx.Err() == nil {
				l.Logger.Warn("runs were not replaced; trying again", "run", id, "error", err)
				l.pause(ctx)
			}
		}
		l.wait(ctx, v, wake)
	}
	return nil
}

// replacing returns the runs that have something to replace now, and when to
// look again.
func (l *Leader) replacing(v *fsm.View) (due []string, wake fsm.Time) {
	now := l.Clock.Now()
	quiet := l.Store.Read()
	for run := range v.Replacing() {
		if run.NotBefore > now {
			wake = earliest(wake, run.NotBefore)
			continue
		}
		if ConditionMet(quiet, run) {
			continue
		}
		wake = earliest(wake, now.Add(fsm.Duration(replacePoll)))
		if len(run.WaitsFor) == 0 && !retracting(quiet, run) && hasReplaceable(quiet, run) {
			due = append(due, run.ID)
		}
	}
	return due, wake
}

// retracting says whether a run is being taken back: then it replaces nothing.
func retracting(v *fsm.View, run *fsm.Run) bool {
	gate := v.Shard(run.ID, run.Gate, 0)
	return gate == nil || gate.State == fsm.ShardRetracting
}

func hasReplaceable(v *fsm.View, run *fsm.Run) bool {
	for _, id := range run.Condition {
		if other := v.Run(id); other != nil && other.Replaceable(v.Shard(id, other.Gate, 0)) {
			return true
		}
	}
	return false
}

package scheduling

import (
	"fmt"
	"slices"
	"time"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/scheduling/cron"
)

const (
	// defaultMisfireLimit is how many missed instants misfire = "all" makes up for.
	defaultMisfireLimit = 10
	// maxMissedRows: beyond it, one row of the ledger stands for the oldest.
	maxMissedRows = 1000
	// misfireSpacing spreads the runs that make up for missed instants.
	misfireSpacing = time.Second
)

// due is one instant of a schedule, ready to be decided.
type due struct {
	instant, next fsm.Time
	skip          string
	until         fsm.Time
	count         int
	notBefore     fsm.Time
}

// decideInstant says what is to become of a cursor's next instant: usually that
// one instant runs. When the cluster has missed it, the answer covers every
// instant up to now, by the schedule's misfire policy. It never returns an
// instant that is not after the cursor's decided one.
func decideInstant(sched *fsm.Schedule, c *cron.Schedule, cur *fsm.Cursor, now fsm.Time, timing Timing) ([]due, error) {
	next, err := nextInstant(c, cur.Next)
	if err != nil {
		return nil, err
	}
	if now.Sub(cur.Next) <= timing.Misfire {
		return []due{{instant: cur.Next, next: next, skip: blackout(c, cur.Next)}}, nil
	}
	return decideMissed(sched, c, cur.Next, now)
}

func blackout(c *cron.Schedule, t fsm.Time) string {
	if _, ok := c.Blackout(t.Time()); ok {
		return fsm.ReasonBlackout
	}
	return ""
}

// decideMissed accounts for every instant in [first, now]. The oldest that do
// not fit into the ledger become one row.
func decideMissed(sched *fsm.Schedule, c *cron.Schedule, first, now fsm.Time) ([]due, error) {
	var decided []due
	start := first - 1
	missed, more, err := c.Between(start.Time(), now.Time(), maxMissedRows)
	if err != nil {
		return nil, err
	}
	if more > 0 {
		// Keep the newest as rows of their own: find where they begin.
		if decided, missed, err = summarise(c, first, now, more); err != nil {
			return nil, err
		}
	} else if len(missed) == 0 || fsm.At(missed[0]) != first {
		// The cursor stands on an instant that the schedule no longer has: the
		// zone's rules were updated, say. It is due all the same, or the cursor
		// would never move again.
		missed = slices.Insert(missed, 0, first.Time())
	}
	for i, t := range missed {
		d := due{instant: fsm.At(t), skip: blackout(c, fsm.At(t))}
		if i+1 < len(missed) {
			d.next = fsm.At(missed[i+1])
		} else if d.next, err = nextInstant(c, d.instant); err != nil {
			return nil, err
		}
		decided = append(decided, d)
	}
	applyMisfire(sched, decided, now)
	return decided, nil
}

// summarise makes one row of the oldest instants in [first, now], so that
// maxMissedRows remain.
func summarise(c *cron.Schedule, first, now fsm.Time, more int) ([]due, []time.Time, error) {
	low, high := first, now // the last instant of the summary lies in [low, high)
	for high-low > 1 {
		mid := low + (high-low)/2
		rest, extra, err := c.Between(mid.Time(), now.Time(), 1)
		if err != nil {
			return nil, nil, err
		}
		if len(rest)+extra >= maxMissedRows {
			low = mid
		} else {
			high = mid
		}
	}
	last, ok, err := c.Latest((first - 1).Time(), low.Time())
	if err != nil || !ok {
		return nil, nil, fmt.Errorf("no instant between %s and %s: %w", first, low, err)
	}
	rest, _, err := c.Between(last, now.Time(), maxMissedRows+1)
	if err != nil || len(rest) == 0 {
		return nil, nil, fmt.Errorf("no instant between %s and %s: %w", last, now, err)
	}
	row := due{
		instant: first, until: fsm.At(last), next: fsm.At(rest[0]),
		skip: fsm.ReasonMissed, count: more + maxMissedRows - len(rest),
	}
	return []due{row}, rest, nil
}

// applyMisfire marks which missed instants run. Instants that a blackout covers
// were not missed: they would not have run.
func applyMisfire(sched *fsm.Schedule, decided []due, now fsm.Time) {
	policy, limit := sched.Misfire, sched.MisfireLimit
	if limit == 0 {
		limit = defaultMisfireLimit
	}
	switch policy {
	case fsm.MisfireSkip:
		limit = 0
	case fsm.MisfireAll:
	default:
		limit = 1
	}
	var run []int
	for i := len(decided) - 1; i >= 0; i-- {
		d := &decided[i]
		if d.skip != "" {
			continue
		}
		if sched.StartDeadline > 0 && now > d.instant.Add(sched.StartDeadline) {
			d.skip = fsm.ReasonMissed
			continue
		}
		if len(run) == limit {
			d.skip = fsm.ReasonSuperseded
			if policy == fsm.MisfireSkip {
				d.skip = fsm.ReasonMissed
			}
			continue
		}
		run = append(run, i)
	}
	for n := range run {
		i := run[len(run)-1-n] // oldest first
		decided[i].notBefore = now.Add(fsm.Duration(n) * fsm.Duration(misfireSpacing))
	}
}

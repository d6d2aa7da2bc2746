package jobspec

import (
	"fmt"
	"slices"
	"time"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/scheduling/cron"
	"github.com/rota-scheduler/rota/scheduling/cronspec"
)

// maxBlackedOut is how many instants within blackouts are passed over.
const maxBlackedOut = 1000

// Upcoming returns the next instants after a time at which a job will run, at
// most n, soonest first, each in the zone of its schedule. Those within blackouts
// are left out; where more than a thousand of a schedule are, there may be fewer.
// An instant of several schedules stands once.
func Upcoming(spec *fsm.JobSpec, after time.Time, n int) ([]time.Time, error) {
	var all []time.Time
	for i := range spec.Schedules {
		instants, err := upcoming(spec.Key(), &spec.Schedules[i], after, n)
		if err != nil {
			return nil, fmt.Errorf("job %s: %w", spec.Key(), err)
		}
		all = append(all, instants...)
	}
	slices.SortStableFunc(all, time.Time.Compare)
	all = slices.CompactFunc(all, time.Time.Equal)
	return all[:min(n, len(all))], nil
}

func upcoming(job fsm.JobKey, s *fsm.Schedule, after time.Time, n int) ([]time.Time, error) {
	schedule, err := cronspec.Compile(job, s)
	if err != nil {
		return nil, err
	}
	zone, err := cron.LoadZone(s.Timezone)
	if err != nil {
		return nil, err
	}
	var instants []time.Time
	for skipped := 0; len(instants) < n && skipped < maxBlackedOut; {
		next, ok, err := schedule.Next(after)
		if err != nil {
			return nil, err
		}
		if !ok {
			break
		}
		after = next
		if _, dark := schedule.Blackout(next); dark {
			skipped++
			continue
		}
		instants = append(instants, next.In(zone))
	}
	return instants, nil
}

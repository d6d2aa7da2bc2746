package scheduling

import (
	"fmt"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/scheduling/cron"
	"github.com/rota-scheduler/rota/scheduling/cronspec"
)

// CompileSchedule makes a schedule block of a job ready to be evaluated.
func CompileSchedule(job fsm.JobKey, s *fsm.Schedule) (*cron.Schedule, error) {
	compiled, err := cronspec.Compile(job, s)
	if err != nil {
		return nil, fmt.Errorf("job %s: %w", job, err)
	}
	return compiled, nil
}

// FirstInstants returns the first instant after the given time of each of a
// job's schedules; unset for one that has none left.
func FirstInstants(spec *fsm.JobSpec, after fsm.Time) ([]fsm.Time, error) {
	next := make([]fsm.Time, len(spec.Schedules))
	for i := range spec.Schedules {
		s, err := CompileSchedule(spec.Key(), &spec.Schedules[i])
		if err != nil {
			return nil, err
		}
		if next[i], err = nextInstant(s, after); err != nil {
			return nil, fmt.Errorf("job %s: %w", spec.Key(), err)
		}
	}
	return next, nil
}

func nextInstant(s *cron.Schedule, after fsm.Time) (fsm.Time, error) {
	t, ok, err := s.Next(after.Time())
	if err != nil || !ok {
		return 0, err
	}
	return fsm.At(t), nil
}

// schedules keeps compiled schedules of the jobs that fire often. It belongs to
// the firing loop and is not safe for concurrent use.
type schedules struct {
	compiled map[scheduleKey]compiledSchedule
}

// compiledSchedule is a schedule with what it was compiled from: a job that was
// deleted and applied again counts its versions anew.
type compiledSchedule struct {
	from *fsm.JobSpec
	s    *cron.Schedule
}

type scheduleKey struct {
	job     fsm.JobKey
	version uint64
	index   int
}

// maxCompiled bounds the cache; past it, it starts anew.
const maxCompiled = 20_000

func newSchedules() *schedules { return &schedules{compiled: map[scheduleKey]compiledSchedule{}} }

func (c *schedules) get(job fsm.JobKey, version uint64, index int, spec *fsm.JobSpec) (*cron.Schedule, error) {
	key := scheduleKey{job, version, index}
	if known, ok := c.compiled[key]; ok && known.from == spec {
		return known.s, nil
	}
	s, err := CompileSchedule(job, &spec.Schedules[index])
	if err != nil {
		return nil, err
	}
	if len(c.compiled) >= maxCompiled {
		clear(c.compiled)
	}
	c.compiled[key] = compiledSchedule{spec, s}
	return s, nil
}

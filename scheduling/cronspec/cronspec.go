// Package cronspec turns the schedule of a job into what package cron evaluates.
// It stands alone so that a job file is checked with the very schedule that the
// cluster fires: neither side can know an attribute that the other does not.
package cronspec

import (
	"time"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/scheduling/cron"
)

// Compile makes a schedule block of a job ready to be evaluated. The job's name
// seeds the jitter. Errors are those of cron.Compile.
func Compile(job fsm.JobKey, s *fsm.Schedule) (*cron.Schedule, error) {
	spec := cron.Spec{
		Cron: s.Cron, Every: time.Duration(s.Every), Timezone: s.Timezone,
		Jitter: time.Duration(s.Jitter), JitterSeed: job.Namespace + "/" + job.Name,
		NotBefore: s.NotBefore.Time(), NotAfter: s.NotAfter.Time(),
		DSTGap: cron.GapRule(s.DSTGap), DSTRepeat: cron.RepeatRule(s.DSTRepeat),
	}
	for _, t := range s.At {
		spec.At = append(spec.At, t.Time())
	}
	for _, b := range s.Blackout {
		spec.Blackout = append(spec.Blackout, cron.Window{
			Cron: b.Cron, Duration: time.Duration(b.Duration), From: b.From.Time(), To: b.To.Time(),
		})
	}
	return cron.Compile(spec)
}

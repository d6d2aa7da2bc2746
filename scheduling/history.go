package scheduling

import (
	"context"
	"time"

	"github.com/rota-scheduler/rota/fsm"
)

const (
	pruneEvery = time.Minute
	// pruneBatch bounds one entry of the log.
	pruneBatch = 1000
)

// prune drops what is older than each job keeps. The number of runs and fires is
// bounded when they end; this bounds their age.
func (l *Leader) prune(ctx context.Context) error {
	tick := time.NewTicker(pruneEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		jobs := l.overdue()
		for len(jobs) > 0 && ctx.Err() == nil {
			n := min(len(jobs), pruneBatch)
			if _, _, err := l.Proposer.Propose(ctx, fsm.OpPruneHistory, fsm.PruneHistory{At: l.Clock.Now(), Jobs: jobs[:n]}); err != nil {
				l.Logger.Warn("history was not pruned; trying again in a minute", "error", err)
				break
			}
			jobs = jobs[n:]
		}
	}
}

// overdue returns the jobs whose oldest outcome or ended run is past its time. It
// looks only at jobs that have any: most may never have run.
func (l *Leader) overdue() []fsm.JobKey {
	v := l.Store.Read()
	now := l.Clock.Now()
	var jobs []fsm.JobKey
	for stats := range v.AllStats() {
		key := fsm.JobKey{Namespace: stats.Namespace, Name: stats.Job}
		job := v.Job(key)
		if job == nil || stats.Fires+stats.Runs == 0 {
			continue
		}
		before := now.Add(-v.Version(key, job.Version).History().KeepFor())
		old := false
		for f := range v.Fires(key) {
			old = f.ScheduledAt < before && f.Outcome != ""
			break
		}
		for r := range v.Runs(key) {
			old = old || (r.State.Ended() && r.EndedAt < before)
			break
		}
		if old {
			jobs = append(jobs, key)
		}
	}
	return jobs
}

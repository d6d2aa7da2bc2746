package fsm

import (
	"bytes"
	"fmt"
)

// PutJobs applies job specs: all of them or, if one is refused, none.
type PutJobs struct {
	At   Time     `codec:"at"`
	Jobs []PutJob `codec:"j"`
}

// PutJob is one spec with what the proposer computed for it.
type PutJob struct {
	Spec JobSpec `codec:"s"`
	// Next holds the first instant after At of each schedule.
	Next []Time `codec:"n,omitempty"`
	// Version, if not zero, is the version that the job must have now.
	Version uint64 `codec:"v,omitempty"`
}

// PutResult says what became of one job of a PutJobs.
type PutResult struct {
	Job     JobKey `json:"job"`
	Version uint64 `json:"version"`
	Created bool   `json:"created"`
	Changed bool   `json:"changed"`
}

// DeleteJob stops a job's fires, cancels its runs, and removes it with the last.
type DeleteJob struct {
	At  Time   `codec:"at"`
	Job JobKey `codec:"j"`
}

// SetPaused pauses or resumes a job.
type SetPaused struct {
	At     Time   `codec:"at"`
	Job    JobKey `codec:"j"`
	Paused bool   `codec:"p"`
}

// PruneHistory drops what is older than each job's history says, seen from At.
type PruneHistory struct {
	At   Time     `codec:"at"`
	Jobs []JobKey `codec:"j"`
}

func applyPutJobs(c *change, cmd *PutJobs) (any, error) {
	seen := make(map[JobKey]*JobSpec, len(cmd.Jobs))
	for i := range cmd.Jobs {
		if err := checkPut(c, &cmd.Jobs[i], cmd.At); err != nil {
			return nil, err
		}
		key := cmd.Jobs[i].Spec.Key()
		if seen[key] != nil {
			return nil, fmt.Errorf("%w: job %s stands twice in one request", ErrInvalid, key)
		}
		seen[key] = &cmd.Jobs[i].Spec
	}
	for i := range cmd.Jobs {
		if spec := &cmd.Jobs[i].Spec; len(spec.After) > 0 {
			if err := checkAfter(c, spec, seen); err != nil {
				return nil, fmt.Errorf("job %s: %w", spec.Key(), err)
			}
		}
	}
	results := make([]PutResult, len(cmd.Jobs))
	for i := range cmd.Jobs {
		results[i] = putJob(c, &cmd.Jobs[i], cmd.At)
	}
	return results, nil
}

func checkPut(c *change, p *PutJob, at Time) error {
	key := p.Spec.Key()
	if errs := p.Spec.Validate(); len(errs) > 0 {
		return fmt.Errorf("job %s: %w", key, errs[0])
	}
	if len(p.Next) != len(p.Spec.Schedules) {
		return fmt.Errorf("%w: job %s: %d first instants for %d schedules", ErrInvalid, key, len(p.Next), len(p.Spec.Schedules))
	}
	for i, next := range p.Next {
		if next != 0 && next <= at {
			return fmt.Errorf("%w: job %s: first instant %s of schedule %d is not after %s", ErrInvalid, key, next, i, at)
		}
	}
	if err := p.Spec.CheckPools(c.PoolLimit); err != nil {
		return fmt.Errorf("job %s: %w", key, err)
	}
	job := c.job(key)
	if job != nil && job.Deleting {
		return fmt.Errorf("job %s: %w", key, ErrDeleting)
	}
	if p.Version != 0 && (job == nil || job.Version != p.Version) {
		return fmt.Errorf("%w: job %s is no longer at version %d: read it again and repeat the change", ErrConflict, key, p.Version)
	}
	return nil
}

func putJob(c *change, p *PutJob, at Time) PutResult {
	key := p.Spec.Key()
	result := PutResult{Job: key, Created: true, Changed: true}
	job := &Job{Namespace: key.Namespace, Name: key.Name, CreatedAt: at, CreateIndex: c.index}
	version := &JobVersion{Namespace: key.Namespace, Name: key.Name, CreatedAt: at, Reads: readsOf(&p.Spec)}
	version.Content.pack(&p.Spec)
	var after []string
	var replaced *JobSpec
	if old := c.job(key); old != nil {
		result.Created = false
		before := c.version(key, old.Version)
		if bytes.Equal(before.Content.bytes, version.Content.bytes) {
			result.Changed, result.Version = false, old.Version
			return result
		}
		replaced = before.Spec()
		after = replaced.After
		copied := *old
		job = &copied
	}
	job.Version++
	job.UpdatedAt = at
	result.Version = job.Version
	c.putJob(job)
	version.Version = job.Version
	c.putVersion(version)
	putFollows(c, key, after, p.Spec.After)
	recountPools(c, replaced, &p.Spec)
	dropOldVersions(c, job)
	withdrawFires(c, key, at)
	for cur := range c.cursorsOf(key) {
		supersede(c, cur, at)
		c.deleteCursor(cur)
	}
	for i, next := range p.Next {
		c.putCursor(&Cursor{
			Namespace: key.Namespace, Job: key.Name, Schedule: i,
			Version: job.Version, Next: next, Decided: at,
		})
	}
	return result
}

// dropOldVersions keeps the newest versions and those that active runs need.
func dropOldVersions(c *change, job *Job) {
	if job.Version <= keptVersion {
		return
	}
	needed := map[uint64]bool{}
	for r := range c.activeRuns(job.Key()) {
		needed[r.Version] = true
	}
	for v := range c.versionsOf(job.Key()) {
		if v.Version+keptVersion > job.Version {
			break
		}
		if !needed[v.Version] {
			c.deleteVersion(v)
		}
	}
}

// supersede records what an older version had due and nobody decided, which is
// so only after an outage: no cursor leads there any more. How many instants the
// row stands for is not known here.
func supersede(c *change, cur *Cursor, at Time) {
	key := cur.JobKey()
	if cur.Next == 0 || cur.Next > at {
		return
	}
	from := cur.Next
	if c.fire(key, from) != nil {
		// A still older version's, which is being taken back there: what this
		// one had due after it waited for that. The row stands for what has none
		// of its own.
		from++
	}
	if from > at || c.fire(key, from) != nil {
		return
	}
	f := &Fire{
		Namespace: cur.Namespace, Job: cur.Job, ScheduledAt: from, Until: at,
		Version: cur.Version, Schedule: cur.Schedule, Outcome: OutcomeSkipped, Reason: ReasonSuperseded,
	}
	if c.job(key).skippedByPause(from) {
		f.Reason = ReasonPaused
	}
	c.putFire(f)
	settleFire(c, f, at)
}

// withdrawFires takes back what an older version has committed ahead of its
// time but not started: the new version decides those instants. Fires that are
// due already stay: the new version decides only what comes after it.
func withdrawFires(c *change, key JobKey, at Time) {
	for run := range c.activeRuns(key) {
		if run.Opened || run.ScheduledAt <= at {
			continue // a manual run has no instant
		}
		gate := c.shard(run.ID, run.Gate, 0)
		switch {
		case gate.State == ShardArmed, gate.State == ShardRetracting && (gate.Why == WhyManual || gate.Why == WhyDrain):
			retract(c, gate, WhyVersion)
		case gate.State == ShardPending:
			withdrawRun(c, run, gate, at)
		}
	}
}

// withdrawRun removes an unstarted run with its fire, as if it had never been
// decided: the current version decides the instant anew. One that the current
// version can no longer decide, because a still newer one was applied meanwhile,
// keeps its fire, as skipped.
func withdrawRun(c *change, run *Run, gate *Shard, at Time) {
	if job := c.job(run.JobKey()); gate.Maybe || run.ScheduledAt <= job.UpdatedAt {
		dropUnstarted(c, run, gate, ReasonSuperseded, at)
		return
	}
	if f := c.fire(run.JobKey(), run.ScheduledAt); f != nil && f.Outcome == "" {
		c.deleteFire(f)
	}
	freeManual(c, run.JobKey(), run.ID, at)
	dropRun(c, run)
}

// dropUnstarted ends a run whose gate is held by no node: skipped for the given
// reason, or, where an attempt of it may have started, ran and lost.
func dropUnstarted(c *change, run *Run, gate *Shard, reason string, at Time) {
	if !gate.Maybe {
		skipRun(c, run, reason, at)
		return
	}
	decideOutcome(c, run, OutcomeRan, ReasonLost, at)
	failGate(c, run, gate, "may have started on a node that was lost", at)
}

// failGate gives up a run before its gate is known to have started: the gate
// fails, and nothing else of the run ever starts.
func failGate(c *change, run *Run, gate *Shard, reason string, at Time) {
	r := *run
	cancelWaiting(c, &r, at)
	c.putRun(&r)
	finishShard(c, gate, ShardFailed, reason, at)
}

func applySetPaused(c *change, cmd *SetPaused) (any, error) {
	old := c.job(cmd.Job)
	if old == nil {
		return nil, fmt.Errorf("job %s: %w", cmd.Job, ErrNotFound)
	}
	if old.Deleting {
		return nil, fmt.Errorf("job %s: %w", cmd.Job, ErrDeleting)
	}
	if old.Paused == cmd.Paused {
		return nil, nil
	}
	job := *old
	job.Paused = cmd.Paused
	if cmd.Paused {
		job.PausedAt, job.ResumedAt = cmd.At, 0
	} else {
		job.ResumedAt = cmd.At
	}
	c.putJob(&job)
	if cmd.Paused {
		pauseRuns(c, cmd.Job, cmd.At)
	}
	return nil, nil
}

// pauseRuns takes back every run that has not started. Runs that have go on,
// their retries and later tasks included.
func pauseRuns(c *change, key JobKey, at Time) {
	for run := range c.activeRuns(key) {
		if len(run.WaitsFor) > 0 { // a manual run, or one that is retried
			cancelUnstarted(c, run, ReasonPaused, at)
			continue
		}
		if run.Opened {
			continue
		}
		gate := c.shard(run.ID, run.Gate, 0)
		switch gate.State {
		case ShardArmed, ShardRetracting:
			retract(c, gate, WhyPause)
		case ShardPending:
			dropUnstarted(c, run, gate, ReasonPaused, at)
		}
	}
}

// skippedByPause says whether an instant fell into the job's last pause.
func (j *Job) skippedByPause(t Time) bool {
	return j.Paused || (j.ResumedAt != 0 && t >= j.PausedAt && t <= j.ResumedAt)
}

func applyDeleteJob(c *change, cmd *DeleteJob) (any, error) {
	old := c.job(cmd.Job)
	if old == nil {
		return nil, fmt.Errorf("job %s: %w", cmd.Job, ErrNotFound)
	}
	if old.Deleting {
		return nil, nil
	}
	job := *old
	job.Deleting = true
	c.putJob(&job)
	for run := range c.activeRuns(cmd.Job) {
		if now := c.run(run.ID); now != nil && !now.State.Ended() {
			cancelRun(c, now, "job deleted", cmd.At)
		}
	}
	if c.job(cmd.Job) != nil && !c.hasActiveRuns(cmd.Job) {
		removeJob(c, &job)
	}
	return nil, nil
}

// removeJob forgets a job and everything that belonged to it.
func removeJob(c *change, job *Job) {
	key := job.Key()
	spec := c.version(key, job.Version).Spec()
	putFollows(c, key, spec.After, nil)
	recountPools(c, spec, nil)
	for r := range c.runsOf(key) {
		c.deleteRun(r.ID)
	}
	for f := range c.firesOf(key) {
		c.deleteFire(f)
	}
	for cur := range c.cursorsOf(key) {
		c.deleteCursor(cur)
	}
	for v := range c.versionsOf(key) {
		c.deleteVersion(v)
	}
	c.deleteStats(key)
	c.deleteJob(job)
}

func applyPruneHistory(c *change, cmd *PruneHistory) (any, error) {
	for _, key := range cmd.Jobs {
		if c.job(key) == nil {
			continue
		}
		pruneJob(c, key, cmd.At.Add(-c.historyOf(key).KeepFor()))
	}
	return nil, nil
}

func pruneJob(c *change, key JobKey, before Time) {
	stats := c.statsFor(key)
	runs, fires := stats.Runs, stats.Fires
	for r := range c.runsOf(key) {
		if r.State.Ended() && r.EndedAt < before {
			c.deleteRun(r.ID)
			stats.Runs--
		}
	}
	for f := range c.firesOf(key) {
		if f.ScheduledAt >= before {
			break
		}
		if f.Outcome != "" && !c.runActive(f.RunID) {
			c.deleteFire(f)
			stats.Fires--
		}
	}
	if stats.Runs != runs || stats.Fires != fires {
		c.putStats(stats)
	}
}

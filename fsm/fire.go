package fsm

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/oklog/ulid/v2"
)

// Outcomes of a fire. An empty outcome means that the instant is committed but
// nothing is known to have come of it yet.
const (
	OutcomeRan     = "ran"
	OutcomeSkipped = "skipped"
)

// Reasons of an outcome.
const (
	ReasonOverlap    = "overlap"
	ReasonMissed     = "missed"
	ReasonPaused     = "paused"
	ReasonBlackout   = "blackout"
	ReasonSuperseded = "superseded"
	// ReasonLost belongs to "ran": the fire may have started on a node that was
	// lost, nobody knows.
	ReasonLost = "lost"
)

// Fire is one due instant of a job. Its key is (job, ScheduledAt).
type Fire struct {
	Namespace   string `codec:"ns" json:"namespace"`
	Job         string `codec:"j" json:"job"`
	ScheduledAt Time   `codec:"t" json:"scheduled_at"`
	// Version of the job and index of the schedule block that made it due.
	Version  uint64 `codec:"v" json:"version"`
	Schedule int    `codec:"s,omitempty" json:"schedule"`
	Outcome  string `codec:"o,omitempty" json:"outcome"`
	Reason   string `codec:"r,omitempty" json:"reason,omitempty"`
	RunID    string `codec:"id,omitempty" json:"run_id,omitempty"`
	// Until and Count are set where one row stands for many missed instants:
	// Count instants from ScheduledAt to Until.
	Until Time `codec:"u,omitempty" json:"until,omitempty"`
	Count int  `codec:"c,omitempty" json:"count,omitempty"`
}

// Cursor is how far the leader has decided one schedule of a job.
type Cursor struct {
	Namespace string `codec:"ns" json:"namespace"`
	Job       string `codec:"j" json:"job"`
	Schedule  int    `codec:"s" json:"schedule"`
	Version   uint64 `codec:"v" json:"version"`
	// Next is the next instant to decide; unset when the schedule has none left.
	Next Time `codec:"n" json:"next"`
	// Decided is the last instant that was decided. Nothing at or before it is
	// ever decided again under this version.
	Decided Time `codec:"d,omitempty" json:"decided"`
}

// JobKey returns the name of the fire's job.
func (f *Fire) JobKey() JobKey { return JobKey{f.Namespace, f.Job} }

// JobKey returns the name of the cursor's job.
func (c *Cursor) JobKey() JobKey { return JobKey{c.Namespace, c.Job} }

// DecideFires commits due instants. Each decision stands by itself: its answer
// is one of the sentinels, or nil, at the same place in the result.
type DecideFires struct {
	At        Time           `codec:"at"`
	Decisions []FireDecision `codec:"d"`
}

// FireDecision decides one instant of one schedule, and moves its cursor.
type FireDecision struct {
	Job      JobKey `codec:"j"`
	Version  uint64 `codec:"v"`
	Schedule int    `codec:"s,omitempty"`
	// Instant must be the cursor's next one.
	Instant Time `codec:"t"`
	// Next is the instant that follows, unset if there is none.
	Next Time `codec:"n"`
	// Skip is the reason to skip the instant; empty means run it.
	Skip string `codec:"k,omitempty"`
	// Until and Count make this one row for many instants.
	Until Time `codec:"u,omitempty"`
	Count int  `codec:"c,omitempty"`
	// NotBefore is when the run may start, if that is later than Instant (a
	// missed instant that is made up for). It must never be earlier.
	NotBefore Time `codec:"nb,omitempty"`
	// Arm places the gate at once, so that a fire costs one log entry. Its run
	// and attempt are implied.
	Arm *Placement `codec:"a,omitempty"`
}

// FireRunID returns the identity of the run that a fire makes: a function of the
// fire's key and of the log index that decided it. The index keeps a fire that
// was taken back and decided again, by a new version or after the job's deletion,
// apart from its earlier self: a late report on an attempt of the one must never
// be taken for the other's.
func FireRunID(job JobKey, index uint64, instant Time) string {
	h := sha256.New()
	h.Write(jobKey(job))
	var n [16]byte
	binary.BigEndian.PutUint64(n[:8], index)
	binary.BigEndian.PutUint64(n[8:], uint64(instant))
	h.Write(n[:])
	var id ulid.ULID
	_ = id.SetTime(uint64(instant / 1e6)) // fails only past the year 10889
	copy(id[6:], h.Sum(nil))
	return id.String()
}

func applyDecideFires(c *change, cmd *DecideFires) (any, error) {
	results := make([]error, len(cmd.Decisions))
	for i := range cmd.Decisions {
		results[i] = decideFire(c, &cmd.Decisions[i], cmd.At)
	}
	return results, nil
}

func decideFire(c *change, d *FireDecision, at Time) error {
	job := c.job(d.Job)
	cur := c.cursor(d.Job, d.Schedule)
	if job == nil || cur == nil || job.Version != d.Version || cur.Version != d.Version ||
		d.Instant == 0 || cur.Next != d.Instant || d.Instant <= cur.Decided {
		return ErrStale
	}
	if job.Deleting {
		return ErrDeleting
	}
	last := max(d.Instant, d.Until)
	if d.Count < 0 || (d.Next != 0 && d.Next <= last) || !knownSkip(d.Skip) {
		return fmt.Errorf("%w: decision on job %s at %s", ErrInvalid, d.Job, d.Instant)
	}
	moved := *cur
	moved.Next, moved.Decided = d.Next, last
	if old := c.fire(d.Job, d.Instant); old != nil {
		if old.Outcome == "" && old.Version != d.Version {
			// The fire of the version before is still being taken back. Until its
			// node has answered it may have started: decide it later.
			return ErrConflict
		}
		c.putCursor(&moved)
		return nil
	}
	c.putCursor(&moved)
	f := &Fire{
		Namespace: d.Job.Namespace, Job: d.Job.Name, ScheduledAt: d.Instant,
		Version: d.Version, Schedule: d.Schedule, Until: d.Until, Count: d.Count,
	}
	skip := d.Skip
	if skip == "" && job.skippedByPause(d.Instant) {
		skip = ReasonPaused
	}
	if skip == "" && queueFull(c, d.Job, c.version(d.Job, d.Version).Spec().Schedules[d.Schedule].OverlapPolicy()) {
		skip = ReasonOverlap
	}
	if skip != "" {
		f.Outcome, f.Reason = OutcomeSkipped, skip
		c.putFire(f)
		settleFire(c, f, at)
		return nil
	}
	return fireRun(c, f, d, at)
}

// knownSkip says whether a decision may name this reason; none means to run.
func knownSkip(reason string) bool {
	switch reason {
	case "", ReasonOverlap, ReasonMissed, ReasonPaused, ReasonBlackout, ReasonSuperseded:
		return true
	}
	return false
}

// fireRun makes the run of a fire, and arms its gate where the decision says so.
func fireRun(c *change, f *Fire, d *FireDecision, at Time) error {
	spec := c.version(d.Job, d.Version).Spec()
	sched := &spec.Schedules[d.Schedule]
	run := &Run{
		ID:        FireRunID(d.Job, c.index, d.Instant),
		Namespace: d.Job.Namespace, Job: d.Job.Name, Version: d.Version,
		Trigger: TriggerSchedule, ScheduledAt: d.Instant, CreatedAt: at,
		NotBefore: max(d.Instant, d.NotBefore), Overlap: sched.OverlapPolicy(),
	}
	// A job with a schedule has a default for each.
	run.Params, _ = spec.resolveParams(nil, (*Param).checkChoice)
	if run.NotBefore > d.Instant && run.Overlap == OverlapForbid {
		// Runs that make up for missed instants are several at a time: one after
		// the other, not the first alone.
		run.Overlap = OverlapQueue
	}
	if sched.StartDeadline > 0 {
		run.StartDeadline = d.Instant.Add(sched.StartDeadline)
	}
	run.Condition = condition(c, run)
	f.RunID = run.ID
	c.putFire(f)
	createRun(c, run, spec)
	if d.Arm == nil {
		return nil
	}
	p := *d.Arm
	p.RunID, p.Task, p.Shard, p.Attempt = run.ID, run.Gate, 0, 0
	if err := arm(c, &p, at); err != nil && !errors.Is(err, ErrStale) {
		return err
	}
	return nil
}

// decideOutcome gives a run's fire its outcome, once.
func decideOutcome(c *change, run *Run, outcome, reason string, at Time) {
	if run.ScheduledAt == 0 {
		return
	}
	old := c.fire(run.JobKey(), run.ScheduledAt)
	if old == nil || old.Outcome != "" {
		return
	}
	f := *old
	f.Outcome, f.Reason = outcome, reason
	if outcome == OutcomeSkipped {
		f.RunID = ""
	}
	c.putFire(&f)
	settleFire(c, &f, at)
}

// settleFire counts an outcome, drops the oldest ones past the limit, and tells of
// a missed instant.
func settleFire(c *change, f *Fire, at Time) {
	if f.Reason == ReasonMissed {
		tellMissed(c, f, at)
	}
	job := f.JobKey()
	stats := c.statsFor(job)
	if f.Outcome == OutcomeRan {
		stats.Ran++
	} else {
		if stats.Skipped == nil {
			stats.Skipped = map[string]uint64{}
		}
		stats.Skipped[f.Reason] += uint64(max(f.Count, 1))
	}
	stats.Fires++
	limit := c.historyOf(job).KeepFires()
	if stats.Fires > limit {
		for old := range c.firesOf(job) {
			if stats.Fires <= limit {
				break
			}
			if old.Outcome != "" && !c.runActive(old.RunID) {
				c.deleteFire(old)
				stats.Fires--
			}
		}
	}
	c.putStats(stats)
}

package fsm

import (
	"bytes"
	"cmp"
	"fmt"
	"strings"
)

// ReportKind is what a node says of an attempt.
type ReportKind string

// Kinds of reports.
const (
	// ReportStarted: the process runs.
	ReportStarted ReportKind = "started"
	// ReportEnded: it ran and ended; Outcome says how.
	ReportEnded ReportKind = "ended"
	// ReportKilled: it ran, or may have, and its node made sure that it runs no
	// more: the supervisor died, or fenced it.
	ReportKilled ReportKind = "killed"
	// ReportNever: it has not started here and never will.
	ReportNever ReportKind = "never"
	// ReportSkipped: its condition did not hold at its instant.
	ReportSkipped ReportKind = "skipped"
	// ReportMissed: its start deadline passed.
	ReportMissed ReportKind = "missed"
)

// Report is a node's word on one attempt. It is sent again until the log shows
// it, so that applying it twice must change nothing the second time.
type Report struct {
	AttemptRef `codec:"r"`
	Kind       ReportKind `codec:"k" json:"kind"`
	StartedAt  Time       `codec:"sa,omitempty" json:"started_at"`
	EndedAt    Time       `codec:"ea,omitempty" json:"ended_at"`
	Outcome    string     `codec:"o,omitempty" json:"outcome,omitempty"`
	ExitCode   int        `codec:"x,omitempty" json:"exit_code"`
	Signal     string     `codec:"g,omitempty" json:"signal,omitempty"`
	Error      string     `codec:"e,omitempty" json:"error,omitempty"`
	Tail       []byte     `codec:"t,omitempty" json:"tail,omitempty"`
	Truncated  bool       `codec:"tr,omitempty" json:"truncated,omitempty"`
	OOM        bool       `codec:"om,omitempty" json:"oom,omitempty"`
	// Output is the last line of the attempt's standard output, and Items the
	// list that it wrote there, if Listed: each where another task reads it.
	Output string   `codec:"ou,omitempty" json:"output,omitempty"`
	Items  []string `codec:"it,omitempty" json:"items,omitempty"`
	Listed bool     `codec:"li,omitempty" json:"listed,omitempty"`
}

// ReportAttempts carries the reports of one incarnation of one node.
type ReportAttempts struct {
	At          Time     `codec:"at"`
	Node        string   `codec:"n" json:"node"`
	Incarnation uint64   `codec:"i" json:"incarnation"`
	Reports     []Report `codec:"r" json:"reports"`
}

func applyReportAttempts(c *change, cmd *ReportAttempts) (any, error) {
	results := make([]error, len(cmd.Reports))
	for i := range cmd.Reports {
		results[i] = applyReport(c, cmd, &cmd.Reports[i])
	}
	return results, nil
}

func applyReport(c *change, cmd *ReportAttempts, r *Report) error {
	s := c.shard(r.RunID, r.Task, r.Shard)
	if s == nil || s.Current.Number != r.Attempt || s.Current.Node != cmd.Node || cmd.Incarnation < s.Current.Incarnation {
		return ErrStale
	}
	if r.EndedAt == 0 || (r.StartedAt == 0 && r.Kind != ReportKilled) {
		// A node that no longer knows when: now is not later than it should be.
		timed := *r
		timed.EndedAt = cmp.Or(r.EndedAt, cmd.At)
		timed.StartedAt = cmp.Or(r.StartedAt, timed.EndedAt)
		r = &timed
	}
	switch r.Kind {
	case ReportStarted:
		return reportStarted(c, s, r)
	case ReportEnded:
		return reportEnded(c, s, r, cmd.At)
	case ReportKilled:
		return loseAttempt(c, s, AttemptKilled, r.Error, r.EndedAt)
	case ReportNever:
		return releaseAttempt(c, s, cmd.At)
	case ReportSkipped, ReportMissed:
		return reportUnstarted(c, s, r, cmd.At)
	}
	return fmt.Errorf("%w: report kind %q", ErrInvalid, r.Kind)
}

func reportStarted(c *change, old *Shard, r *Report) error {
	if old.State != ShardArmed && old.State != ShardRetracting {
		return ErrStale
	}
	markStarted(c, old, r.StartedAt)
	return nil
}

// markStarted moves an armed or retracting shard to running, with all that
// follows for its run. It returns the shard as it is then.
func markStarted(c *change, old *Shard, at Time) *Shard {
	s := *old
	if s.State == ShardRetracting {
		refuseManual(c, s.JobKey(), s.RunID, at)
	}
	s.State, s.Why, s.Known, s.Maybe = ShardRunning, "", true, true
	if c.run(s.RunID).Cancelling {
		s.Why = WhyCancel
	}
	s.Current.StartedAt = at
	c.putShard(&s)
	rt := *c.task(s.RunID, s.Task)
	if rt.State == TaskPending {
		rt.State, rt.StartedAt = TaskRunning, at
		c.putTask(&rt)
	}
	openRun(c, c.run(s.RunID), at)
	return c.shard(s.RunID, s.Task, s.Index)
}

// JobKey returns the name of the shard's job.
func (s *Shard) JobKey() JobKey { return JobKey{s.Namespace, s.Job} }

func reportEnded(c *change, old *Shard, r *Report, at Time) error {
	if !old.State.Held() {
		return ErrStale
	}
	if old.State != ShardRunning {
		old = markStarted(c, old, r.StartedAt)
	}
	s := *old
	a := &s.Current
	a.EndedAt, a.Outcome, a.ExitCode, a.Signal = r.EndedAt, clip(r.Outcome, maxErrorText), r.ExitCode, clip(r.Signal, maxErrorText)
	a.OOM = r.OOM
	a.Error, a.Tail, a.Truncated = clip(r.Error, maxErrorText), tail(r.Tail), r.Truncated
	c.putShard(&s)
	run := c.run(s.RunID)
	switch {
	case r.Outcome == AttemptSucceeded:
		keepOutput(c, &s, r)
		finishShard(c, &s, ShardSucceeded, "", r.EndedAt)
	case r.Outcome == AttemptCancelled || run.Cancelling:
		finishShard(c, &s, ShardCancelled, "", r.EndedAt)
	case retry(c, &s, c.taskOf(run, s.Task), at):
	default:
		finishShard(c, &s, ShardFailed, a.Failure(), r.EndedAt)
	}
	return nil
}

// keepOutput keeps what later tasks read of an attempt that succeeded.
func keepOutput(c *change, s *Shard, r *Report) {
	if r.Output == "" && !r.Listed {
		return
	}
	rt := *c.task(s.RunID, s.Task)
	rt.Output = clip(r.Output, MaxTail)
	if size := sizeOf(r.Items); r.Listed && len(r.Items) <= MaxItems && size <= MaxItemBytes {
		rt.Items, rt.Listed = r.Items, true
	}
	c.putTask(&rt)
}

func sizeOf(items []string) int {
	size := 0
	for _, item := range items {
		size += len(item)
	}
	return size
}

// Failure says in a few words why an attempt failed.
func (a *Attempt) Failure() string {
	switch {
	case a.Outcome == AttemptTimeout:
		return "timed out"
	case a.Outcome == AttemptStartFailed:
		return "could not be started: " + a.Error
	case a.OOM && a.Error != "":
		return a.Error
	case a.Signal != "":
		return "killed by " + a.Signal
	case a.ExitCode <= 0 && a.Error != "": // a call has no exit code
		return a.Error
	}
	return fmt.Sprintf("exit code %d", a.ExitCode)
}

// reportUnstarted takes the decision of the node that held the gate: the fire
// is skipped or missed, and its run never was.
func reportUnstarted(c *change, s *Shard, r *Report, at Time) error {
	run := c.run(s.RunID)
	if (s.State != ShardArmed && s.State != ShardRetracting) || run.Opened || s.Maybe {
		return ErrStale
	}
	reason := ReasonOverlap
	if r.Kind == ReportMissed {
		reason = ReasonMissed
	}
	skipRun(c, run, reason, at)
	return nil
}

// skipRun ends a run that never started: its fire is skipped for that reason.
// A manual run that waited for the fire need wait no longer.
func skipRun(c *change, run *Run, reason string, at Time) {
	if run.ScheduledAt == 0 {
		cancelUnstarted(c, run, reason, at)
		return
	}
	decideOutcome(c, run, OutcomeSkipped, reason, at)
	freeManual(c, run.JobKey(), run.ID, at)
	dropRun(c, run)
}

// clip bounds a text. What it cuts is copied, so that the state does not hold on
// to the whole of it.
func clip(s string, n int) string {
	if len(s) > n {
		return strings.Clone(s[:n])
	}
	return s
}

// tail bounds the end of an output in the same way.
func tail(b []byte) []byte {
	if len(b) > MaxTail {
		return bytes.Clone(b[len(b)-MaxTail:])
	}
	return b
}

package fsm

import "fmt"

// DisplaceKind says what the leader concluded about attempts of a node that is
// out of reach.
type DisplaceKind string

const (
	// DisplaceMove: the attempts provably never started there.
	DisplaceMove DisplaceKind = "move"
	// DisplaceLose: they may have started, and by now must have been fenced.
	DisplaceLose DisplaceKind = "lose"
	// DisplaceSkip and DisplaceMiss are the leader's decisions on fires that sit
	// on no node.
	DisplaceSkip DisplaceKind = "skip"
	DisplaceMiss DisplaceKind = "miss"
	// DisplaceStrand: the shards are bound to a node that will not be back.
	DisplaceStrand DisplaceKind = "strand"
)

// DisplaceShards takes attempts from a node that cannot speak for itself, or
// decides fires that no node holds.
type DisplaceShards struct {
	At    Time         `codec:"at"`
	Kind  DisplaceKind `codec:"k"`
	Items []AttemptRef `codec:"i"`
	// Reason is for people: "node n2 silent since ...".
	Reason string `codec:"r,omitempty"`
}

func applyDisplaceShards(c *change, cmd *DisplaceShards) (any, error) {
	results := make([]error, len(cmd.Items))
	for i, ref := range cmd.Items {
		s := c.shard(ref.RunID, ref.Task, ref.Shard)
		if s == nil || s.Current.Number != ref.Attempt {
			results[i] = ErrStale
			continue
		}
		switch cmd.Kind {
		case DisplaceMove:
			results[i] = releaseAttempt(c, s, cmd.At)
		case DisplaceLose:
			results[i] = loseAttempt(c, s, AttemptLost, cmd.Reason, cmd.At)
		case DisplaceSkip:
			results[i] = skipPending(c, s, ReasonOverlap, cmd.At)
		case DisplaceMiss:
			results[i] = skipPending(c, s, ReasonMissed, cmd.At)
		case DisplaceStrand:
			results[i] = strand(c, s, cmd.Reason, cmd.At)
		default:
			results[i] = fmt.Errorf("%w: displacement %q", ErrInvalid, cmd.Kind)
		}
	}
	return results, nil
}

// releaseAttempt handles an attempt that has not started and never will: its
// shard returns to pending, unless what asked it back wants something else.
func releaseAttempt(c *change, old *Shard, at Time) error {
	if old.State != ShardArmed && old.State != ShardRetracting {
		return ErrStale
	}
	s := *old
	why := s.Why
	s.Current.Outcome, s.Current.EndedAt = AttemptNever, at
	endAttempt(&s)
	s.State, s.Why, s.Reason = ShardPending, "", ""
	run := c.run(s.RunID)
	c.putShard(&s)
	if run.Cancelling {
		freeManual(c, run.JobKey(), run.ID, at)
		finishShard(c, &s, ShardCancelled, "", at)
		return nil
	}
	if run.Opened {
		return nil
	}
	switch why {
	case WhyPause:
		dropUnstarted(c, run, &s, ReasonPaused, at)
	case WhyVersion:
		withdrawRun(c, run, &s, at)
	case WhyReplace:
		dropUnstarted(c, run, &s, ReasonOverlap, at)
	case WhyManual:
		yieldToManual(c, run, at)
	}
	return nil
}

// loseAttempt handles an attempt that ran or may have run and runs no more. A
// loss is not the job's fault: the shard is tried again.
func loseAttempt(c *change, old *Shard, outcome, reason string, at Time) error {
	if !old.State.Held() {
		return ErrStale
	}
	s := *old
	why := s.Why
	if s.State == ShardRetracting {
		refuseManual(c, s.JobKey(), s.RunID, at)
	}
	s.Current.Outcome, s.Current.EndedAt, s.Current.Error = outcome, at, clip(reason, maxErrorText)
	s.Maybe = true
	gone, drained := "its node was lost", s.State == ShardRunning && why == WhyDrain
	if drained {
		gone = "its node was drained"
	} else {
		s.Losses++
	}
	run := c.run(s.RunID)
	job := c.job(s.JobKey())
	if !run.Cancelling && !(drained && outcome == AttemptKilled) { // that was asked for
		tellAttempt(c, EventLost, &s, &s.Current, reason, at)
	}
	stop := job == nil || job.Paused || why == WhyPause || why == WhyVersion || why == WhyReplace
	switch {
	case run.Cancelling:
		c.putShard(&s)
		finishShard(c, &s, ShardCancelled, "", at)
	case s.Losses > maxLosses && run.Opened:
		c.putShard(&s)
		finishShard(c, &s, ShardFailed, fmt.Sprintf("lost its process %d times", s.Losses), at)
	case run.Opened && !c.taskOf(run, s.Task).RestartOnLoss():
		c.putShard(&s)
		finishShard(c, &s, ShardFailed, gone, at)
	case !run.Opened && (stop || s.Losses > maxLosses || !c.taskOf(run, s.Task).RestartOnLoss()):
		c.putShard(&s)
		dropUnstarted(c, run, &s, "", at)
	default:
		endAttempt(&s)
		s.State, s.Why, s.Reason = ShardPending, "", ""
		c.putShard(&s)
	}
	return nil
}

// skipPending is the leader's decision on a gate that sits on no node.
func skipPending(c *change, s *Shard, reason string, at Time) error {
	run := c.run(s.RunID)
	if s.State != ShardPending || run.Opened || s.Maybe || s.Task != run.Gate || s.Index != 0 {
		return ErrStale
	}
	skipRun(c, run, reason, at)
	return nil
}

// strand gives up a shard that waits for a node of its own that has gone.
func strand(c *change, s *Shard, reason string, at Time) error {
	if s.State != ShardPending || s.NodeID == "" {
		return ErrStale
	}
	finishShard(c, s, ShardFailed, clip(reason, maxErrorText), at)
	return nil
}

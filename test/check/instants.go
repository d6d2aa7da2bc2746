package check

import (
	"fmt"

	"github.com/rota-scheduler/rota/fsm"
)

// instant checks one that was due.
func (c *checker) instant(key fireKey) {
	fires, begun := c.fires[key], c.begun[key]
	switch {
	case len(fires) > 1:
		c.add(TwoOutcomes, key, "")
	case len(fires) == 0, fires[0].Outcome == "":
		c.add(NoOutcome, key, "")
		if len(begun) > 1 {
			c.add(StartedTwice, key, "")
		}
	case fires[0].Outcome == fsm.OutcomeSkipped:
		c.found.Skipped[fires[0].Reason]++
		if len(begun) > 0 {
			c.add(SkippedStarted, key, "")
		}
	default:
		c.found.Ran++
		c.ran(key, fires[0], begun)
	}
}

// ran checks a fire that ran by the ledger. One whose run was cancelled, or that
// was lost with its node, need not have begun.
func (c *checker) ran(key fireKey, fire fsm.Fire, begun []Process) {
	if len(begun) == 0 {
		if fire.Reason != fsm.ReasonLost && !c.terms[key.job].Cut && c.runs[fire.RunID].State != fsm.RunCancelled {
			c.add(RanNotStarted, key, "")
		}
		return
	}
	for i, b := range begun {
		if b.Run != fire.RunID {
			c.add(WrongRun, key, fmt.Sprintf("%s instead of %s", b.Run, fire.RunID))
		}
		if !c.mayFollow(begun[:i], b) {
			c.add(StartedTwice, key, "")
		}
	}
	c.found.Late = append(c.found.Late, begun[0].Begin.Sub(key.at.Time()))
}

// mayFollow says whether a process may begin although others of its shard have
// begun before: its job's terms allow it, and none of them came to a good end that
// the ledger knows of. One attempt twice is found elsewhere.
func (c *checker) mayFollow(before []Process, p Process) bool {
	for _, b := range before {
		if shardOf(b) != shardOf(p) || b.Attempt == p.Attempt {
			continue
		}
		if !c.termsOf(p).Again || c.succeeded(b) {
			return false
		}
	}
	return true
}

// succeeded says whether a process came to a good end and the ledger knows: it has
// not given the attempt up without its result, because its node was lost.
func (c *checker) succeeded(p Process) bool {
	switch c.attempts[attemptKey(p.Run, p.Task, p.Shard, p.Attempt)].Outcome {
	case fsm.AttemptSucceeded:
		return true
	case fsm.AttemptLost, fsm.AttemptKilled:
		return false
	}
	return p.Succeeded
}

// undue finds what happened, within the checked time, at an instant that the
// schedule does not name.
func (c *checker) undue(d Due) {
	if len(d.Instants) == 0 {
		return
	}
	within := func(key fireKey) bool {
		return key.job == d.Job && key.at >= d.Instants[0] && key.at <= d.Instants[len(d.Instants)-1] && !c.due[key]
	}
	for key, fires := range c.fires {
		if within(key) && (d.Version == 0 || fires[0].Version == d.Version) {
			c.add(NotDue, key, "")
		}
	}
	for key := range c.begun {
		if within(key) && len(c.fires[key]) == 0 {
			c.add(UnknownStart, key, "")
		}
	}
}

// times checks when the first process of each fire began. A run that a person has
// taken up again has no deadline any more.
func (c *checker) times() {
	for key, begun := range c.begun {
		first := begun[0]
		if early := key.at.Time().Sub(first.Begin); early > c.Skew {
			c.add(Early, key, fmt.Sprintf("by %s", early))
		}
		within := c.termsOf(first).Within
		if within == 0 || c.maybeBefore(first) || c.runs[first.Run].Retries > 0 {
			continue
		}
		if late := first.Begin.Sub(key.at.Time()); late > within+c.Skew {
			c.add(PastDeadline, key, fmt.Sprintf("%s late, at most %s", late, within))
		}
	}
}

// maybeBefore says whether an earlier attempt of the shard may have started, by
// the ledger: what follows it has no deadline any more. One that the ledger does
// not list may have.
func (c *checker) maybeBefore(p Process) bool {
	for n := 1; n < p.Attempt; n++ {
		a, listed := c.attempts[attemptKey(p.Run, p.Task, p.Shard, n)]
		if !listed || a.Outcome != "" && a.Outcome != fsm.AttemptNever {
			return true
		}
	}
	return false
}

package check

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/rota-scheduler/rota/fsm"
)

// together checks the attempts of each shard against each other and against the
// ledger. A process that was killed may have written no end: only what is known
// to overlap counts.
func (c *checker) together() {
	for _, shard := range slices.Sorted(maps.Keys(c.shards)) {
		list := c.shards[shard]
		for i, p := range list {
			if c.attempts[attemptKey(p.Run, p.Task, p.Shard, p.Attempt)].Outcome == fsm.AttemptNever {
				c.addOf(NeverStarted, fmt.Sprintf("%s attempt %d on %s", shard, p.Attempt, p.Node), p)
			}
			for _, before := range list[:i] {
				c.pair(shard, before, p)
			}
		}
	}
}

// pair checks two attempts of a shard, the first of which began first.
func (c *checker) pair(shard string, a, b Process) {
	between := func(gap time.Duration) string {
		return fmt.Sprintf("%s attempt %d on %s and attempt %d on %s, %s together", shard, a.Attempt, a.Node, b.Attempt, b.Node, gap)
	}
	switch {
	case a.Attempt == b.Attempt:
		c.addOf(StartedTwice, fmt.Sprintf("%s attempt %d, on %s and on %s", shard, a.Attempt, a.Node, b.Node), a, b)
	case a.Attempt < b.Attempt && a.Fence >= b.Fence, a.Attempt > b.Attempt && a.Fence <= b.Fence:
		c.addOf(FenceBack, fmt.Sprintf("%s attempt %d has %d, attempt %d has %d", shard, a.Attempt, a.Fence, b.Attempt, b.Fence), a, b)
	}
	if a.End.After(b.Begin) && !c.termsOf(a).Beside && !c.termsOf(b).Beside {
		c.addOf(TwoAtATime, between(a.End.Sub(b.Begin)), a, b)
	}
}

// exclusive finds runs of a job that lived at the same time although the job runs
// one at a time. What may run twice may outlive its run, so it proves nothing.
func (c *checker) exclusive() {
	latest := map[fsm.JobKey][]Process{}
	for _, p := range c.Processes {
		if terms := c.termsOf(p); !terms.Alone || terms.Beside {
			continue
		}
		var alive []Process
		for _, before := range latest[p.Job] {
			if !before.End.After(p.Begin) {
				continue
			}
			alive = append(alive, before)
			if before.Run != p.Run {
				c.addOf(RunsOverlap, fmt.Sprintf("run %s on %s and run %s on %s, %s together",
					before.Run, before.Node, p.Run, p.Node, before.End.Sub(p.Begin)), before, p)
			}
		}
		latest[p.Job] = append(alive, p)
	}
}

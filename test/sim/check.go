package sim

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/scheduling"
)

// Verdict is what became of a job's instants, by the starts that were recorded
// and the ledger of one replica.
type Verdict struct {
	// Problems are breaches of a promise, each with what is known of its key.
	Problems []string
	// Instants counts what was due, Ran and Skipped its outcomes (by reason).
	Instants, Ran int
	Skipped       map[string]int
	// Late holds, for each instant that ran, how late its first start was.
	Late map[fsm.Time]time.Duration
}

// CheckOptions says what a check may tolerate.
type CheckOptions struct {
	// Restarts allows a second start of an instant whose first was killed or may
	// have been: a loss, not a double.
	Restarts bool
}

// Check judges every instant of a job's schedules in (after, until].
func (c *Cluster) Check(name string, after, until time.Time, opts CheckOptions) Verdict {
	c.t.Helper()
	key := fsm.JobKey{Namespace: fsm.DefaultNamespace, Name: name}
	store := c.freshest()
	v := store.Read()
	job := v.Job(key)
	if job == nil {
		c.t.Fatalf("job %s is not in the store", name)
	}
	spec := &v.Version(key, job.Version).Spec
	verdict := Verdict{Skipped: map[string]int{}, Late: map[fsm.Time]time.Duration{}}
	starts := c.startsOf(name)
	due := map[fsm.Time]bool{}
	for _, t := range c.instants(key, spec, after, until) {
		due[t] = true
		verdict.Instants++
		verdict.judge(v, key, t, starts[t.String()], c.Timing.Skew, opts)
	}
	for at, list := range starts {
		if at == "" {
			continue
		}
		t, err := time.Parse(time.RFC3339Nano, at)
		if err == nil && t.After(after) && !t.After(until) && !due[fsm.At(t)] {
			verdict.problem(v, key, fsm.At(t), list, "started at an instant that is not due")
		}
	}
	verdict.overlaps(c.Record.Starts(), name)
	return verdict
}

// freshest returns the replica that has applied most.
func (c *Cluster) freshest() *fsm.Store {
	best := c.nodes[0].store
	for _, n := range c.nodes {
		if n.store.Index() > best.Index() {
			best = n.store
		}
	}
	return best
}

func (c *Cluster) startsOf(job string) map[string][]Start {
	starts := map[string][]Start{}
	for _, s := range c.Record.Starts() {
		if s.Job == job {
			starts[s.ScheduledAt] = append(starts[s.ScheduledAt], s)
		}
	}
	return starts
}

// instants lists what is due by the time rules alone.
func (c *Cluster) instants(key fsm.JobKey, spec *fsm.JobSpec, after, until time.Time) []fsm.Time {
	var all []fsm.Time
	for i := range spec.Schedules {
		s, err := scheduling.CompileSchedule(key, &spec.Schedules[i])
		if err != nil {
			c.t.Fatal(err)
		}
		list, more, err := s.Between(after, until, 1_000_000)
		if err != nil || more > 0 {
			c.t.Fatalf("instants of %s: %d too many, %v", key, more, err)
		}
		for _, t := range list {
			all = append(all, fsm.At(t))
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// judge looks at one instant.
func (v *Verdict) judge(view *fsm.View, key fsm.JobKey, t fsm.Time, starts []Start, skew time.Duration, opts CheckOptions) {
	f := summarised(view, key, t)
	switch {
	case f == nil:
		v.problem(view, key, t, starts, "has no outcome and no fire")
		return
	case f.Outcome == "":
		v.problem(view, key, t, starts, "has no outcome yet")
		return
	case f.Outcome == fsm.OutcomeSkipped:
		v.Skipped[f.Reason]++
		if len(starts) > 0 {
			v.problem(view, key, t, starts, "was skipped for "+f.Reason+", and started")
		}
		return
	}
	v.Ran++
	if f.Reason == fsm.ReasonLost {
		return
	}
	if len(starts) == 0 {
		v.problem(view, key, t, starts, "ran by the ledger, and never started")
		return
	}
	v.Late[t] = starts[0].Begin.Sub(t.Time())
	if starts[0].Begin.Before(t.Time().Add(-skew)) {
		v.problem(view, key, t, starts, "started early")
	}
	if extra := starts[:len(starts)-1]; len(extra) > 0 {
		for _, s := range extra {
			if !opts.Restarts || s.Outcome == "succeeded" {
				v.problem(view, key, t, starts, fmt.Sprintf("started %d times", len(starts)))
				break
			}
		}
	}
}

// summarised returns the fire of an instant, or the row that stands for it.
func summarised(v *fsm.View, key fsm.JobKey, t fsm.Time) *fsm.Fire {
	if f := v.Fire(key, t); f != nil {
		return f
	}
	for f := range v.Fires(key) {
		if f.Until != 0 && f.ScheduledAt <= t && t <= f.Until {
			return f
		}
	}
	return nil
}

// overlaps finds attempts of one shard, or runs of a job that runs one at a
// time, that lived at the same time.
func (v *Verdict) overlaps(starts []Start, job string) {
	last := map[string]Start{}
	for _, s := range starts {
		if s.Job != job {
			continue
		}
		shard := fmt.Sprintf("%s/%s/%d", s.Ref.RunID, s.Ref.Task, s.Ref.Shard)
		if before, ok := last[shard]; ok && (before.End.IsZero() || before.End.After(s.Begin)) {
			v.Problems = append(v.Problems, fmt.Sprintf("two attempts of %s lived at once: %s and %s", shard, describe(before), describe(s)))
		}
		last[shard] = s
	}
}

// problem notes a breach with everything that is known of the key.
func (v *Verdict) problem(view *fsm.View, key fsm.JobKey, t fsm.Time, starts []Start, what string) {
	const most = 20
	if len(v.Problems) > most {
		return
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s at %s %s", key, t, what)
	if f := view.Fire(key, t); f != nil {
		fmt.Fprintf(&b, "\n  fire: outcome=%q reason=%q run=%s version=%d", f.Outcome, f.Reason, f.RunID, f.Version)
		if r := view.Run(f.RunID); r != nil {
			fmt.Fprintf(&b, "\n  run: state=%s opened=%v condition=%v created=%s", r.State, r.Opened, r.Condition, r.CreatedAt)
			for s := range view.Shards(r.ID) {
				fmt.Fprintf(&b, "\n  shard %s/%d: %s %+v past=%+v", s.Task, s.Index, s.State, s.Current, s.Past)
			}
		}
	}
	for _, s := range starts {
		fmt.Fprintf(&b, "\n  start: %s", describe(s))
	}
	v.Problems = append(v.Problems, b.String())
}

func describe(s Start) string {
	end := "still alive"
	if !s.End.IsZero() {
		end = string(s.Outcome) + " at " + s.End.UTC().Format(time.RFC3339Nano)
	}
	return fmt.Sprintf("%s on %s at %s, %s", s.Ref, s.Node, s.Begin.UTC().Format(time.RFC3339Nano), end)
}

// CheckHashes fails the test unless all replicas come to the same index and the
// same state.
func (c *Cluster) CheckHashes() {
	c.t.Helper()
	c.Wait("the replicas agree", c.scale(20*time.Second), func() bool {
		var index uint64
		digest := ""
		for _, n := range c.nodes {
			if !n.Up() {
				continue
			}
			i, d := n.store.Hash()
			if digest != "" && (i != index || d != digest) {
				return false
			}
			index, digest = i, d
		}
		return true
	})
}

// Report fails the test with a verdict's problems.
func (c *Cluster) Report(v Verdict) {
	c.t.Helper()
	for _, p := range v.Problems {
		c.t.Error(p)
	}
}

package sim

import (
	"slices"
	"time"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/scheduling"
	"github.com/rota-scheduler/rota/test/check"
)

// Verdict is what became of a job's instants, by the starts that were recorded
// and the ledger of one replica.
type Verdict struct {
	check.Verdict
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
	key := jobNamed(name)
	v := c.freshest().Read()
	job := v.Job(key)
	if job == nil {
		c.t.Fatalf("job %s is not in the store", name)
	}
	instants := c.instants(key, v.Version(key, job.Version).Spec(), after, until)
	e := check.Evidence{
		Skew: c.Timing.Skew, Due: []check.Due{{Job: key, Instants: instants, Terms: check.Terms{Again: opts.Restarts}}},
	}
	c.gatherState(&e, func(job fsm.JobKey) bool { return job == key })
	for i := range e.Processes {
		e.Processes[i].Terms = nil // as Due says
	}
	verdict := Verdict{Verdict: *check.Check(e), Late: map[fsm.Time]time.Duration{}}
	due := map[fsm.Time]bool{}
	for _, at := range instants {
		due[at] = true
	}
	for _, p := range e.Processes {
		if _, known := verdict.Late[p.ScheduledAt]; due[p.ScheduledAt] && !known {
			verdict.Late[p.ScheduledAt] = p.Begin.Sub(p.ScheduledAt.Time())
		}
	}
	return verdict
}

// gatherState adds what the freshest replica and the processes say of some jobs.
func (c *Cluster) gatherState(e *check.Evidence, wanted func(fsm.JobKey) bool) {
	v := c.freshest().Read()
	for job := range v.Jobs(fsm.JobKey{}) {
		if job.Deleting || !wanted(job.Key()) {
			continue
		}
		e.Jobs = append(e.Jobs, check.Job{Key: job.Key(), Mark: v.Version(job.Key(), job.Version).Spec().Description, Paused: job.Paused})
		for f := range v.Fires(job.Key()) {
			e.Fires = append(e.Fires, *f)
		}
	}
	for run := range v.AllRuns("") {
		if !wanted(run.JobKey()) {
			continue
		}
		e.Runs = append(e.Runs, *run)
		for s := range v.Shards(run.ID) {
			for _, a := range append(slices.Clone(s.Past), s.Current) {
				e.Attempts = append(e.Attempts, check.Attempt{
					Run: s.RunID, Task: s.Task, Shard: s.Index, Number: a.Number, Outcome: a.Outcome, Node: a.Node,
				})
			}
		}
	}
	for _, s := range c.Record.Starts() {
		if wanted(jobNamed(s.Job)) {
			e.Processes = append(e.Processes, s.process())
		}
	}
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

// Report fails the test with a verdict's violations.
func (c *Cluster) Report(v Verdict) {
	c.t.Helper()
	for _, p := range v.Violations {
		c.t.Error(p)
	}
}

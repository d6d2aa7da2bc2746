package check

import (
	"fmt"
	"slices"

	"github.com/rota-scheduler/rota/fsm"
)

// Check judges the evidence. It changes nothing of it, and may be called from
// many goroutines.
func Check(e Evidence) *Verdict {
	c := &checker{
		Evidence: e, due: map[fireKey]bool{}, fires: map[fireKey][]fsm.Fire{},
		begun: map[fireKey][]Process{}, shards: map[string][]Process{},
		attempts: map[string]Attempt{}, terms: map[fsm.JobKey]Terms{}, runs: map[string]fsm.Run{},
		found: Verdict{Skipped: map[string]int{}},
	}
	c.index()
	for _, d := range e.Due {
		c.found.Due += len(d.Instants)
		for _, at := range d.Instants {
			c.instant(fireKey{d.Job, at})
		}
		c.undue(d)
	}
	c.times()
	c.together()
	c.exclusive()
	c.history()
	c.replicas()
	c.recovery()
	slices.Sort(c.found.Late)
	return &c.found
}

// fireKey is the key of a fire.
type fireKey struct {
	job fsm.JobKey
	at  fsm.Time
}

// checker holds the evidence by key.
type checker struct {
	Evidence
	due   map[fireKey]bool
	fires map[fireKey][]fsm.Fire
	// begun and shards hold the processes in the order of their begins.
	begun    map[fireKey][]Process
	shards   map[string][]Process
	attempts map[string]Attempt
	terms    map[fsm.JobKey]Terms
	runs     map[string]fsm.Run
	found    Verdict
}

func (c *checker) index() {
	for _, d := range c.Due {
		c.terms[d.Job] = d.Terms
		for _, at := range d.Instants {
			c.due[fireKey{d.Job, at}] = true
		}
	}
	own := map[fireKey]bool{}
	for _, f := range c.Fires {
		if f.Until == 0 {
			own[fireKey{fsm.JobKey{Namespace: f.Namespace, Name: f.Job}, f.ScheduledAt}] = true
		}
	}
	for _, f := range c.Fires {
		for _, at := range c.covered(f, own) {
			key := fireKey{fsm.JobKey{Namespace: f.Namespace, Name: f.Job}, at}
			c.fires[key] = append(c.fires[key], f)
		}
	}
	c.Processes = slices.Clone(c.Processes)
	slices.SortStableFunc(c.Processes, func(a, b Process) int { return a.Begin.Compare(b.Begin) })
	for _, p := range c.Processes {
		c.shards[shardOf(p)] = append(c.shards[shardOf(p)], p)
		if p.ScheduledAt != 0 {
			key := keyOf(p)
			c.begun[key] = append(c.begun[key], p)
		}
	}
	for _, a := range c.Attempts {
		c.attempts[attemptKey(a.Run, a.Task, a.Shard, a.Number)] = a
	}
	for _, r := range c.Runs {
		c.runs[r.ID] = r
	}
}

// covered returns the instants that a row of the ledger stands for. One that does
// not know how many those are stands for what has no row of its own.
func (c *checker) covered(f fsm.Fire, own map[fireKey]bool) []fsm.Time {
	if f.Until == 0 {
		return []fsm.Time{f.ScheduledAt}
	}
	var all []fsm.Time
	for _, d := range c.Due {
		if d.Job.Name != f.Job || d.Job.Namespace != f.Namespace {
			continue
		}
		for _, at := range d.Instants {
			if at >= f.ScheduledAt && at <= f.Until && !(f.Count == 0 && own[fireKey{d.Job, at}]) {
				all = append(all, at)
			}
		}
	}
	return all
}

// termsOf returns what a process's job allows.
func (c *checker) termsOf(p Process) Terms {
	if p.Terms != nil {
		return *p.Terms
	}
	return c.terms[p.Job]
}

func keyOf(p Process) fireKey { return fireKey{p.Job, p.ScheduledAt} }

func shardOf(p Process) string { return fmt.Sprintf("%s/%s/%d", p.Run, p.Task, p.Shard) }

func attemptKey(run, task string, shard, number int) string {
	return fmt.Sprintf("%s/%s/%d/%d", run, task, shard, number)
}

// add notes a violation of a fire.
func (c *checker) add(kind string, key fireKey, detail string) {
	c.found.Violations = append(c.found.Violations, Violation{kind, key.job, key.at, detail, c.story(key, nil)})
}

// addOf notes a violation by processes, which need have no instant.
func (c *checker) addOf(kind string, detail string, list ...Process) {
	v := Violation{Kind: kind, Job: list[0].Job, At: list[0].ScheduledAt, Detail: detail}
	v.Story = c.story(fireKey{v.Job, v.At}, list)
	c.found.Violations = append(c.found.Violations, v)
}

package cluster

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/test/cluster/record"
)

// Skew is by how much a clock in the cluster may be wrong: a start that is
// earlier than its instant by more breaks a promise.
const Skew = 50 * time.Millisecond

// Kinds of violations.
const (
	NoOutcome      = "no outcome"
	TwoOutcomes    = "two outcomes"
	NotDue         = "outcome of an instant that was not due"
	RanNotStarted  = "ran, but no process started"
	StartedTwice   = "started more than once"
	SkippedStarted = "skipped, but a process started"
	UnknownStart   = "a process started for no listed fire"
	WrongRun       = "a process started for another run"
	Early          = "started early"
	Late           = "started past its deadline"
	TwoAtATime     = "two attempts at a time"
	TwoRuns        = "two runs at a time"
)

// ExecSlack is by how much a process may show its deadline to be passed: what
// lies between its exec and its first line, on a busy machine.
const ExecSlack = 500 * time.Millisecond

// Due are the instants that a job's schedule names, within the time that is
// checked.
type Due struct {
	Job      fsm.JobKey
	Instants []fsm.Time
	// Terms are what the job's file and the faults allow.
	Terms Terms
}

// Terms say what may become of a job's fires besides one start of each shard.
type Terms struct {
	// Again: a shard may be tried again, because it failed or its node was lost:
	// each attempt may start once.
	Again bool
	// Beside: an attempt may run beside the one before (idempotent).
	Beside bool
	// Cut: a run may be cancelled before its process has written anything.
	Cut bool
	// Alone: runs must not overlap.
	Alone bool
	// Within is the start deadline; 0 means that there is none. What has been
	// moved or lost and so is a later attempt is not judged by it.
	Within time.Duration
}

// Every returns the instants of a schedule that is due phase after each multiple
// of step: those after from, and up to to.
func Every(job fsm.JobKey, step time.Duration, phase, from, to fsm.Time) Due {
	d := Due{Job: job}
	s := fsm.Time(step)
	for t := ((from-phase)/s+1)*s + phase; t <= to; t += s {
		d.Instants = append(d.Instants, t)
	}
	return d
}

// Evidence is what the checker goes by.
type Evidence struct {
	Due []Due
	// Fires are what the API lists, of the jobs in Due.
	Fires []fsm.Fire
	// Records are what the processes wrote.
	Records []record.Record
	// Describe, if set, tells what the API says of a run and its attempts.
	Describe func(run string) string
}

// Violation is one broken promise.
type Violation struct {
	Kind string
	Job  fsm.JobKey
	At   fsm.Time
	// Story is everything known of that instant, in order.
	Story string
}

func (v Violation) String() string {
	return fmt.Sprintf("%s: %s at %s\n%s", v.Kind, v.Job, v.At, v.Story)
}

// Verdict is what Check found.
type Verdict struct {
	Violations []Violation
	// Due counts the instants, Ran and Skipped (by reason) their outcomes.
	Due, Ran int
	Skipped  map[string]int
	// Late is by how much each first start was late, ascending.
	Late []time.Duration
}

// fireKey is the key of a fire.
type fireKey struct {
	job fsm.JobKey
	at  fsm.Time
}

// checker holds the evidence by key.
type checker struct {
	Evidence
	due    map[fireKey]bool
	terms  map[fsm.JobKey]Terms
	fires  map[fireKey][]fsm.Fire
	begins map[fireKey][]record.Record
	found  Verdict
}

// Check decides whether every due instant had exactly one outcome, and every
// one that ran exactly one start, not early, or what its job's terms allow. Each
// task of a run counts by itself; so do manual runs, which have no instant. A
// process of an instant outside of what was due is left alone: the cluster goes on
// while it is asked.
func Check(e Evidence) *Verdict {
	c := &checker{
		Evidence: e, due: map[fireKey]bool{}, terms: map[fsm.JobKey]Terms{}, fires: map[fireKey][]fsm.Fire{}, begins: map[fireKey][]record.Record{},
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
	c.together()
	slices.Sort(c.found.Late)
	return &c.found
}

func (c *checker) index() {
	for _, d := range c.Due {
		c.terms[d.Job] = d.Terms
		for _, at := range d.Instants {
			c.due[fireKey{d.Job, at}] = true
		}
	}
	for _, f := range c.Fires {
		for _, at := range c.covered(f) {
			key := fireKey{fsm.JobKey{Namespace: f.Namespace, Name: f.Job}, at}
			c.fires[key] = append(c.fires[key], f)
		}
	}
	for _, r := range c.Records {
		if key, ok := keyOf(r); ok && r.Event == record.Begin {
			c.begins[key] = append(c.begins[key], r)
		}
	}
}

// covered returns the instants that a row of the ledger stands for.
func (c *checker) covered(f fsm.Fire) []fsm.Time {
	if f.Until == 0 {
		return []fsm.Time{f.ScheduledAt}
	}
	var all []fsm.Time
	for _, d := range c.Due {
		if d.Job.Name != f.Job || d.Job.Namespace != f.Namespace {
			continue
		}
		for _, at := range d.Instants {
			if at >= f.ScheduledAt && at <= f.Until {
				all = append(all, at)
			}
		}
	}
	return all
}

func keyOf(r record.Record) (fireKey, bool) {
	key := fireKey{fsm.JobKey{Namespace: r.Namespace, Name: r.Job}, fsm.At(r.ScheduledAt)}
	return key, key.at != 0
}

// instant checks one that was due.
func (c *checker) instant(key fireKey) {
	fires, begins := c.fires[key], c.begins[key]
	switch {
	case len(fires) > 1:
		c.add(TwoOutcomes, key)
	case len(fires) == 0, fires[0].Outcome == "":
		c.add(NoOutcome, key)
		if len(begins) > 1 {
			c.add(StartedTwice, key)
		}
	case fires[0].Outcome == fsm.OutcomeSkipped:
		c.found.Skipped[fires[0].Reason]++
		if len(begins) > 0 {
			c.add(SkippedStarted, key)
		}
	default:
		c.found.Ran++
		c.ran(key, fires[0], begins)
	}
}

func (c *checker) ran(key fireKey, fire fsm.Fire, begins []record.Record) {
	terms := c.terms[key.job]
	if len(begins) == 0 {
		if !terms.Cut && fire.Reason != fsm.ReasonLost {
			c.add(RanNotStarted, key)
		}
		return
	}
	starts := map[string]int{}
	first := begins[0]
	for _, b := range begins {
		if b.Run != fire.RunID {
			c.add(WrongRun, key)
		}
		start := shardOf(b)
		if terms.Again {
			start = fmt.Sprintf("%s attempt %d", start, b.Attempt)
		}
		if starts[start]++; starts[start] == 2 {
			c.add(StartedTwice, key)
		}
		if b.At.Before(first.At) {
			first = b
		}
	}
	late := first.At.Sub(key.at.Time())
	if late < -Skew {
		c.add(Early, key)
	}
	if terms.Within > 0 && first.Attempt == 1 && late > terms.Within+ExecSlack {
		c.add(Late, key)
	}
	c.found.Late = append(c.found.Late, late)
}

func shardOf(r record.Record) string { return fmt.Sprintf("%s/%s/%d", r.Run, r.Task, r.Shard) }

// undue finds what happened, within the checked time, at an instant that the
// schedule does not name.
func (c *checker) undue(d Due) {
	if len(d.Instants) == 0 {
		return
	}
	within := func(key fireKey) bool {
		return key.job == d.Job && key.at >= d.Instants[0] && key.at <= d.Instants[len(d.Instants)-1] && !c.due[key]
	}
	for key := range c.fires {
		if within(key) {
			c.add(NotDue, key)
		}
	}
	for key := range c.begins {
		if within(key) && len(c.fires[key]) == 0 {
			c.add(UnknownStart, key)
		}
	}
}

func (c *checker) add(kind string, key fireKey) {
	c.found.Violations = append(c.found.Violations, Violation{kind, key.job, key.at, c.story(key)})
}

// story tells what is known of an instant: what the API lists, what the
// processes wrote, and what the API says of the runs.
func (c *checker) story(key fireKey) string {
	var b strings.Builder
	runs := map[string]bool{}
	for _, f := range c.fires[key] {
		fmt.Fprintf(&b, "  listed: %s %s run %s version %d\n", cmp.Or(f.Outcome, "(undecided)"), f.Reason, f.RunID, f.Version)
		runs[f.RunID] = true
	}
	for _, r := range c.Records {
		if k, ok := keyOf(r); ok && k == key {
			fmt.Fprintf(&b, "  %s (%+v) %s on %s: run %s task %s shard %d attempt %d fence %d pid %d\n",
				r.At.Format("15:04:05.000000"), r.At.Sub(key.at.Time()), r.Event, r.Node, r.Run, r.Task, r.Shard, r.Attempt, r.Fence, r.PID)
			runs[r.Run] = true
		}
	}
	for id := range runs {
		if c.Describe != nil && id != "" {
			fmt.Fprintf(&b, "  run %s:\n%s", id, c.Describe(id))
		}
	}
	return b.String()
}

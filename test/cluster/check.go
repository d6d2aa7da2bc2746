package cluster

import (
	"slices"
	"time"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/test/check"
	"github.com/rota-scheduler/rota/test/cluster/record"
	"github.com/rota-scheduler/rota/transport/api"
)

// Skew is by how much a clock in the cluster may be wrong: a start that is
// earlier than its instant by more breaks a promise.
const Skew = 50 * time.Millisecond

// The checker is package check's; these are its words.
type (
	Due       = check.Due
	Terms     = check.Terms
	Violation = check.Violation
	Verdict   = check.Verdict
)

// Kinds of violations that tests name.
const (
	NoOutcome    = check.NoOutcome
	StartedTwice = check.StartedTwice
	TwoAtATime   = check.TwoAtATime
	NeverStarted = check.NeverStarted
)

// ExecSlack is by how much a process may show its deadline to be passed: what
// lies between its fork and its first line, on a machine whose processors are
// wanted by many. What ignores a deadline starts later than that.
const ExecSlack = 2 * time.Second

// Every returns the instants of a schedule that is due phase after each multiple
// of step: those after from, and up to to.
func Every(job fsm.JobKey, step time.Duration, phase, from, to fsm.Time) Due {
	return check.Every(job, step, phase, from, to)
}

// Evidence is what the checker goes by.
type Evidence struct {
	Due []Due
	// Fires are what the API lists, of the jobs in Due.
	Fires []fsm.Fire
	// Records are what the processes wrote.
	Records []record.Record
	// Calls are the changes that were asked of the API; Jobs and Runs are what it
	// lists of the jobs that they concern. None means that this is not judged.
	Calls []check.Call
	Jobs  []check.Job
	Runs  []fsm.Run
	// Attempts are what the API says of runs that [Repeated] names; none means
	// that this is not judged.
	Attempts []check.Attempt
	// Describe, if set, tells what the API says of a run and its attempts.
	Describe func(run string) string
}

// Check decides whether every due instant had exactly one outcome, and every
// one that ran exactly one start, not early, or what its job's terms allow. Each
// task of a run counts by itself; so do manual runs, which have no instant. A
// process of an instant outside of what was due is left alone: the cluster goes on
// while it is asked.
func Check(e Evidence) *Verdict {
	due := slices.Clone(e.Due)
	for i := range due {
		if due[i].Terms.Within > 0 {
			due[i].Terms.Within += ExecSlack
		}
	}
	return check.Check(check.Evidence{
		Skew: Skew, ExecSlack: ExecSlack, Due: due, Fires: e.Fires, Processes: Processes(e.Records), Describe: e.Describe,
		Calls: e.Calls, Jobs: e.Jobs, Runs: e.Runs, Attempts: e.Attempts,
	})
}

// Repeated returns the runs of which a process wrote that it is not the first of
// its shard, in the order of their records.
func Repeated(records []record.Record) []string {
	var runs []string
	seen := map[string]bool{}
	for _, r := range records {
		if r.Attempt > 1 && !seen[r.Run] {
			seen[r.Run] = true
			runs = append(runs, r.Run)
		}
	}
	return runs
}

// AttemptsOf returns the attempts of a run as the API lists them.
func AttemptsOf(run *api.Run) []check.Attempt {
	var list []check.Attempt
	for i := range run.Tasks {
		for _, s := range run.Tasks[i].Items {
			for _, a := range append(slices.Clone(s.Past), s.Current) {
				list = append(list, check.Attempt{
					Run: s.RunID, Task: s.Task, Shard: s.Index, Number: a.Number, Outcome: a.Outcome, Node: a.Node,
				})
			}
		}
	}
	return list
}

// Processes puts together what each process wrote. One that was killed has
// written no end; it lived at least until its last sign of life. Whether one
// succeeded is not in the records.
func Processes(records []record.Record) []check.Process {
	type life struct {
		run, task, node string
		shard, attempt  int
		pid             int
	}
	var list []check.Process
	open := map[life]int{}
	for _, r := range records {
		l := life{r.Run, r.Task, r.Node, r.Shard, r.Attempt, r.PID}
		if r.Event != record.Begin {
			if i, ok := open[l]; ok {
				list[i].End = r.At
			}
			continue
		}
		open[l] = len(list)
		p := check.Process{
			Job: fsm.JobKey{Namespace: r.Namespace, Name: r.Job}, Run: r.Run, Task: r.Task, Shard: r.Shard,
			Attempt: r.Attempt, Fence: r.Fence, Node: r.Node, PID: r.PID, Begin: r.At,
		}
		if !r.ScheduledAt.IsZero() {
			p.ScheduledAt = fsm.At(r.ScheduledAt)
		}
		list = append(list, p)
	}
	return list
}

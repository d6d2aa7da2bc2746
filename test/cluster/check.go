package cluster

import (
	"slices"
	"time"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/test/check"
	"github.com/rota-scheduler/rota/test/cluster/record"
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
)

// ExecSlack is by how much a process may show its deadline to be passed: what
// lies between its exec and its first line, on a busy machine.
const ExecSlack = 500 * time.Millisecond

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
		Calls: e.Calls, Jobs: e.Jobs, Runs: e.Runs,
	})
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

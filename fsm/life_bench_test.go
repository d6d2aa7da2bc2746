package fsm

import (
	"errors"
	"fmt"
	"syscall"
	"testing"

	"github.com/hashicorp/raft"
)

// lifeItems is how many runs, or tasks of a run, begin in each entry of
// [BenchmarkLife], and how many end there.
const lifeItems = 21

// BenchmarkLife is the life of short runs in entries as the proposer makes them
// under load: each begins some and ends those that the entry before began, which
// three nodes report. An operation is one such entry; processor time stands for
// each item.
func BenchmarkLife(b *testing.B) {
	b.Run("fires", func(b *testing.B) { benchLife(b, new(firesLife)) })
	b.Run("runs", func(b *testing.B) { benchLife(b, new(runsLife)) })
	b.Run("tasks", func(b *testing.B) { benchLife(b, new(tasksLife)) })
}

// life makes the commands of an entry; all are encoded before the clock runs.
type life interface {
	prepare(l *lab, rounds int)
	// begin returns the commands that begin the items of a round, and their
	// attempts.
	begin(index uint64, round int) ([][]byte, []AttemptRef)
}

func benchLife(b *testing.B, kind life) {
	l := newLab(b)
	for n := range 3 {
		l.node(lifeNode(n), 1)
	}
	kind.prepare(l, b.N)
	entries := make([][]byte, b.N)
	var running []AttemptRef
	for round := range entries {
		commands, begun := kind.begin(l.index+uint64(round)+1, round)
		batch := Batch{Commands: commands}
		for n := range 3 {
			r := ReportAttempts{At: l.now, Node: lifeNode(n), Incarnation: 1}
			for i := n; i < len(running); i += 3 {
				r.Reports = append(r.Reports, Report{
					AttemptRef: running[i], Kind: ReportEnded, StartedAt: l.now, EndedAt: l.now + 1,
					Outcome: AttemptSucceeded, Tail: []byte("one line of output\nand another\n"),
				})
			}
			batch.Commands = append(batch.Commands, Encode(OpReportAttempts, r))
		}
		entries[round], running = Encode(OpBatch, batch), begun
	}
	b.ReportAllocs()
	b.ResetTimer()
	before := processorTime(b)
	for _, entry := range entries {
		l.index++
		for _, r := range l.store.Apply(&raft.Log{Index: l.index, Data: entry}).(BatchResult) {
			errs, _ := r.Value.([]error)
			if err := errors.Join(append(errs, r.Err)...); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(processorTime(b)-before)/1e3/float64(b.N*lifeItems), "cpu-µs/item")
}

func lifeNode(n int) string { return fmt.Sprint("node-", n) }

// processorTime is what the process has used, which other work on the machine
// changes less than the time on the wall.
func processorTime(b *testing.B) int64 {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		b.Fatal(err)
	}
	return r.Utime.Nano() + r.Stime.Nano()
}

// firesLife fires jobs of one task, each armed at once.
type firesLife struct{ jobs int }

func (f *firesLife) prepare(l *lab, _ int) {
	f.jobs = 40 * lifeItems
	for i := range f.jobs {
		l.must(OpPutJobs, PutJobs{At: l.now, Jobs: []PutJob{{Spec: spec(lifeJob(i), 1), Next: []Time{l.now + second}}}})
	}
}

func lifeJob(i int) string { return fmt.Sprintf("job-%06d", i) }

func (f *firesLife) begin(index uint64, round int) ([][]byte, []AttemptRef) {
	d := DecideFires{At: start}
	var begun []AttemptRef
	for i := range lifeItems {
		n := round*lifeItems + i
		job, at := key(lifeJob(n%f.jobs)), start+second*Time(1+n/f.jobs)
		d.Decisions = append(d.Decisions, FireDecision{
			Job: job, Version: 1, Instant: at, Next: at + second, Arm: on(lifeNode(i % 3)),
		})
		begun = append(begun, AttemptRef{RunID: FireRunID(job, index, at), Task: "main", Attempt: 1})
	}
	return [][]byte{Encode(OpDecideFires, d)}, begun
}

// runsLife makes runs of one job by hand, as many as its history keeps and more, and
// arms those of the entry before.
type runsLife struct{ made []AttemptRef }

func (r *runsLife) prepare(l *lab, _ int) { l.put(spec("j", 0)) }

func (r *runsLife) begin(_ uint64, round int) ([][]byte, []AttemptRef) {
	arm := ArmShards{At: start}
	for i, ref := range r.made {
		arm.Placements = append(arm.Placements, Placement{AttemptRef: ref, Node: lifeNode(i % 3), Incarnation: 1, Reason: "best of 3 nodes; 9731 of 10000 free"})
		r.made[i].Attempt = 1
	}
	commands, begun := [][]byte{Encode(OpArmShards, arm)}, r.made
	r.made = nil
	for i := range lifeItems {
		id := lifeRun(round*lifeItems + i)
		commands = append(commands, Encode(OpStartRun, StartRun{At: start, ID: id, Job: key("j")}))
		r.made = append(r.made, AttemptRef{RunID: id, Task: "main"})
	}
	return commands, begun
}

// tasksLife arms the tasks of runs of two thousand, side by side.
type tasksLife struct{}

const lifeTasks = 2000 - 2000%lifeItems

func (tasksLife) prepare(l *lab, rounds int) {
	var tasks []Task
	for i := range lifeTasks {
		tasks = append(tasks, task(lifeTask(i)))
	}
	l.put(spec("j", 0, tasks...))
	for run := range rounds*lifeItems/lifeTasks + 1 {
		l.took(l.start("j", lifeRun(run)))
	}
}

func lifeTask(i int) string { return fmt.Sprintf("t-%04d", i) }
func lifeRun(i int) string  { return fmt.Sprintf("run-%06d", i) }

func (tasksLife) begin(_ uint64, round int) ([][]byte, []AttemptRef) {
	arm := ArmShards{At: start}
	var begun []AttemptRef
	for i := range lifeItems {
		n := round*lifeItems + i
		ref := AttemptRef{RunID: lifeRun(n / lifeTasks), Task: lifeTask(n % lifeTasks)}
		arm.Placements = append(arm.Placements, Placement{AttemptRef: ref, Node: lifeNode(i % 3), Incarnation: 1, Reason: "score 97: room 97; 3 of 3 nodes fit"})
		ref.Attempt = 1
		begun = append(begun, ref)
	}
	return [][]byte{Encode(OpArmShards, arm)}, begun
}

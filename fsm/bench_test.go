package fsm

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/hashicorp/raft"
)

// benchStore holds jobs of one schedule each, and a node.
func benchStore(b *testing.B, jobs int) *lab {
	l := newLab(b)
	l.node("n1", 1)
	for first := 0; first < jobs; first += 500 {
		p := PutJobs{At: l.now}
		for i := first; i < min(jobs, first+500); i++ {
			s := spec(fmt.Sprintf("job-%06d", i), 1)
			s.Tasks[0].Command, s.Tasks[0].Args = "/usr/bin/true", []string{"--verbose", "--day=today"}
			p.Jobs = append(p.Jobs, PutJob{Spec: s, Next: []Time{l.now + second}})
		}
		l.must(OpPutJobs, p)
	}
	return l
}

func reportAll(l *lab, kind ReportKind) []byte {
	r := ReportAttempts{At: l.now, Node: "n1", Incarnation: 1}
	for s := range l.view().HeldBy("n1") {
		r.Reports = append(r.Reports, Report{AttemptRef: s.Ref(), Kind: kind, Outcome: AttemptSucceeded, Tail: bytes.Repeat([]byte("x"), 200)})
	}
	return Encode(OpReportAttempts, r)
}

// BenchmarkDeepGraphFails is the end of a chain of ten thousand tasks.
func BenchmarkDeepGraphFails(b *testing.B) {
	tasks := []Task{task("t0")}
	for i := 1; i < MaxTasks; i++ {
		tasks = append(tasks, task(fmt.Sprint("t", i), fmt.Sprint("t", i-1)))
	}
	l := newLab(b)
	l.node("n1", 1)
	l.put(spec("j", 1, tasks...))
	for range b.N {
		b.StopTimer()
		run := l.fired("j", on("n1"))
		b.StartTimer()
		l.took(l.report(l.gate(run), ReportEnded, AttemptFailed))
	}
}

// BenchmarkTaskOfManyShards is a task of ten thousand shards from its release to
// its end: each is armed, and ends.
func BenchmarkTaskOfManyShards(b *testing.B) {
	l := newLab(b)
	l.node("n1", 1)
	l.put(spec("j", 0, sharded("a", Shards{Count: MaxShards, Range: &[2]int64{0, 1 << 40}}), task("b", "a")))
	for n := range b.N {
		run := fmt.Sprint("m", n)
		l.took(l.start("j", run))
		for l.view().Task(run, "a").Done < MaxShards {
			arm := ArmShards{At: l.now}
			for s := range l.view().Pending() {
				if arm.Placements = append(arm.Placements, Placement{AttemptRef: s.Ref(), Node: "n1", Incarnation: 1}); len(arm.Placements) == 500 {
					break
				}
			}
			l.must(OpArmShards, arm)
			l.index++
			l.store.Apply(&raft.Log{Index: l.index, Data: reportAll(l, ReportEnded)})
		}
		l.must(OpCancelRun, CancelRun{l.now, run})
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*MaxShards), "ns/shard")
}

// BenchmarkReleaseShards is the entry that releases a task of ten thousand shards.
func BenchmarkReleaseShards(b *testing.B) {
	l := newLab(b)
	l.node("n1", 1)
	l.put(spec("j", 0, sharded("a", Shards{Count: MaxShards})))
	for n := range b.N {
		l.took(l.start("j", fmt.Sprint("m", n)))
	}
}

// BenchmarkWideGraph is a task on which ten thousand others depend, from the end
// of each of them.
func BenchmarkWideGraph(b *testing.B) {
	tasks := []Task{task("t0")}
	for i := 1; i < MaxTasks; i++ {
		tasks = append(tasks, task(fmt.Sprint("t", i), "t0"))
	}
	l := newLab(b)
	l.node("n1", 1)
	l.put(spec("j", 0, tasks...))
	for n := range b.N {
		run := fmt.Sprint("m", n)
		l.took(l.start("j", run))
		for !l.view().Run(run).State.Ended() {
			arm := ArmShards{At: l.now}
			for s := range l.view().Pending() {
				if arm.Placements = append(arm.Placements, Placement{AttemptRef: s.Ref(), Node: "n1", Incarnation: 1}); len(arm.Placements) == 500 {
					break
				}
			}
			l.must(OpArmShards, arm)
			l.index++
			l.store.Apply(&raft.Log{Index: l.index, Data: reportAll(l, ReportEnded)})
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*MaxTasks), "ns/task")
}

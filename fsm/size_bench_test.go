package fsm

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"runtime"
	"testing"

	"github.com/hashicorp/raft"
)

// atSizes runs a benchmark with a state of so many jobs. A million takes minutes to
// make and some GiB, so it has to be asked for.
func atSizes(b *testing.B, run func(b *testing.B, jobs int)) {
	for _, jobs := range []int{1_000, 10_000, 100_000, 1_000_000} {
		b.Run(fmt.Sprintf("jobs=%d", jobs), func(b *testing.B) {
			if jobs > 100_000 && os.Getenv("ROTA_BENCH") != "million" {
				b.Skip("asked for with ROTA_BENCH=million")
			}
			b.ReportAllocs()
			run(b, jobs)
		})
	}
}

const benchItems = 100

// fireAll decides the next instant of a hundred jobs, each armed at once.
func fireAll(l *lab, jobs, round int) []byte {
	d := DecideFires{At: l.now}
	for i := range benchItems {
		at := l.now + second*Time(1+round)
		d.Decisions = append(d.Decisions, FireDecision{
			Job: key(fmt.Sprintf("job-%06d", i*(jobs/benchItems))), Version: 1, Instant: at, Next: at + second, Arm: on("n1"),
		})
	}
	return Encode(OpDecideFires, d)
}

// BenchmarkFires is one entry of 100 fires, each armed at once; BenchmarkStarts and
// BenchmarkEnds are one of 100 reports. None should cost more for the jobs beside.
func BenchmarkFires(b *testing.B) {
	atSizes(b, func(b *testing.B, jobs int) { benchCycle(b, jobs, 0) })
}
func BenchmarkStarts(b *testing.B) {
	atSizes(b, func(b *testing.B, jobs int) { benchCycle(b, jobs, 1) })
}
func BenchmarkEnds(b *testing.B) { atSizes(b, func(b *testing.B, jobs int) { benchCycle(b, jobs, 2) }) }

// benchCycle takes a hundred of the jobs from fire to end again and again, and
// measures one of the three entries of each round.
func benchCycle(b *testing.B, jobs, measured int) {
	l := benchStore(b, jobs)
	b.ResetTimer()
	b.StopTimer()
	for round := range b.N {
		for step := range 3 {
			var entry []byte
			switch step {
			case 0:
				entry = fireAll(l, jobs, round)
			case 1:
				entry = reportAll(l, ReportStarted)
			default:
				entry = reportAll(l, ReportEnded)
			}
			if step == measured {
				b.StartTimer()
			}
			l.index++
			r := l.store.Apply(&raft.Log{Index: l.index, Data: entry}).(Result)
			b.StopTimer()
			for _, err := range r.Value.([]error) {
				if err != nil {
					b.Fatal(err)
				}
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*benchItems), "ns/item")
}

// BenchmarkPutJobs applies so many new jobs, 500 in an entry, and says what each
// then takes of the memory.
func BenchmarkPutJobs(b *testing.B) {
	atSizes(b, func(b *testing.B, jobs int) {
		held := uint64(0)
		for b.Loop() {
			before := live()
			l := benchStore(b, jobs)
			held = live() - before
			runtime.KeepAlive(l)
		}
		perJob(b, jobs, float64(held), "B/job")
	})
}

// live is what the heap holds after a collection.
func live() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// perJob reports a sum as what it is for each job, beside the time of each.
func perJob(b *testing.B, jobs int, sum float64, unit string) {
	b.ReportMetric(sum/float64(jobs), unit)
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(jobs), "ns/job")
}

func BenchmarkSnapshot(b *testing.B) {
	atSizes(b, func(b *testing.B, jobs int) {
		l, size := benchStore(b, jobs), 0
		for b.Loop() {
			snap, err := l.store.Snapshot()
			if err != nil {
				b.Fatal(err)
			}
			size = len(snapshotBytes(b, snap))
		}
		perJob(b, jobs, float64(size), "B/job")
	})
}

func BenchmarkRestore(b *testing.B) {
	atSizes(b, func(b *testing.B, jobs int) {
		snap, err := benchStore(b, jobs).store.Snapshot()
		if err != nil {
			b.Fatal(err)
		}
		data := snapshotBytes(b, snap)
		for b.Loop() {
			if err := newLab(b).store.Restore(io.NopCloser(bytes.NewReader(data))); err != nil {
				b.Fatal(err)
			}
		}
		perJob(b, jobs, float64(len(data)), "B/job")
	})
}

func BenchmarkHash(b *testing.B) {
	atSizes(b, func(b *testing.B, jobs int) {
		l := benchStore(b, jobs)
		for b.Loop() {
			l.hash()
		}
		perJob(b, jobs, 0, "B/job")
	})
}

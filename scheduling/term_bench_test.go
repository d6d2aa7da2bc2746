package scheduling

import (
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/rota-scheduler/rota/fsm"
)

// idleStore holds jobs of which the first hundred are due at once and the others
// in a day, and a node.
func idleStore(b *testing.B, jobs int, now fsm.Time) *fsm.Store {
	b.Helper()
	store, apply := benchState(b)
	apply(fsm.OpRegisterNode, fsm.RegisterNode{Node: fsm.Node{ID: "node", Name: "node", Incarnation: 1, Capacity: 1000}})
	for first := 0; first < jobs; first += 500 {
		put := fsm.PutJobs{At: now}
		for i := first; i < first+500; i++ {
			next := now.Add(fsm.Duration(24 * time.Hour))
			if i < 100 {
				next = now + 1
			}
			spec := specOf(fmt.Sprintf("job-%07d", i), fsm.Schedule{Cron: "0 3 * * *"})
			put.Jobs = append(put.Jobs, fsm.PutJob{Spec: spec, Next: []fsm.Time{next}})
		}
		apply(fsm.OpPutJobs, put)
	}
	return store
}

// BenchmarkTerm is what a new leader does before its first fires are proposed: it
// decides and places a hundred that are due. What is not due should cost nothing.
func BenchmarkTerm(b *testing.B) {
	benchTerm(b, func(l *Leader) int {
		f := &firer{Leader: l, broken: map[scheduleKey]fsm.Time{}, later: map[scheduleKey]fsm.Time{}}
		decisions, _ := f.collect(l.Store.Watch())
		return len(decisions)
	}, 100)
}

// BenchmarkOverdue is the look for history that is too old, once a minute, at jobs
// that have none.
func BenchmarkOverdue(b *testing.B) {
	benchTerm(b, func(l *Leader) int { return len(l.overdue()) }, 0)
}

func benchTerm(b *testing.B, pass func(*Leader) int, want int) {
	for _, jobs := range []int{1_000, 10_000, 100_000} {
		b.Run(fmt.Sprintf("jobs=%d", jobs), func(b *testing.B) {
			start := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
			clock := NewClock(func() time.Time { return start }, func() int64 { return 0 })
			store := idleStore(b, jobs, fsm.At(start))
			b.ReportAllocs()
			for b.Loop() {
				l := NewLeader(Config{Store: store, Clock: clock, Timing: DefaultTiming(), Leases: NewLeases(clock.Mono, DefaultTiming()), Logger: slog.New(slog.DiscardHandler)})
				if n := pass(l); n != want {
					b.Fatalf("%d, want %d", n, want)
				}
			}
		})
	}
}

package scheduling

import (
	"fmt"
	"testing"

	"github.com/rota-scheduler/rota/fsm"
)

// BenchmarkPlanPending is one pass over what waits, in the middle of a run of two
// thousand tasks, or of one task of as many shards: three nodes are full but for
// seven places each, which attempts have left since the last pass.
func BenchmarkPlanPending(b *testing.B) {
	side := func(s *fsm.JobSpec) {
		s.Tasks = nil
		for i := range 2000 {
			s.Tasks = append(s.Tasks, fsm.Task{Name: fmt.Sprintf("t%04d", i), Driver: fsm.DriverNoop, Weight: 10})
		}
	}
	shards := func(s *fsm.JobSpec) { s.Tasks[0].Weight = 10 }
	ruled := func(s *fsm.JobSpec) {
		side(s)
		s.Constraints = []fsm.Constraint{{Attribute: "label.disk", Operator: fsm.OpIn, Values: []string{"ssd", "hdd"}}}
	}
	for _, c := range []struct {
		name   string
		change func(*fsm.JobSpec)
	}{{"tasks", side}, {"tasks with rules", ruled}, {"shards", shards}} {
		b.Run(c.name, func(b *testing.B) {
			store := benchStore(b, 3, 2000-279, 279, c.change) // of weight 10, on nodes of capacity 1,000
			l := NewLeader(Config{Store: store, Timing: DefaultTiming()})
			b.ReportAllocs()
			defer cpuPerOp(b)()
			for b.Loop() {
				quiet := store.Read()
				p := l.planPending(store.Watch(), quiet, NewCluster(quiet, Facts{Ready: allReady, ledger: l.ledger}, 2))
				if len(p.placements) != 21 {
					b.Fatalf("%d placed", len(p.placements))
				}
			}
		})
	}
}

package scheduling

import (
	"fmt"
	"syscall"
	"testing"

	"github.com/hashicorp/raft"

	"github.com/rota-scheduler/rota/fsm"
)

// benchState returns an empty state, and what applies a command to it.
func benchState(b *testing.B) (store *fsm.Store, apply func(op fsm.Opcode, command any)) {
	store = fsm.NewStore(func(err error) { b.Fatal(err) })
	index := uint64(0)
	return store, func(op fsm.Opcode, command any) {
		b.Helper()
		index++
		if res := store.Apply(&raft.Log{Index: index, Type: raft.LogCommand, Data: fsm.Encode(op, command)}).(fsm.Result); res.Err != nil {
			b.Fatal(res.Err)
		}
	}
}

// benchStore holds nodes with a lot of room, and a run of so many pending shards
// of which the first are held already.
func benchStore(b *testing.B, nodes, pending, held int, change func(*fsm.JobSpec)) *fsm.Store {
	b.Helper()
	store, apply := benchState(b)
	for i := range nodes {
		apply(fsm.OpRegisterNode, fsm.RegisterNode{Node: fsm.Node{
			ID: fmt.Sprintf("node-%02d", i), Name: fmt.Sprintf("node-%02d", i), Incarnation: 1, Capacity: 1000,
			Zone: fmt.Sprint("zone-", i%3), Labels: map[string]string{"disk": []string{"ssd", "hdd"}[i%2], "v": fmt.Sprintf("1.%d", i)},
		}})
	}
	// A task puts up 2,048 shards at a time: several make the whole.
	spec := specOf("big")
	spec.Tasks = nil
	for left, i := pending+held, 0; left > 0; i++ {
		spec.Tasks = append(spec.Tasks, fsm.Task{Name: fmt.Sprint("t", i), Driver: fsm.DriverNoop, Shards: &fsm.Shards{Count: min(left, 2000)}})
		left -= 2000
	}
	if change != nil {
		change(&spec)
	}
	apply(fsm.OpPutJobs, fsm.PutJobs{At: 1, Jobs: []fsm.PutJob{{Spec: spec}}})
	apply(fsm.OpStartRun, fsm.StartRun{At: 1, ID: "RUN", Job: spec.Key()})
	n := 0
	for s := range store.Read().Pending() {
		if n++; n > held {
			break
		}
		apply(fsm.OpArmShards, fsm.ArmShards{At: 1, Placements: []fsm.Placement{{AttemptRef: s.Ref(), Node: fmt.Sprintf("node-%02d", n%nodes), Incarnation: 1}}})
	}
	return store
}

// cpuPerOp reports the processor time of a benchmark's loop, which other work on the
// machine changes less than the time on the wall.
func cpuPerOp(b *testing.B) (done func()) {
	used := func() int64 {
		var r syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
			b.Fatal(err)
		}
		return r.Utime.Nano() + r.Stime.Nano()
	}
	before := used()
	return func() { b.ReportMetric(float64(used()-before)/1e6/float64(b.N), "cpu-ms/op") }
}

func allReady(string) (uint64, bool) { return 1, true }

// BenchmarkPlace is what it takes to place all the shards of a run on all nodes:
// the snapshots and the decisions, without the log. Its result should grow in
// proportion to the shards, and slower than the nodes.
func BenchmarkPlace(b *testing.B) {
	rules := func(s *fsm.JobSpec) {
		s.Constraints = []fsm.Constraint{{Attribute: "label.v", Operator: fsm.OpVersion, Value: ">= 1.0"}, {Attribute: "name", Operator: fsm.OpRegexp, Value: "^node-[0-9]+$"}}
		s.Affinities = []fsm.Affinity{{Constraint: fsm.Constraint{Attribute: "label.disk", Value: "ssd"}}}
		s.Spreads = []fsm.Spread{{Attribute: "zone"}, {Attribute: "name"}}
		for i := range s.Tasks {
			s.Tasks[i].MaxPerNode = 1000
		}
	}
	for _, nodes := range []int{5, 50, 200} {
		for _, shards := range []int{1_000, 10_000} {
			for name, change := range map[string]func(*fsm.JobSpec){"plain": nil, "rules": rules} {
				b.Run(fmt.Sprintf("nodes=%d/shards=%d/%s", nodes, shards, name), func(b *testing.B) {
					if shards > nodes*1000 {
						b.Skip("more than fit")
					}
					store := benchStore(b, nodes, shards, 0, change)
					l := NewLeader(Config{Store: store})
					defer cpuPerOp(b)()
					for b.Loop() {
						v := store.Read()
						c := NewCluster(v, Facts{Ready: allReady}, 2)
						placed := 0
						for s := range v.Pending() {
							run := v.Run(s.RunID)
							if c.Place(requestFor(v, run, s, l.rules.of(v, s.JobKey(), s.Version, s.Task), 2)) != nil {
								placed++
							}
						}
						if placed != shards {
							b.Fatalf("%d of %d placed", placed, shards)
						}
					}
				})
			}
		}
	}
}

// BenchmarkSnapshot is what a plan costs before its first decision, with many
// attempts at work that did not change since the last.
func BenchmarkSnapshot(b *testing.B) {
	for _, held := range []int{100, 10_000} {
		b.Run(fmt.Sprintf("held=%d", held), func(b *testing.B) {
			store := benchStore(b, 50, 1, held, nil)
			kept := newLedger(store)
			defer cpuPerOp(b)()
			for b.Loop() {
				NewCluster(store.Read(), Facts{Ready: allReady, ledger: kept}, 2)
			}
		})
	}
}

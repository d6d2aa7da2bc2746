package scheduling

import (
	"testing"
	"time"

	"github.com/rota-scheduler/rota/fsm"
)

func (w *world) pool(name string, limit int) {
	w.t.Helper()
	w.apply(fsm.OpApplyFile, fsm.ApplyFile{Pools: []fsm.PutPool{{Name: name, Limit: limit}}, PutJobs: fsm.PutJobs{At: w.now()}})
}

func (w *world) start(job, run string) {
	w.t.Helper()
	w.apply(fsm.OpStartRun, fsm.StartRun{At: w.now(), ID: run, Job: key(job)})
}

// end reports the success of what a run holds of a task.
func (w *world) end(run, task string) {
	w.t.Helper()
	s := w.store.Read().Shard(run, task, 0)
	if s == nil || !s.State.Held() {
		w.t.Fatalf("run %s, task %s: %+v, want it held", run, task, s)
	}
	w.report(s.Current.Node, fsm.Report{AttemptRef: s.Ref(), Kind: fsm.ReportEnded, StartedAt: w.now(), Outcome: fsm.AttemptSucceeded})
}

// What waits for a pool and can never have it keeps nothing of it from others.
func TestAPoolIsNotKeptForWhatCannotRun(t *testing.T) {
	for name, hopeless := range map[string]func(w *world, s *fsm.JobSpec){
		"its limit was lowered": func(_ *world, s *fsm.JobSpec) { s.Tasks[0].Pools[0].Weight = 3 },
		"no node meets its constraints": func(_ *world, s *fsm.JobSpec) {
			s.Constraints = []fsm.Constraint{{Attribute: "region", Value: "nowhere"}}
		},
		"no node is as large": func(_ *world, s *fsm.JobSpec) { s.Tasks[0].Weight = 101 },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				w.register("n1", 1, 100)
				w.open("n1")
				defer w.lead(w.leader().place, w.beating("n1"))()
				w.pool("db", 3)
				stuck, other := specOf("stuck"), specOf("other")
				stuck.Tasks[0].Pools = []fsm.PoolUse{{Name: "db", Weight: 2}}
				other.Tasks[0].Pools = []fsm.PoolUse{{Name: "db", Weight: 1}}
				hopeless(w, &stuck)
				w.put(stuck, other)
				w.start("other", "r1") // so that the pool has less than stuck takes
				w.pool("db", 2)
				w.start("stuck", "r2")
				w.after(time.Hour) // it has waited for long
				w.wantState("r1", fsm.ShardArmed)
				w.wantState("r2", fsm.ShardPending)
				w.start("other", "r3")
				w.after(time.Second)
				w.wantState("r3", fsm.ShardArmed)
			})
		})
	}
}

// A run that waits for the one before it holds nothing that this one needs to end:
// else both would wait for ever.
func TestARunInTheQueueHoldsNothingThatItWaitsFor(t *testing.T) {
	for name, bound := range map[string]func(w *world, s *fsm.JobSpec){
		"a pool": func(w *world, s *fsm.JobSpec) {
			w.pool("db", 1)
			for i := range s.Tasks {
				s.Tasks[i].Pools = []fsm.PoolUse{{Name: "db", Weight: 1}}
			}
		},
		"max_per_node": func(_ *world, s *fsm.JobSpec) { s.Tasks[0].MaxPerNode = 1 },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				w.register("n1", 1, 100)
				s := specOf("a", fsm.Schedule{Every: fsm.Duration(10 * time.Second), Overlap: fsm.OverlapQueue})
				s.Tasks[0].Shards = &fsm.Shards{Count: 2, MaxParallel: 1}
				s.Tasks = append(s.Tasks, fsm.Task{Name: "then", Driver: fsm.DriverNoop, DependsOn: []string{"main"}})
				bound(w, &s)
				w.put(s)
				first := w.now().Add(fsm.Duration(10 * time.Second))
				defer w.firing()()
				w.after(25 * time.Second) // two are due
				runOf := func(at fsm.Time) string { return w.store.Read().Fire(s.Key(), at).RunID }
				one, two := runOf(first), runOf(first.Add(fsm.Duration(10*time.Second)))
				w.end(one, "main")
				w.after(time.Second)
				last := w.store.Read().Shard(one, "main", 1)
				if last.State != fsm.ShardArmed {
					t.Fatalf("the second shard is %s: %s", last.State, w.why(last))
				}
				if gate := w.gate(two); gate.State == fsm.ShardPending && w.why(gate) != "waits for an earlier run of its job to end; until then it takes nothing of its pools" {
					t.Errorf("the next run %s", w.why(gate))
				}
				w.report("n1", fsm.Report{AttemptRef: last.Ref(), Kind: fsm.ReportEnded, StartedAt: w.now(), Outcome: fsm.AttemptSucceeded})
				w.after(time.Second)
				w.end(one, "then")
				w.after(time.Second)
				w.wantState(two, fsm.ShardArmed)
			})
		})
	}
}

// why says what a shard waits for.
func (w *world) why(s *fsm.Shard) string {
	return NewExplainer(w.store.Read(), Facts{Ready: w.leases.Ready}, w.now()).WhyPending(s)
}

// A run that had started, and was lost, waits for the run before it if that is run
// again as well. It must not take the room that this one needs.
func TestALostRunTakesNoRoomFromTheOneThatItWaitsFor(t *testing.T) {
	bubble(t, func(w *world) {
		w.register("n1", 1, 100)
		w.register("n2", 1, 60)
		status := func(node string, s fsm.NodeStatus) {
			w.apply(fsm.OpSetNodeStatus, fsm.SetNodeStatus{At: w.now(), ID: node, Status: s})
		}
		status("n2", fsm.NodeMaintenance)
		s := specOf("a", fsm.Schedule{Every: fsm.Duration(10 * time.Second), Overlap: fsm.OverlapQueue})
		s.Tasks[0].Weight = 50
		w.put(s)
		first := w.now().Add(fsm.Duration(10 * time.Second))
		defer w.firing()()
		w.after(21 * time.Second)
		runOf := func(at fsm.Time) string { return w.store.Read().Fire(s.Key(), at).RunID }
		one, two := runOf(first), runOf(first.Add(fsm.Duration(10*time.Second)))
		for _, run := range []string{one, two} { // the node knows that the first has succeeded
			w.report("n1", fsm.Report{AttemptRef: w.gate(run).Ref(), Kind: fsm.ReportStarted, StartedAt: w.now()})
		}
		status("n2", fsm.NodeReady)
		status("n1", fsm.NodeMaintenance)
		for _, run := range []string{two, one} {
			w.apply(fsm.OpDisplaceShards, fsm.DisplaceShards{At: w.now(), Kind: fsm.DisplaceLose, Items: []fsm.AttemptRef{w.gate(run).Ref()}})
			w.after(2 * time.Second)
			w.wantState(run, fsm.ShardArmed)
		}
	})
}

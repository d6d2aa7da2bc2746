package scheduling

import (
	"testing"
	"time"

	"github.com/rota-scheduler/rota/fsm"
)

// plan makes one pass over what waits, as the placing loop does.
func (w *world) plan() (placing, *Cluster) {
	v := w.store.Read()
	cluster := NewCluster(v, Facts{Ready: w.leases.Ready}, w.now())
	return w.leader().planPending(v, v, cluster), cluster
}

// heavyNow puts a heavy run that has waited for so long.
func (w *world) heavyNow(name string, waited time.Duration) {
	s := specOf(name)
	s.Tasks[0].Weight = 60
	w.put(s)
	w.apply(fsm.OpStartRun, fsm.StartRun{At: w.now().Add(-fsm.Duration(waited)), ID: name + "-1", Job: s.Key()})
}

// TestAFullClusterHidesNoGate: when nothing has room, what waits is not looked at one
// by one, except for what must not wait in silence.
func TestAFullClusterHidesNoGate(t *testing.T) {
	bubble(t, func(w *world) {
		w.register("n1", 1, 50)
		w.open("n1")
		w.heavyNow("first", time.Minute)
		late := every(10 * time.Second)
		late.StartDeadline = fsm.Duration(time.Second)
		s := specOf("late", late)
		s.Tasks[0].Weight = 60
		w.put(s)
		cur := cursorOf(w, s.Key())
		w.apply(fsm.OpDecideFires, fsm.DecideFires{At: w.now(), Decisions: []fsm.FireDecision{{Job: s.Key(), Version: 1, Instant: cur.Next, Next: cur.Next + 10e9}}})
		w.after(cur.Next.Sub(w.now()) + 2*time.Second)
		w.beat("n1")
		if p, _ := w.plan(); len(p.miss) != 1 || !p.stuck {
			t.Errorf("missed %v, stuck %v; want the one that is past its deadline, and the other", p.miss, p.stuck)
		}
	})
}

func cursorOf(w *world, job fsm.JobKey) *fsm.Cursor {
	for cur := range w.store.Read().Cursors(job) {
		return cur
	}
	w.t.Fatalf("job %s has no cursor", job)
	return nil
}

// TestAFullClusterKeepsRoomForEachThatIsOverdue: what has waited for long has a node
// kept for it even if another before it found no room either.
func TestAFullClusterKeepsRoomForEachThatIsOverdue(t *testing.T) {
	for waited, want := range map[time.Duration]int{time.Minute: 0, 305 * time.Second: 2} {
		bubble(t, func(w *world) {
			for _, id := range []string{"n1", "n2", "n3"} {
				w.register(id, 1, 100)
			}
			w.open("n1", "n2", "n3")
			for _, id := range []string{"a", "b", "c"} {
				w.heavyNow(id, 0)
			}
			p, _ := w.plan()
			w.apply(fsm.OpArmShards, fsm.ArmShards{At: w.now(), Placements: p.placements})
			w.heavyNow("d", waited+time.Second)
			w.heavyNow("e", waited)
			_, cluster := w.plan()
			kept := 0
			for _, n := range cluster.nodes {
				if n.kept != nil {
					kept++
				}
			}
			if kept != want {
				t.Errorf("%d nodes are kept for two runs that wait for %s, want %d", kept, waited, want)
			}
		})
	}
}

// TestTasksShareTheRulesOfTheirJob: only those that ask something by themselves have
// rules of their own; a version's rules are not another's.
func TestTasksShareTheRulesOfTheirJob(t *testing.T) {
	bubble(t, func(w *world) {
		s := specOf("j")
		s.Constraints = []fsm.Constraint{{Attribute: "zone", Value: "a"}}
		own := fsm.Task{Name: "own", Driver: fsm.DriverNoop, MaxPerNode: 1}
		s.Tasks = []fsm.Task{{Name: "main", Driver: fsm.DriverNoop}, {Name: "other", Driver: fsm.DriverNoop}, own}
		w.put(s)
		s.Constraints[0].Value = "b"
		w.put(s)
		book, v := newRuleBook(), w.store.Read()
		of := func(version uint64, task string) *Rules { return book.of(v, s.Key(), version, task) }
		if of(1, "main") != of(1, "other") || of(1, "main") == nil {
			t.Error("tasks that ask nothing do not share the rules of their job")
		}
		if of(1, "own") == of(1, "main") || of(1, "own").maxPerNode != 1 || of(1, "main").maxPerNode != 0 {
			t.Error("a task that asks something has the rules of others")
		}
		if of(1, "main") == of(2, "main") || of(2, "main") != of(2, "other") {
			t.Error("versions share their rules")
		}
	})
}

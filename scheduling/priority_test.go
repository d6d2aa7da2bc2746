package scheduling

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/rota-scheduler/rota/fsm"
)

// mill is a node that starts what is due as it has room, in the order of the line,
// and ends it after some time.
type mill struct {
	*world
	id       string
	capacity int
	takes    time.Duration
	order    []string // the jobs that were started
}

// pass does what is to be done now.
func (m *mill) pass() {
	v := m.store.Read()
	busy := 0
	var due []*fsm.Shard
	for _, s := range slices.Collect(v.HeldBy(m.id)) {
		run := v.Run(s.RunID)
		switch {
		case s.State == fsm.ShardRetracting:
			m.report(m.id, fsm.Report{AttemptRef: s.Ref(), Kind: fsm.ReportNever})
		case s.State == fsm.ShardRunning && m.now().Sub(s.Current.StartedAt) >= m.takes:
			m.report(m.id, fsm.Report{AttemptRef: s.Ref(), Kind: fsm.ReportEnded, Outcome: fsm.AttemptSucceeded})
		case s.State == fsm.ShardRunning:
			busy += s.Weight
		case run.NotBefore <= m.now():
			due = append(due, s)
		}
	}
	slices.SortFunc(due, func(a, b *fsm.Shard) int { return cmp.Compare(a.Line, b.Line) })
	for _, s := range due {
		if busy+s.Weight > m.capacity {
			continue // armed ahead of its instant, and others have not ended: it waits here
		}
		busy += s.Weight
		m.order = append(m.order, s.Job)
		m.report(m.id, fsm.Report{AttemptRef: s.Ref(), Kind: fsm.ReportStarted, StartedAt: m.now()})
	}
}

// turn lets a second go by.
func (m *mill) turn() {
	m.after(time.Second)
	m.pass()
	m.after(time.Millisecond) // what that made room for
	m.pass()
}

// job puts a job without a schedule.
func (w *world) job(name string, priority, weight int, change ...func(*fsm.Task)) {
	s := specOf(name)
	s.Priority, s.Tasks[0].Weight = &priority, weight
	for _, c := range change {
		c(&s.Tasks[0])
	}
	w.put(s)
}

func (w *world) startJob(name, run string) {
	w.apply(fsm.OpStartRun, fsm.StartRun{At: w.now(), ID: run, Job: key(name)})
}

func TestHigherPrioritiesGoFirst(t *testing.T) {
	bubble(t, func(w *world) {
		w.register("n1", 1, 1)
		w.open("n1")
		m := &mill{world: w, id: "n1", capacity: 1, takes: 3 * time.Second}
		defer w.lead(w.leader().place, w.beating("n1"))()
		w.job("first", 0, 1)
		w.startJob("first", "r0")
		m.turn()
		for i, priority := range []int{10, 90, 50, 100, 0} {
			name := fmt.Sprint("p", priority)
			w.job(name, priority, 1)
			w.startJob(name, fmt.Sprint("r", i+1))
		}
		for range 30 {
			m.turn()
		}
		want := []string{"first", "p100", "p90", "p50", "p10", "p0"}
		if diff := gocmp.Diff(want, m.order); diff != "" {
			t.Error(diff)
		}
	})
}

// TestNothingStarves: under an endless load of the highest priority, by hand and by
// schedule, work of the lowest runs within the time that the documentation promises,
// whether it needs little room, all of a node, or a pool: once it has waited for its
// head start, only what stands before it by then goes first. Not long before, or the
// priority would count for nothing.
func TestNothingStarves(t *testing.T) {
	promised := time.Duration(fsm.MaxPriority) * time.Duration(fsm.HeadStart)
	const takes, waiting = 30 * time.Second, 20
	pooled := func(n int) func(*fsm.Task) {
		return func(t *fsm.Task) { t.Pools = []fsm.PoolUse{{Name: "db", Weight: n}} }
	}
	for name, tt := range map[string]struct {
		weight int
		low    func(*fsm.Task)
		load   func(*fsm.Task)
		slots  int // how much of the load is at work at once
	}{
		"little room":  {1, func(*fsm.Task) {}, func(*fsm.Task) {}, 10},
		"a whole node": {10, func(*fsm.Task) {}, func(*fsm.Task) {}, 10},
		"a whole pool": {1, pooled(4), pooled(1), 4},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				w.register("n1", 1, 10)
				w.open("n1")
				w.apply(fsm.OpApplyFile, fsm.ApplyFile{Pools: []fsm.PutPool{{Name: "db", Limit: 4}}})
				w.job("load", 100, 1, tt.load)
				w.job("low", 0, tt.weight, tt.low)
				fires := specOf("fires", fsm.Schedule{Every: fsm.Duration(10e9), Overlap: fsm.OverlapAllow})
				fires.Priority = new(100)
				tt.load(&fires.Tasks[0])
				w.put(fires)
				m := &mill{world: w, id: "n1", capacity: 10, takes: takes}
				l := w.leader()
				defer w.lead(l.place, l.fire, w.beating("n1"))()
				feed := func() {
					for n := count(w.store.Read().Pending()); n < waiting; n++ {
						w.startJob("load", fmt.Sprintf("load-%d-%d", w.now(), n))
					}
				}
				for i := range 3 * tt.slots { // so that the load does not end all at once
					w.startJob("load", fmt.Sprint("first-", i))
					m.turn()
				}
				feed()
				w.startJob("low", "low-1")
				began := w.now()
				for !slices.Contains(m.order, "low") && w.now().Sub(began) < 2*promised {
					feed()
					m.turn()
				}
				waited := w.now().Sub(began)
				before := (waiting/time.Duration(tt.slots) + 2) * takes // what stands before it by then, and runs
				if waited > promised+before || waited < promised/2 {
					t.Errorf("it waited for %s, promised are %s and %s", waited, promised, before)
				}
				t.Logf("waited for %s", waited)
			})
		})
	}
}

func count(seq func(func(*fsm.Shard) bool)) int {
	n := 0
	for range seq {
		n++
	}
	return n
}

// TestKeepingGrows: what waits in front of all that is new keeps one node, then
// two, then four, and in the end all; what is behind it gets what is left.
func TestKeepingGrows(t *testing.T) {
	for waited, want := range map[time.Duration]int{
		599 * time.Second: 0, 600 * time.Second: 1, 659 * time.Second: 1, 660 * time.Second: 2, 720 * time.Second: 4, 780 * time.Second: 5, 24 * time.Hour: 5,
	} {
		c := farm(10, 10, 10, 10, 10, 3)
		c.now = noon
		for i, n := range c.nodes {
			n.take(noon, min(i, 2), noon) // the first has most room
		}
		old := &Request{Weight: 10, Start: noon, Line: fsm.PlaceInLine(noon.Add(-fsm.Duration(waited)), 0)}
		c.nodes[0].take(noon, 1, noon)
		if c.Place(old) != nil {
			t.Fatal("there is room")
		}
		c.keep(old)
		kept := 0
		for _, n := range c.nodes {
			if n.kept != nil {
				kept++
			}
		}
		if kept != want {
			t.Errorf("after %s %d nodes are kept, want %d", waited, kept, want)
		}
		young := &Request{Weight: 1, Start: noon, Line: noon}
		p := c.Place(young)
		if p == nil || c.byID[p.Node].kept != nil {
			t.Errorf("after %s the younger went to %+v", waited, p)
		}
		older := &Request{Weight: 1, Start: noon, Line: old.Line - 1}
		if want > 0 && c.Place(older) == nil {
			t.Error("what is before it in the line found no room")
		}
	}
}

// TestPoolsAreWaitedFor: never more than the limit at once, over jobs and nodes, and
// who waits says so.
func TestPoolsAreWaitedFor(t *testing.T) {
	bubble(t, func(w *world) {
		w.register("n1", 1, 100)
		w.register("n2", 1, 100)
		w.open("n1", "n2")
		w.apply(fsm.OpApplyFile, fsm.ApplyFile{Pools: []fsm.PutPool{{Name: "db", Limit: 3}}})
		defer w.lead(w.leader().place, w.beating("n1"), w.beating("n2"))()
		for _, name := range []string{"a", "b"} {
			s := specOf(name)
			s.Tasks[0].Shards, s.Tasks[0].Pools = &fsm.Shards{Count: 5}, []fsm.PoolUse{{Name: "db", Weight: 1}}
			w.put(s)
			w.startJob(name, name+"-1")
		}
		for ended := range 10 {
			w.after(time.Second)
			held := slices.Collect(w.store.Read().Held())
			if want := min(3, 10-ended); len(held) != want {
				t.Fatalf("%d at work after %d ended, want %d", len(held), ended, want)
			}
			for s := range w.store.Read().Pending() {
				why := NewExplainer(w.store.Read(), Facts{Ready: w.leases.Ready}, w.now()).WhyPending(s)
				if why != "waits for pool db: it takes 1, and 3 of 3 are in use" {
					t.Fatalf("%s waits because %q", s.Ref(), why)
				}
			}
			w.report(held[0].Current.Node, fsm.Report{AttemptRef: held[0].Ref(), Kind: fsm.ReportEnded, Outcome: fsm.AttemptSucceeded})
		}
	})
}

// TestExplainer: what waits says what for, by every rule.
func TestExplainer(t *testing.T) {
	bubble(t, func(w *world) {
		w.register("n1", 1, 10)
		w.register("n2", 1, 20)
		w.running("n1", 8)
		w.running("n2", 15)
		ssd := func(t *fsm.Task) { t.Constraints = []fsm.Constraint{{Attribute: "label.disk", Value: "ssd"}} }
		named := func(t *fsm.Task) { t.Constraints = []fsm.Constraint{{Attribute: "name", Value: "n1"}} }
		for name, tt := range map[string]struct {
			weight int
			change func(*fsm.Task)
			want   string
		}{
			"room":       {6, func(*fsm.Task) {}, "needs weight 6; the freest of 2 nodes has 5"},
			"too large":  {21, func(*fsm.Task) {}, "needs weight 21, and the largest node that may take it has a capacity of 20: it will never fit"},
			"constraint": {1, ssd, "2 nodes: not label.disk = ssd"},
			"both":       {3, named, "1 node: not name = n1; needs weight 3; the freest of 1 node has 2"},
			"soon":       {1, func(*fsm.Task) {}, "waits for the leader to place it"},
		} {
			w.job(strings.ReplaceAll(name, " ", "-"), 50, tt.weight, tt.change)
			w.startJob(strings.ReplaceAll(name, " ", "-"), strings.ReplaceAll(name, " ", "-"))
			e := NewExplainer(w.store.Read(), Facts{Ready: func(string) (uint64, bool) { return 1, true }}, w.now())
			if got := e.WhyPending(w.gate(strings.ReplaceAll(name, " ", "-"))); got != tt.want {
				t.Errorf("%s: %q, want %q", name, got, tt.want)
			}
		}
		w.job("aged", 0, 9)
		w.startJob("aged", "aged")
		w.after(11 * time.Minute)
		w.job("young", 0, 1)
		w.startJob("young", "young")
		young := NewExplainer(w.store.Read(), Facts{Ready: func(string) (uint64, bool) { return 1, true }}, w.now()).WhyPending(w.gate("young"))
		if !strings.Contains(young, "kept for work that has waited for long") {
			t.Errorf("behind what has aged: %q", young)
		}
	})
}

// TestIdempotentWorkInAPoolIsFenced: it would be in the pool twice.
func TestIdempotentWorkInAPoolIsFenced(t *testing.T) {
	for _, pooled := range []bool{false, true} {
		bubble(t, func(w *world) {
			w.register("n1", 1, 100)
			w.apply(fsm.OpApplyFile, fsm.ApplyFile{Pools: []fsm.PutPool{{Name: "db", Limit: 1}}})
			w.open("n1")
			s := specOf("a")
			s.Tasks[0].Idempotent = true
			if pooled {
				s.Tasks[0].Pools = []fsm.PoolUse{{Name: "db", Weight: 1}}
			}
			w.put(s)
			w.startJob("a", "r")
			w.apply(fsm.OpArmShards, fsm.ArmShards{At: w.now(), Placements: []fsm.Placement{{AttemptRef: w.gate("r").Ref(), Node: "n1", Incarnation: 1}}})
			w.report("n1", fsm.Report{AttemptRef: w.gate("r").Ref(), Kind: fsm.ReportStarted})
			w.after(w.timing.doubt() + time.Second)
			l := w.leader()
			v := w.store.Read()
			if early := len(l.judge(v, v.Node("n1")).lose); early != map[bool]int{false: 1}[pooled] {
				t.Errorf("in a pool %v: %d given up before they are fenced", pooled, early)
			}
			w.after(w.timing.loss(&s.Tasks[0]))
			if late := len(l.judge(v, v.Node("n1")).lose); late != 1 {
				t.Errorf("in a pool %v: %d given up in the end", pooled, late)
			}
		})
	}
}

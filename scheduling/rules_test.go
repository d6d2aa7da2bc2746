package scheduling

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/rota-scheduler/rota/fsm"
)

// drawNode makes a node of few values, so that rules meet and miss it.
func drawNode(t *rapid.T, i int) *fsm.Node {
	value := func(name string, of ...string) string { return rapid.SampledFrom(of).Draw(t, name) }
	return &fsm.Node{
		ID: fmt.Sprintf("n%02d", i), Name: fmt.Sprintf("n%02d", i), Incarnation: uint64(i + 1), Status: fsm.NodeReady,
		Zone: value("zone", "a", "b", ""), Arch: value("arch", "amd64", "arm64"), Labels: map[string]string{"v": value("v", "1.0", "2.0", "x")},
		Capacity: rapid.IntRange(1, 20).Draw(t, "capacity"),
	}
}

func drawPlacing(t *rapid.T) fsm.Placing {
	constraint := rapid.Custom(func(t *rapid.T) fsm.Constraint {
		return rapid.SampledFrom([]fsm.Constraint{
			{Attribute: "zone", Value: "a"},
			{Attribute: "zone", Operator: fsm.OpNotEqual, Value: "b"},
			{Attribute: "zone", Operator: fsm.OpIn, Values: []string{"a", "b"}},
			{Attribute: "name", Operator: fsm.OpRegexp, Value: "n0[0-3]"},
			{Attribute: "label.v", Operator: fsm.OpVersion, Value: ">= 1.5"},
		}).Draw(t, "constraint")
	})
	p := fsm.Placing{Constraints: rapid.SliceOfN(constraint, 0, 2).Draw(t, "constraints")}
	for _, c := range rapid.SliceOfN(constraint, 0, 2).Draw(t, "affinities") {
		p.Affinities = append(p.Affinities, fsm.Affinity{Constraint: c, Weight: rapid.IntRange(-100, 100).Draw(t, "weight")})
	}
	for _, a := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"zone", "name", "label.v"}), 0, 2, rapid.ID).Draw(t, "spreads") {
		p.Spreads = append(p.Spreads, fsm.Spread{Attribute: a})
	}
	return p
}

// scene is a cluster and what is to be placed in it.
type scene struct {
	nodes    []*fsm.Node
	tasks    []*fsm.Task
	rules    []*Rules
	requests []int // the task of each
	limit    int   // of the pool
}

func drawScene(t *rapid.T) *scene {
	s := &scene{limit: rapid.IntRange(1, 6).Draw(t, "limit")}
	for i := range rapid.IntRange(0, 6).Draw(t, "nodes") {
		s.nodes = append(s.nodes, drawNode(t, i))
	}
	job := &fsm.JobSpec{Placing: fsm.Placing{}}
	for i := range rapid.IntRange(1, 3).Draw(t, "tasks") {
		task := &fsm.Task{
			Name: fmt.Sprint("t", i), Weight: rapid.IntRange(1, 8).Draw(t, "weight"),
			Placing: drawPlacing(t), MaxPerNode: rapid.IntRange(0, 3).Draw(t, "max_per_node"),
		}
		if rapid.Bool().Draw(t, "pooled") {
			task.Pools = []fsm.PoolUse{{Name: "p", Weight: rapid.IntRange(1, 2).Draw(t, "use")}}
		}
		s.tasks = append(s.tasks, task)
		s.rules = append(s.rules, compileRules(job, task))
	}
	s.requests = rapid.SliceOfN(rapid.IntRange(0, len(s.tasks)-1), 1, 40).Draw(t, "requests")
	return s
}

func (s *scene) cluster(nodes ...*fsm.Node) *Cluster {
	c := emptyCluster(nil, noon)
	for _, n := range nodes {
		c.add(n)
	}
	c.pools["p"] = &poolRoom{limit: s.limit, free: s.limit}
	return c
}

func (s *scene) request(i int) *Request {
	t := s.tasks[s.requests[i]]
	return &Request{
		Ref: fsm.AttemptRef{RunID: "r", Task: t.Name, Shard: i}, Rules: s.rules[s.requests[i]],
		Weight: t.Load(), Pools: t.Pools, Start: noon,
	}
}

// place places everything in order.
func (s *scene) place(c *Cluster) []*fsm.Placement {
	var plan []*fsm.Placement
	for i := range s.requests {
		plan = append(plan, c.Place(s.request(i)))
	}
	return plan
}

// eligible says in the plainest words whether a node may take a task.
func eligible(n *fsm.Node, t *fsm.Task) bool {
	for _, c := range t.Constraints {
		got := n.Attribute(c.Attribute)
		ok := false
		switch c.Test() {
		case fsm.OpEqual:
			ok = got == c.Value
		case fsm.OpNotEqual:
			ok = got != c.Value
		case fsm.OpIn:
			ok = strings.Contains(strings.Join(c.Values, ",")+",", got+",") && got != ""
		case fsm.OpRegexp:
			ok = got < "n04"
		case fsm.OpVersion:
			ok = got == "2.0"
		}
		if !ok {
			return false
		}
	}
	return true
}

// TestPlansKeepTheRules: never past capacity, max_per_node or the pool, never on a
// node that may not, never nowhere while a node could, and always the same.
func TestPlansKeepTheRules(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawScene(t)
		plan := s.place(s.cluster(s.nodes...))
		if diff := cmp.Diff(plan, s.place(s.cluster(s.nodes...))); diff != "" {
			t.Fatalf("the same snapshot gave two plans: %s", diff)
		}
		used, pool := map[string]int{}, 0
		on := map[string]int{} // by node and task
		for i, p := range plan {
			task := s.tasks[s.requests[i]]
			takes := 0
			for _, use := range task.Pools {
				takes += use.Weight
			}
			fits := func(n *fsm.Node) bool {
				return eligible(n, task) && used[n.ID]+task.Load() <= n.Capacity && pool+takes <= s.limit &&
					(task.MaxPerNode == 0 || on[n.ID+task.Name] < task.MaxPerNode)
			}
			if p == nil {
				for _, n := range s.nodes {
					if fits(n) {
						t.Fatalf("request %d (%+v) has no place, and fits on %+v", i, task, n)
					}
				}
				continue
			}
			var node *fsm.Node
			for _, n := range s.nodes {
				if n.ID == p.Node {
					node = n
				}
			}
			if node == nil || p.Incarnation != node.Incarnation || !fits(node) {
				t.Fatalf("request %d (%+v) was placed on %+v", i, task, node)
			}
			if p.Reason == "" || len(p.Reason) > 300 {
				t.Fatalf("reason %q", p.Reason)
			}
			used[p.Node] += task.Load()
			on[p.Node+task.Name]++
			pool += takes
		}
	})
}

// TestANodeMoreHarmsNothing: what has a place has one with a node more, whatever
// was placed before.
func TestANodeMoreHarmsNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawScene(t)
		c, grown := s.cluster(s.nodes...), s.cluster(append(s.nodes, drawNode(t, 50))...)
		for i := range s.requests {
			r := s.request(i)
			before := *r
			probe := grown.fits(r)
			p := c.Place(r)
			if p != nil && !probe {
				t.Fatalf("%+v has a place, and none with one node more", before)
			}
			if p != nil { // the same way on, so that the next is asked of the same load
				grown.take(grown.byID[p.Node], r)
			}
		}
	})
}

// fits says whether a request would be placed, and places nothing.
func (c *Cluster) fits(r *Request) bool {
	if !c.poolsFit(r) {
		return false
	}
	for _, n := range c.rulingOf(r.Rules).nodes {
		if firstRefusal(workFilters, c, n, r) == nil {
			return true
		}
	}
	return false
}

// TestWhyNotSaysWhy: for whatever finds no place there are words, and for what
// does there are none.
func TestWhyNotSaysWhy(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawScene(t)
		c := s.cluster(s.nodes...)
		for i := range s.requests {
			r := s.request(i)
			why := c.WhyNot(r)
			if placed := c.Place(r) != nil; placed != (why == "") {
				t.Fatalf("%+v placed: %v, because %q", r, placed, why)
			}
		}
	})
}

func TestTheLeastLoadedOfFive(t *testing.T) {
	bubble(t, func(w *world) {
		for i, running := range []int{40, 30, 70, 10, 60} {
			id := fmt.Sprint("n", i+1)
			w.register(id, 1, 100)
			w.open(id)
			w.running(id, running)
		}
		w.open("n1", "n2", "n3", "n4", "n5")
		w.heavy(5, "next")
		c := NewCluster(w.store.Read(), Facts{Ready: w.leases.Ready}, w.now())
		p := c.Place(&Request{Ref: w.gate("next").Ref(), Weight: 5, Start: w.now()})
		if p == nil || p.Node != "n4" || !strings.Contains(p.Reason, "90 of 100 free") {
			t.Errorf("placed %+v, want the least loaded, n4", p)
		}
	})
}

// running has a node hold an attempt of that weight.
func (w *world) running(node string, weight int) {
	w.t.Helper()
	s := specOf("on-" + node)
	s.Tasks[0].Weight = weight
	w.put(s)
	w.apply(fsm.OpStartRun, fsm.StartRun{At: w.now(), ID: "run-" + node, Job: s.Key()})
	w.apply(fsm.OpArmShards, fsm.ArmShards{At: w.now(), Placements: []fsm.Placement{{AttemptRef: w.gate("run-" + node).Ref(), Node: node, Incarnation: 1}}})
	w.report(node, fsm.Report{AttemptRef: w.gate("run-" + node).Ref(), Kind: fsm.ReportStarted})
}

func TestANodeInMaintenanceGetsNothing(t *testing.T) {
	bubble(t, func(w *world) {
		w.register("n1", 1, 1000)
		w.register("n2", 1, 10)
		w.apply(fsm.OpSetNodeStatus, fsm.SetNodeStatus{ID: "n1", Status: fsm.NodeMaintenance})
		w.open("n1", "n2")
		defer w.lead(w.leader().place, w.beating("n1"), w.beating("n2"))()
		w.sharded("many", fsm.Shards{Count: 30}, 1)
		w.after(5e9)
		placed := map[string]int{}
		for s := range w.store.Read().Held() {
			placed[s.Current.Node]++
		}
		if diff := cmp.Diff(map[string]int{"n2": 10}, placed); diff != "" {
			t.Error(diff)
		}
		w.apply(fsm.OpSetNodeStatus, fsm.SetNodeStatus{ID: "n1", Status: fsm.NodeReady})
		w.after(1e6)
		if got := w.shards("many-1"); got[fsm.ShardArmed] != 30 {
			t.Errorf("after maintenance: %v", got)
		}
	})
}

// TestPreferences: what the scores are for.
func TestPreferences(t *testing.T) {
	ssd := fsm.Constraint{Attribute: "label.disk", Value: "ssd"}
	zones := []string{"a", "a", "b", ""}
	place := func(p fsm.Placing, n int, busy ...int) map[string]int {
		c := emptyCluster(nil, noon)
		for i, zone := range zones {
			node := &fsm.Node{ID: fmt.Sprint("n", i), Zone: zone, Capacity: 100, Labels: map[string]string{}}
			if i == 2 {
				node.Labels["disk"] = "ssd"
			}
			c.add(node)
		}
		for i, b := range busy {
			c.nodes[i].take(noon, b, noon)
		}
		rules := compileRules(&fsm.JobSpec{Placing: p}, &fsm.Task{Name: "t"})
		got := map[string]int{}
		for range n {
			if p := c.Place(&Request{Ref: fsm.AttemptRef{Task: "t"}, Rules: rules, Weight: 1, Start: noon}); p != nil {
				got[p.Node]++
			}
		}
		return got
	}
	for name, tt := range map[string]struct {
		placing fsm.Placing
		n       int
		busy    []int
		want    map[string]int
	}{
		"affinity":          {fsm.Placing{Affinities: []fsm.Affinity{{Constraint: ssd}}}, 3, []int{0, 0, 60}, map[string]int{"n2": 3}},
		"affinity too weak": {fsm.Placing{Affinities: []fsm.Affinity{{Constraint: ssd, Weight: 5}}}, 1, []int{50, 50, 90}, map[string]int{"n3": 1}},
		"aversion":          {fsm.Placing{Affinities: []fsm.Affinity{{Constraint: ssd, Weight: -50}}}, 3, []int{30, 30, 0, 30}, map[string]int{"n0": 1, "n1": 1, "n3": 1}},
		"spread over zones": {fsm.Placing{Spreads: []fsm.Spread{{Attribute: "zone"}}}, 4, nil, map[string]int{"n0": 1, "n1": 1, "n2": 2}},
		"spread over none":  {fsm.Placing{Spreads: []fsm.Spread{{Attribute: "label.none"}}}, 4, []int{20}, map[string]int{"n1": 2, "n2": 1, "n3": 1}},
		"a must":            {fsm.Placing{Constraints: []fsm.Constraint{ssd}}, 101, nil, map[string]int{"n2": 100}},
	} {
		if diff := cmp.Diff(tt.want, place(tt.placing, tt.n, tt.busy...)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

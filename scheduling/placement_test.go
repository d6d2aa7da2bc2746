package scheduling

import (
	"context"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/rota-scheduler/rota/fsm"
)

const noon = fsm.Time(43_200e9)

// farm makes a cluster of nodes with the given capacities.
func farm(capacities ...int) *Cluster {
	c := emptyCluster(nil, noon)
	for i, capacity := range capacities {
		c.add(&fsm.Node{ID: fmt.Sprintf("n%02d", i), Incarnation: uint64(i + 1), Capacity: capacity})
	}
	return c
}

func drawRequests(t *rapid.T, nodes int) []Request {
	anyNode := rapid.Custom(func(t *rapid.T) string {
		i := rapid.IntRange(-1, nodes-1).Draw(t, "node")
		if i < 0 {
			return ""
		}
		return fmt.Sprintf("n%02d", i)
	})
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Request {
		return Request{
			Weight: rapid.IntRange(1, 60).Draw(t, "weight"), Start: noon + fsm.Time(rapid.IntRange(-1, 3).Draw(t, "start"))*1e9,
			With: anyNode.Draw(t, "with"), Avoid: anyNode.Draw(t, "avoid"),
		}
	}), 1, 60).Draw(t, "requests")
}

func TestPlacementProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		capacities := rapid.SliceOfN(rapid.IntRange(1, 150), 0, 6).Draw(t, "capacities")
		requests := drawRequests(t, len(capacities))
		c, twin, grown := farm(capacities...), farm(capacities...), farm(append(capacities, 100)...)
		busy := map[string]int{}
		booked := map[string]int{}
		for _, r := range requests {
			bigger := false
			if grown.Place(&r) != nil {
				bigger = true
			}
			p := c.Place(&r)
			again := twin.Place(&r)
			if diff := cmp.Diff(p, again); diff != "" {
				t.Fatalf("the same state gave two plans: %s", diff)
			}
			if p == nil {
				why := c.WhyNot(&r)
				if why == "" {
					t.Fatal("no place and no reason")
				}
				for id, n := range c.byID {
					if n.node.Capacity-busy[id]-booked[fmt.Sprint(id, max(r.Start, noon))] >= r.Weight {
						t.Fatalf("%+v fits on %s: %s", r, id, why)
					}
				}
				grown = farm(append(capacities, 100)...) // it went another way from here
				replay(grown, c)
				continue
			}
			if !bigger {
				t.Fatalf("%+v has a place, and none with one node more", r)
			}
			if p.Reason == "" || c.byID[p.Node] == nil || p.Incarnation != c.byID[p.Node].incarnation {
				t.Fatalf("placed %+v", p)
			}
			if r.Start <= noon {
				busy[p.Node] += r.Weight
			} else {
				booked[fmt.Sprint(p.Node, r.Start)] += r.Weight
			}
			if busy[p.Node]+booked[fmt.Sprint(p.Node, r.Start)] > c.byID[p.Node].node.Capacity {
				t.Fatalf("node %s is past its capacity", p.Node)
			}
			grown = farm(append(capacities, 100)...)
			replay(grown, c)
		}
	})
}

// replay gives one cluster the load of another.
func replay(to, from *Cluster) {
	for id, n := range from.byID {
		to.byID[id].busy, to.byID[id].total = n.busy, n.total
		for at, weight := range n.booked {
			to.byID[id].booked[at] = weight
		}
	}
}

func TestPlacementSpreads(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		nodes, n := rapid.IntRange(1, 8).Draw(t, "nodes"), rapid.IntRange(1, 200).Draw(t, "requests")
		instants := rapid.SampledFrom([]int{1, 7, 1000}).Draw(t, "instants")
		capacities := make([]int, nodes)
		for i := range capacities {
			capacities[i] = 100
		}
		c := farm(capacities...)
		for i := range n {
			// At one instant, or each at its own.
			c.Place(&Request{Weight: 1, Start: noon + fsm.Time(i%instants)*1e9})
		}
		least, most := n, 0
		for _, cand := range c.nodes {
			least, most = min(least, cand.total), max(most, cand.total)
		}
		if n <= 100*nodes && most-least > 1 {
			t.Errorf("%d to %d on each of %d nodes", least, most, nodes)
		}
	})
}

func TestPlacementChoices(t *testing.T) {
	place := func(c *Cluster, r Request) string {
		p := c.Place(&r)
		if p == nil {
			return c.WhyNot(&r)
		}
		return p.Node
	}
	for _, tt := range []struct {
		name string
		c    *Cluster
		busy []int
		r    Request
		want string
	}{
		{"none", farm(), nil, Request{Weight: 1}, "no node is ready for work"},
		{"the freest by share", farm(100, 10), []int{50, 1}, Request{Weight: 1}, "n01"},
		{"the first of equals", farm(100, 100), nil, Request{Weight: 1}, "n00"},
		{"with its companion", farm(100, 100), []int{0, 90}, Request{Weight: 10, With: "n01"}, "n01"},
		{"not where its companion has no room", farm(100, 100), []int{0, 91}, Request{Weight: 10, With: "n01"}, "n00"},
		{"elsewhere than before", farm(100, 100), []int{0, 90}, Request{Weight: 1, Avoid: "n00"}, "n01"},
		{"where it failed, if nowhere else", farm(100, 100), []int{0, 100}, Request{Weight: 1, Avoid: "n00"}, "n00"},
		{"nowhere", farm(100, 100), []int{95, 99}, Request{Weight: 6}, "needs weight 6; the freest of 2 nodes has 5"},
		{"nowhere, past capacity already", farm(100), []int{120}, Request{Weight: 6}, "needs weight 6; the freest of 1 node has 0"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for i, b := range tt.busy {
				tt.c.nodes[i].take(noon, b, noon)
			}
			if got := place(tt.c, tt.r); got != tt.want {
				t.Errorf("%s, want %s", got, tt.want)
			}
		})
	}
}

// Only nodes that are ready, in touch, and in the life that the log knows of.
func TestNewClusterTakesEligibleNodes(t *testing.T) {
	bubble(t, func(w *world) {
		for _, id := range []string{"good", "draining", "silent", "reborn"} {
			w.register(id, 2, 100)
		}
		w.apply(fsm.OpSetNodeStatus, fsm.SetNodeStatus{ID: "draining", Status: fsm.NodeDraining})
		ready := func(id string) (uint64, bool) {
			switch id {
			case "silent":
				return 2, false
			case "reborn":
				return 3, true
			}
			return 2, true
		}
		c := NewCluster(w.store.Read(), Facts{Ready: ready}, w.now())
		if len(c.nodes) != 1 || c.byID["good"] == nil {
			t.Errorf("%d nodes", len(c.nodes))
		}
	})
}

func TestNewClusterCountsWhatIsHeld(t *testing.T) {
	bubble(t, func(w *world) {
		w.register("n1", 1, 100)
		s := specOf("a", every(1e10))
		s.Tasks[0].Weight = 40
		w.put(s)
		w.after(6e9)
		w.open("n1")
		f := &firer{Leader: w.leader(), broken: map[scheduleKey]fsm.Time{}, later: map[scheduleKey]fsm.Time{}}
		decisions, _ := f.collect(w.store.Watch())
		if len(decisions) != 1 || decisions[0].Arm == nil {
			t.Fatalf("decided %+v", decisions)
		}
		f.propose(context.Background(), decisions)
		due := decisions[0].Instant
		n := NewCluster(w.store.Read(), Facts{Ready: w.leases.Ready}, w.now()).byID["n1"]
		if n.free(w.now()) != 100 || n.free(due) != 60 || n.total != 40 {
			t.Errorf("%d free now, %d at the instant, %d in all", n.free(w.now()), n.free(due), n.total)
		}
		for sh := range w.store.Read().Held() {
			w.report("n1", fsm.Report{AttemptRef: sh.Ref(), Kind: fsm.ReportStarted})
		}
		if n = NewCluster(w.store.Read(), Facts{Ready: w.leases.Ready}, w.now()).byID["n1"]; n.free(w.now()) != 60 {
			t.Errorf("%d free while it runs", n.free(w.now()))
		}
	})
}

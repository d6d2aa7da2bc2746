package scheduling

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/rota-scheduler/rota/fsm"
)

// world of regions: a is home; b is 5 ms away, c 50 ms, and nothing is known of d.
func regionFarm(regions ...string) *Cluster {
	c := emptyCluster(nil, noon)
	for i, region := range regions {
		c.add(&fsm.Node{ID: fmt.Sprintf("n%02d", i), Incarnation: 1, Capacity: 100, Region: region})
	}
	c.latency = func(from, to string) (time.Duration, bool) {
		rtt := map[string]time.Duration{"ab": 5 * time.Millisecond, "ac": 50 * time.Millisecond}[from+to]
		return rtt, rtt != 0
	}
	return c
}

func inRegion(region string, require bool) *Rules { return &Rules{home: home{region, require}} }

// TestRegionFallsBackInOrder fills the cluster: first home, then the nearest
// regions one after the other, then those of which nothing is known.
func TestRegionFallsBackInOrder(t *testing.T) {
	c := regionFarm("d", "c", "b", "a", "a", "")
	var order, reasons []string
	for {
		p := c.Place(&Request{Rules: inRegion("a", false), Weight: 50, Start: noon})
		if p == nil {
			break
		}
		order = append(order, c.byID[p.Node].node.Region)
		reasons = append(reasons, p.Reason)
	}
	if len(order) != 12 {
		t.Errorf("placed in %v", order)
	}
	if got := strings.Join(order[:8], ""); got != "aaaabbcc" {
		t.Errorf("placed in %v", order)
	}
	for i, want := range map[int]string{
		0: "in its region", 4: "no node of region a can take it; the region b is nearest, 5ms away",
		6: "the region c is nearest, 50ms away", 8: "whose distance is not known",
	} {
		if !strings.Contains(reasons[i], want) {
			t.Errorf("placement %d says %q, want %q", i, reasons[i], want)
		}
	}
	if p := regionFarm("c", "b").Place(&Request{Rules: inRegion("a", false), Weight: 1, Start: noon}); p == nil ||
		!strings.Contains(p.Reason, "no node of region a is ready; the region b is nearest") {
		t.Errorf("%+v", p)
	}
}

// TestRegionRequired never leaves it, and says what it waits for.
func TestRegionRequired(t *testing.T) {
	r := &Request{Rules: inRegion("a", true), Weight: 60, Start: noon}
	c := regionFarm("a", "b", "c")
	if p := c.Place(r); p == nil || p.Node != "n00" {
		t.Fatalf("%+v", p)
	}
	if p := c.Place(r); p != nil {
		t.Errorf("placed on %s", p.Node)
	}
	if why := c.WhyNot(r); why != "2 nodes: not in region a; needs weight 60; the freest of 1 node has 40" {
		t.Error(why)
	}
	if why := regionFarm("b").WhyNot(r); why != "1 node: not in region a" {
		t.Error(why)
	}
}

// TestRegionProperties: with prefer, no node that is nearer could have taken the
// work; with require, it is at home.
func TestRegionProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		regions := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c", "d", ""}), 1, 6).Draw(t, "regions")
		c := regionFarm(regions...)
		for range rapid.IntRange(1, 12).Draw(t, "requests") {
			r := &Request{Rules: inRegion("a", rapid.Bool().Draw(t, "require")), Weight: rapid.IntRange(1, 100).Draw(t, "weight"), Start: noon}
			free := map[string]int{}
			for id, n := range c.byID {
				free[id] = n.free(noon)
			}
			p := c.Place(r)
			if p == nil {
				continue
			}
			at := c.byID[p.Node]
			if r.Rules.home.require && at.node.Region != "a" {
				t.Fatalf("required in a, placed in %q", at.node.Region)
			}
			for id, n := range c.byID {
				if free[id] >= r.Weight && c.away(n, r.Rules.home) < c.away(at, r.Rules.home) {
					t.Fatalf("placed in %q, %s in %q had room", at.node.Region, id, n.node.Region)
				}
			}
		}
	})
}

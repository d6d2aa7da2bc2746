package scheduling

import (
	"testing"
	"time"

	"github.com/rota-scheduler/rota/fsm"
)

func TestRegions(t *testing.T) {
	node := func(id, region string) *fsm.Node { return &fsm.Node{ID: id, Name: id, Region: region} }
	nodes := []*fsm.Node{node("a1", "a"), node("a2", "a"), node("b1", "b"), node("b2", "b"), node("c1", "c"), node("x", "")}
	ms := func(n int) time.Duration { return time.Duration(n) * time.Millisecond }
	measured := map[[2]string]time.Duration{
		{"a1", "b1"}: ms(5), {"a1", "b2"}: ms(6), {"a2", "b1"}: ms(7), {"a2", "b2"}: ms(900), // one is off
		{"a1", "c1"}: ms(50), {"a1", "a2"}: ms(1),
	}
	rtt := func(a, b string) (time.Duration, bool) {
		d, known := measured[pairOf(a, b)]
		return d, known
	}
	r := NewRegions(nodes, rtt, []fsm.RegionLatency{{Regions: [2]string{"a", "c"}, RTT: fsm.Duration(ms(3))}, {Regions: [2]string{"b", "z"}, RTT: fsm.Duration(ms(8))}})
	for _, tt := range []struct {
		from, to string
		want     time.Duration
		known    bool
	}{
		{"a", "a", 0, true}, {"a", "b", ms(7), true}, {"b", "a", ms(7), true},
		{"a", "c", ms(3), true}, // declared, not the 50 that were measured
		{"z", "b", ms(8), true}, // a region without a node
		{"b", "c", 0, false}, {"a", "", 0, false}, {"a", "nowhere", 0, false},
	} {
		if got, known := r.Latency(tt.from, tt.to); got != tt.want || known != tt.known {
			t.Errorf("%s to %s: %s (known: %v), want %s (%v)", tt.from, tt.to, got, known, tt.want, tt.known)
		}
	}
	var listed []string
	for pair, trip := range r.Trips {
		listed = append(listed, pair[0]+pair[1])
		if trip.Declared != (pair[0] != "a" || pair[1] != "b") {
			t.Errorf("%v: declared %v", pair, trip.Declared)
		}
	}
	if len(listed) != 3 || listed[0] != "ab" || listed[2] != "bz" {
		t.Errorf("listed %v", listed)
	}
}

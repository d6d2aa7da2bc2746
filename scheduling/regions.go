package scheduling

import (
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rota-scheduler/rota/fsm"
)

// Regions holds the round trips between regions. It is immutable.
type Regions struct {
	trips map[[2]string]RegionTrip
}

// RegionTrip is the round trip between two regions.
type RegionTrip struct {
	RTT time.Duration
	// Declared: an operator said so. Otherwise it is the median of what was
	// measured between the nodes of the one and of the other.
	Declared bool
}

// NewRegions makes the table of a cluster's nodes. measured is the estimate
// between two nodes, by ID; nodes that are down count: what is near a region is
// asked when all of it is.
func NewRegions(nodes []*fsm.Node, measured func(a, b string) (time.Duration, bool), declared []fsm.RegionLatency) *Regions {
	samples := map[[2]string][]time.Duration{}
	for i, a := range nodes {
		for _, b := range nodes[:i] {
			if a.Region == "" || b.Region == "" || a.Region == b.Region {
				continue
			}
			if rtt, known := measured(a.ID, b.ID); known {
				samples[pairOf(a.Region, b.Region)] = append(samples[pairOf(a.Region, b.Region)], rtt)
			}
		}
	}
	r := &Regions{map[[2]string]RegionTrip{}}
	for pair, list := range samples {
		slices.Sort(list)
		r.trips[pair] = RegionTrip{RTT: list[len(list)/2]}
	}
	for _, d := range declared {
		r.trips[pairOf(d.Regions[0], d.Regions[1])] = RegionTrip{RTT: time.Duration(d.RTT), Declared: true}
	}
	return r
}

func pairOf(a, b string) [2]string {
	if a > b {
		a, b = b, a
	}
	return [2]string{a, b}
}

// Latency returns the round trip between two regions, if it is known.
func (r *Regions) Latency(from, to string) (time.Duration, bool) {
	if from == to {
		return 0, true
	}
	trip, known := r.trips[pairOf(from, to)]
	return trip.RTT, known
}

// LatencyOf asks a table that is made when the first work that is away from its
// region needs it. make may be nil: then nothing is known.
func LatencyOf(make func() *Regions) Latency {
	if make == nil {
		return nil
	}
	table := sync.OnceValue(make)
	return func(from, to string) (time.Duration, bool) { return table().Latency(from, to) }
}

// Trips yields what is known, in the order of the names.
func (r *Regions) Trips(yield func(pair [2]string, trip RegionTrip) bool) {
	pairs := make([][2]string, 0, len(r.trips))
	for pair := range r.trips {
		pairs = append(pairs, pair)
	}
	slices.SortFunc(pairs, func(a, b [2]string) int {
		if d := strings.Compare(a[0], b[0]); d != 0 {
			return d
		}
		return strings.Compare(a[1], b[1])
	})
	for _, pair := range pairs {
		if !yield(pair, r.trips[pair]) {
			return
		}
	}
}

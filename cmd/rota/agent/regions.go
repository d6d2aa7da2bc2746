package agent

import (
	"cmp"
	"slices"
	"time"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/scheduling"
	"github.com/rota-scheduler/rota/transport"
	"github.com/rota-scheduler/rota/transport/api"
)

// regions makes the table of round trips between regions, by what this node has
// measured and heard. It is the same question for the leader and for who asks the
// API: every node has its own estimates, so that they survive a change of leader.
func (a *Agent) regions() *scheduling.Regions {
	v := a.store.Read()
	return scheduling.NewRegions(knownNodes(v), a.gossip.Distances().RTT, v.Settings().RegionLatency)
}

// knownNodes lists the nodes that have not left, by name.
func knownNodes(v *fsm.View) []*fsm.Node {
	var nodes []*fsm.Node
	for n := range v.Nodes() {
		if n.Status != fsm.NodeLeft {
			nodes = append(nodes, n)
		}
	}
	slices.SortFunc(nodes, func(a, b *fsm.Node) int { return cmp.Compare(a.Name, b.Name) })
	return nodes
}

// RTT is what this node knows of the round trips in the cluster.
func (a *Agent) RTT() api.RTT {
	d := a.gossip.Distances()
	out := api.RTT{Nodes: []string{}, Milliseconds: [][]*float64{}, Regions: []api.RegionRTT{}}
	nodes := knownNodes(a.store.Read())
	for _, n := range nodes {
		out.Nodes = append(out.Nodes, n.Name)
		row := make([]*float64, len(nodes))
		for j, other := range nodes {
			if rtt, known := d.RTT(n.ID, other.ID); known {
				row[j] = new(milliseconds(rtt))
			}
		}
		out.Milliseconds = append(out.Milliseconds, row)
	}
	for pair, trip := range a.regions().Trips {
		r := api.RegionRTT{Regions: pair, Milliseconds: milliseconds(trip.RTT), Source: "measured"}
		if trip.Declared {
			r.Source = "declared"
		}
		out.Regions = append(out.Regions, r)
	}
	slices.SortFunc(out.Regions, func(a, b api.RegionRTT) int { return slices.Compare(a.Regions[:], b.Regions[:]) })
	return out
}

// PlanScale is what settings of the autoscaler would do right now.
func (a *Agent) PlanScale(s fsm.Autoscale) (api.ScalePlan, error) {
	term := a.term.Load()
	if term == nil || !a.IsLeader() {
		return api.ScalePlan{}, transport.ErrNoLeader
	}
	d, now, names := term.Plan(s)
	return api.ScalePlan{
		Nodes: now.Nodes, Delta: d.Delta, Load: d.Load, Running: now.Running, Waiting: now.Waiting,
		Capacity: now.Capacity, Reason: d.Reason, Names: names,
	}, nil
}

func milliseconds(d time.Duration) float64 {
	return float64(d.Round(10*time.Microsecond)) / float64(time.Millisecond)
}

package agent

import (
	"fmt"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/membership"
	"github.com/rota-scheduler/rota/scheduling"
)

// waiting returns what says what a shard of a snapshot that does not get on waits
// for, as far as this node can tell: it may not lead, and then knows of the others'
// health by gossip only.
func (a *Agent) waiting(v *fsm.View) func(s *fsm.Shard) string {
	alive := map[string]bool{}
	ailing := a.Health()
	for _, m := range a.gossip.Members() {
		alive[m.ID] = m.Status == membership.StatusAlive && ailing[m.ID] != string(scheduling.HealthDown)
	}
	ready := func(id string) (uint64, bool) {
		n := v.Node(id)
		return n.Incarnation, alive[id]
	}
	explainer := scheduling.NewExplainer(v, scheduling.Facts{Ready: ready, Latency: scheduling.LatencyOf(a.regions)}, a.clock.Now())
	return func(s *fsm.Shard) string {
		if !s.State.Held() {
			return explainer.WhyPending(s)
		}
		n := v.Node(s.Current.Node)
		if n == nil || alive[n.ID] {
			return ""
		}
		return fmt.Sprintf("node %s is out of reach; what may run there is given up once it must have ended", n.Name)
	}
}

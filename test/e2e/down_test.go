package e2e

import (
	"testing"
	"time"

	"github.com/rota-scheduler/rota/test/cluster"
)

// movedWithin bounds the lateness of what had been placed on a node that is
// killed and stays down. The machine may be busy; waiting until the node's work
// is surely dead, which needs no proof, takes far longer.
const movedWithin = 10 * time.Second

// TestKilledNodeStaysDown: what was placed on a killed node, follower or leader,
// moves to the others, and nothing waits for it.
func TestKilledNodeStaysDown(t *testing.T) {
	for name, pick := range map[string]func(c *cluster.Cluster) *cluster.Node{
		"follower": func(c *cluster.Cluster) *cluster.Node { return c.Followers()[0] },
		"leader":   func(c *cluster.Cluster) *cluster.Node { return c.Leader() },
	} {
		t.Run(name, func(t *testing.T) {
			c := cluster.Start(t, cluster.Options{})
			l := startLoad(t, c, loadedJobs)
			l.quiet()
			pick(c).Kill()
			cluster.Until(t, time.Now().Add(8*time.Second))
			if v := l.verifyAllRan(); v.Percentile(1) > movedWithin {
				t.Errorf("a fire was %s late, want at most %s", v.Percentile(1), movedWithin)
			}
		})
	}
}

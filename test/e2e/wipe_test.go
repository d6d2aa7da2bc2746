package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/test/cluster"
	"github.com/rota-scheduler/rota/transport/api"
)

// rejoinWithin bounds the way from an empty disk to a vote: the new identity
// must have been stable for a while first.
const rejoinWithin = 90 * time.Second

// TestWipedNode: a follower loses its disk and comes back under its name. It
// gets a new identity, joins without a vote, and votes once it is stable; the
// old identity goes. Meanwhile no fire is lost or doubled.
func TestWipedNode(t *testing.T) {
	t.Parallel()
	c := cluster.Start(t, cluster.Options{})
	l := startLoad(t, c, 5)
	l.quiet()
	n := c.Followers()[0]
	leader := c.Leader()
	old := nodesNamed(t, leader, n.Name)[0]
	n.Kill()
	n.Wipe()
	n.Start()
	first := waitNew(t, leader, n.Name, old.ID)
	if first.Voter {
		t.Errorf("the new identity %s had a vote when it was first seen", first.ID)
	}
	cluster.Eventually(t, rejoinWithin, "the new identity to vote and the old one to be gone", func() error {
		nodes := nodesNamed(t, c.Leader(), n.Name)
		i := slices.IndexFunc(nodes, func(a api.Node) bool { return a.ID != old.ID })
		j := slices.IndexFunc(nodes, func(a api.Node) bool { return a.ID == old.ID })
		switch {
		case i < 0 || !nodes[i].Voter || nodes[i].Status != fsm.NodeReady:
			return fmt.Errorf("no ready voter: %+v", nodes)
		case j >= 0 && (nodes[j].Voter || nodes[j].Status == fsm.NodeReady):
			return fmt.Errorf("the old identity is still there: %+v", nodes[j])
		}
		return nil
	})
	if strings.Count(n.Log(), "founding a cluster") > 1 {
		t.Error("the wiped node founded a cluster of its own")
	}
	if now := c.Leader(); now != leader {
		t.Errorf("the leader changed from %s to %s", leader.Name, now.Name)
	}
	l.verifyAllRan()
	pauseAll(t, c, l)
	sameState(t, c)
}

func nodesNamed(t *testing.T, asked *cluster.Node, name string) []api.Node {
	t.Helper()
	list, err := asked.Client().Nodes(t.Context(), api.Page{}, api.Read{})
	if err != nil {
		t.Fatalf("asking %s for the nodes: %v", asked.Name, err)
	}
	return slices.DeleteFunc(list.Items, func(n api.Node) bool { return n.Name != name })
}

// waitNew returns the node as it was first seen under its new identity.
func waitNew(t *testing.T, asked *cluster.Node, name, old string) api.Node {
	t.Helper()
	var found api.Node
	cluster.Eventually(t, rejoinWithin, "a new identity of "+name, func() error {
		for _, n := range nodesNamed(t, asked, name) {
			if n.ID != old {
				found = n
				return nil
			}
		}
		return fmt.Errorf("only %s is listed", old)
	})
	return found
}

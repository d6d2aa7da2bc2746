package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/test/cluster"
	"github.com/rota-scheduler/rota/transport/api"
)

const (
	stormNodes = 30
	founders   = 3
	maxVoters  = 5
	// stormWithin bounds what thirty agents do on one machine.
	stormWithin = 5 * time.Minute
)

// TestJoinStorm: thirty agents, of which three found the cluster and the rest join
// at one moment. Five vote, whatever happens: a voter that dies is replaced by
// another node, and by itself with an empty disk; one that stays dead is removed
// after the time that was set.
func TestJoinStorm(t *testing.T) {
	if testing.Short() {
		t.Skip("thirty agents take minutes; the simulation has ten")
	}
	c := cluster.New(t, cluster.Options{Nodes: stormNodes, NodeArgs: func(i int) []string {
		args := []string{"--bootstrap-expect", fmt.Sprint(founders)}
		if i >= founders {
			args[1] = "0"
		}
		return args
	}})
	for _, n := range c.Nodes[:founders] {
		n.Start()
	}
	c.WaitReady()
	began := time.Now()
	for _, n := range c.Nodes[founders:] {
		n.Start()
	}
	settled := func(nodes int) func() error {
		return func() error {
			ready, voters := 0, 0
			for _, n := range listNodes(t, c) {
				if n.Status == fsm.NodeReady {
					ready++
				}
				if n.Voter {
					voters++
				}
			}
			if ready != nodes || voters != maxVoters {
				return fmt.Errorf("%d are ready, %d vote", ready, voters)
			}
			return nil
		}
	}
	cluster.Eventually(t, stormWithin, "thirty ready nodes, of which five vote", settled(stormNodes))
	t.Logf("%d agents were ready, %d of them voting, %s after they were started", stormNodes, maxVoters, time.Since(began).Round(time.Second))

	if r := c.CLI(c.Leader(), "settings", "remove-dead-after", "20s"); r.Code != 0 {
		t.Fatalf("settings: %s%s", r.Stdout, r.Stderr)
	}
	victim := voterNode(t, c)
	old := nodeNamed(t, c, victim.Name)
	victim.Kill()
	cluster.Eventually(t, stormWithin, "another voter", func() error {
		if n := nodesNamed(t, c.Leader(), victim.Name)[0]; n.Voter {
			return fmt.Errorf("%s votes still", victim.Name)
		}
		return settled(stormNodes - 1)()
	})
	cluster.Eventually(t, stormWithin, "the dead one to be removed", func() error {
		for _, n := range c.Up() {
			if text := n.Log(); strings.Contains(text, "change=remove server="+old.ID) {
				return nil
			}
		}
		return fmt.Errorf("no node says that it removed %s", old.ID)
	})
	victim.Wipe()
	victim.Start()
	waitNew(t, c.Leader(), victim.Name, old.ID)
	cluster.Eventually(t, stormWithin, "thirty ready nodes again", settled(stormNodes))
	run := waitRunOf(t, c)
	t.Logf("a run after all that: %s", run.State)
}

// voterNode returns a node that votes and does not lead.
func voterNode(t *testing.T, c *cluster.Cluster) *cluster.Node {
	t.Helper()
	for _, n := range listNodes(t, c) {
		if n.Voter && !n.Leader {
			return c.Node(n.Name)
		}
	}
	t.Fatal("nobody votes but the leader")
	return nil
}

// waitRunOf runs one task on every node.
func waitRunOf(t *testing.T, c *cluster.Cluster) api.Run {
	t.Helper()
	task := fsm.Task{Name: "each", Driver: fsm.DriverNoop, Shards: &fsm.Shards{PerNode: true}}
	put(t, c.Leader().Client(), oneTask("everywhere", task))
	run := waitRun(t, c.Leader().Client(), runJob(t, c.Leader().Client(), "everywhere"))
	if n := len(run.Tasks[0].Items); run.State != fsm.RunSucceeded || n != stormNodes {
		t.Errorf("the run is %s with %d shards", run.State, n)
	}
	return run
}

package sim

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"

	"github.com/rota-scheduler/rota/fsm"
)

// servers returns how many vote and how many are in Raft's configuration, and
// whether a node of that ID is.
func (c *Cluster) servers(id string) (voters, all int, has bool) {
	leader := c.Leader()
	if leader == nil {
		return 0, 0, false
	}
	list := leader.agent.Servers()
	for _, s := range list {
		if s.Suffrage == raft.Voter {
			voters++
		}
	}
	return voters, len(list), slices.ContainsFunc(list, func(s raft.Server) bool { return string(s.ID) == id })
}

// TestJoinStorm: three nodes found a cluster, seven join at one moment. Five vote,
// whatever happens: a voter that dies is replaced by another node, and itself by one
// with an empty disk; what stays dead is removed after the time that was set.
func TestJoinStorm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const nodes, wanted = 10, 5
		c := NewCluster(t, Options{Nodes: nodes, Founders: 3})
		for _, n := range c.Nodes()[3:] {
			n.Start()
		}
		c.Wait("all are ready, and five vote", 3*time.Minute, func() bool {
			voters, all, _ := c.servers("")
			return voters == wanted && all == nodes && c.settled()
		})
		c.Propose(fsm.OpPutSettings, func(now fsm.Time) any {
			return fsm.PutSettings{At: now, Settings: fsm.ClusterSettings{RemoveDeadAfter: fsm.Duration(2 * time.Minute)}}
		})
		var victim *Node
		for _, n := range c.Nodes() {
			if n != c.Leader() && c.Leader().agent.Voters()[n.agent.ID()] {
				victim = n
			}
		}
		id := victim.agent.ID()
		victim.Kill()
		c.Wait("another one votes in its place", time.Minute, func() bool {
			voters, _, _ := c.servers(id)
			return voters == wanted && !c.Leader().agent.Voters()[id]
		})
		if _, _, has := c.servers(id); !has {
			t.Error("it was removed before its time")
		}
		c.Wait("it is removed", 3*time.Minute, func() bool { _, all, has := c.servers(id); return !has && all == nodes-1 })
		victim.Wipe()
		victim.Start()
		if victim.agent.ID() == id {
			t.Fatal("it came back under its old identity")
		}
		c.Wait("it is a member again", 3*time.Minute, func() bool {
			voters, all, has := c.servers(victim.agent.ID())
			return voters == wanted && all == nodes && has && c.settled()
		})
		c.CheckHashes()
	})
}

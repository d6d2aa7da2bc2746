package sim

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rota-scheduler/rota/cmd/rota/agent/raftnode"
	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/scheduling/executor/proc"
)

// fill starts runs of a job until every node has some, and waits until all run.
func (c *Cluster) fill(job, prefix string, runs int) []string {
	c.t.Helper()
	var ids []string
	for i := range runs {
		ids = append(ids, fmt.Sprintf("%s-%02d", prefix, i))
		c.startManual(job, ids[i])
	}
	c.Wait("all run", 30*time.Second, func() bool { return c.inState(ids, fsm.RunRunning) == runs })
	return ids
}

func (c *Cluster) inState(ids []string, state fsm.RunState) int {
	n := 0
	for _, id := range ids {
		if r := c.runOf(id); r != nil && r.State == state {
			n++
		}
	}
	return n
}

// running counts the processes that live on a node now.
func (c *Cluster) running(node string) int {
	n := 0
	for _, s := range c.Record.Starts() {
		if s.Node == node && s.End.IsZero() {
			n++
		}
	}
	return n
}

// checkOnce: every run succeeded, and no two attempts of one lived at a time.
func (c *Cluster) checkOnce(job string, ids []string) {
	c.t.Helper()
	if n := c.inState(ids, fsm.RunSucceeded); n != len(ids) {
		c.t.Errorf("%d of %d runs succeeded", n, len(ids))
	}
	succeeded := map[string]int{}
	for _, s := range c.Record.Starts() {
		if s.Outcome == proc.Succeeded {
			succeeded[s.Ref.RunID]++
		}
	}
	for _, id := range ids {
		if succeeded[id] != 1 {
			c.t.Errorf("%s has %d attempts that succeeded", id, succeeded[id])
		}
	}
	c.Report(c.Check(job, time.Now(), time.Now(), CheckOptions{Restarts: true}))
}

func (c *Cluster) drain(n *Node, evictAfter time.Duration) {
	c.t.Helper()
	c.Propose(fsm.OpDrainNode, func(now fsm.Time) any {
		cmd := fsm.DrainNode{At: now, ID: n.agent.ID(), Status: fsm.NodeDraining, By: "ann@ops"}
		if evictAfter > 0 {
			cmd.EvictAt = now.Add(fsm.Duration(evictAfter))
		}
		return cmd
	})
}

// TestDrain: what runs on a node that drains goes on; with a deadline it is ended
// there and starts elsewhere, once, also when leaders die meanwhile and the node
// restarts.
func TestDrain(t *testing.T) {
	for name, deadline := range map[string]time.Duration{"to its end": 0, "with a deadline": 40 * time.Second} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := NewCluster(t, Options{Work: func(proc.StartRequest) Outcome { return Outcome{After: 3 * time.Minute} }})
				c.Apply(manualJob("long", func(*fsm.Task) {}))
				ids := c.fill("long", "run", 30)
				victim := c.node("n2")
				if c.Leader() == victim {
					victim = c.node("n3")
				}
				had := c.running(victim.Name)
				if had == 0 {
					t.Fatal("nothing runs on the node that is to be drained")
				}
				c.drain(victim, deadline)
				victim.Crash() // the agent alone; a restart must not undo the drain
				c.Run(time.Second)
				victim.Start()
				c.Run(20 * time.Second)
				if n := c.running(victim.Name); n != had {
					t.Fatalf("%d of %d run after 20 s of draining", n, had)
				}
				c.Leader().Crash()
				c.Wait("another leader", 30*time.Second, func() bool { return c.Leader() != nil })
				for _, n := range c.Nodes() {
					if !n.Up() {
						n.Start()
					}
				}
				n := c.Leader().Store().Read().Node(victim.agent.ID())
				if n.Status != fsm.NodeDraining || n.StatusSetBy != "ann@ops" || n.StatusSetAt == 0 {
					t.Errorf("after a restart and a failover the node is %s, set by %q at %s", n.Status, n.StatusSetBy, n.StatusSetAt)
				}
				if deadline > 0 {
					c.Wait("the node is empty", 2*time.Minute, func() bool { return c.running(victim.Name) == 0 })
				}
				before := len(c.Record.Starts())
				c.Run(150 * time.Second)
				c.Wait("all end", 5*time.Minute, func() bool { return c.inState(ids, fsm.RunRunning)+c.inState(ids, fsm.RunPending) == 0 })
				for _, s := range c.Record.Starts()[before:] {
					if s.Node == victim.Name {
						t.Errorf("started on a draining node: %s", s)
					}
				}
				if want := map[bool]int{false: 30, true: 30 + had}[deadline > 0]; len(c.Record.Starts()) != want {
					t.Errorf("%d starts, want %d", len(c.Record.Starts()), want)
				}
				c.checkOnce("long", ids)
				c.CheckHashes()
			})
		})
	}
}

// TestStopDrains: an agent that drains before it stops loses no work, and is in
// use again once it is back.
func TestStopDrains(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := NewCluster(t, Options{Work: func(proc.StartRequest) Outcome { return Outcome{After: time.Minute} }})
		c.Apply(manualJob("long", func(*fsm.Task) {}))
		ids := c.fill("long", "first", 12)
		leaving := c.Leader()
		began := time.Now()
		if fault := leaving.agent.Drain(t.Context(), 10*time.Minute); fault != nil {
			t.Error(fault)
		}
		if took := time.Since(began); took < 30*time.Second || took > 2*time.Minute {
			t.Errorf("drained within %s", took)
		}
		if n := c.running(leaving.Name); n != 0 {
			t.Errorf("%d still run there", n)
		}
		leaving.Stop()
		c.Run(45 * time.Second)
		c.Wait("all end", 5*time.Minute, func() bool { return c.inState(ids, fsm.RunSucceeded) == len(ids) })
		if n := len(c.Record.Starts()); n != len(ids) {
			t.Errorf("%d starts of %d runs", n, len(ids))
		}
		leaving.Start()
		c.Wait("it is used again", 30*time.Second, c.settled)

		ids = c.fill("long", "second", 12)
		began = time.Now()
		if fault := leaving.agent.Drain(t.Context(), 10*time.Second); fault != nil {
			t.Error(fault)
		}
		if took := time.Since(began); took > 11*time.Second {
			t.Errorf("a drain of 10 s took %s", took)
		}
		leaving.Stop()
		c.Run(45 * time.Second)
		c.Wait("all end", 5*time.Minute, func() bool { return c.inState(ids, fsm.RunSucceeded) == len(ids) })
		c.Report(c.Check("long", time.Now(), time.Now(), CheckOptions{Restarts: true}))
	})
}

// TestDrainEndsWithTheDisk: a leader whose disk hangs while it drains does not
// keep the leadership until its work is done.
func TestDrainEndsWithTheDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := NewCluster(t, Options{Work: func(proc.StartRequest) Outcome { return Outcome{After: time.Hour} }})
		c.Apply(manualJob("long", func(*fsm.Task) {}), everySecond("tick"))
		c.fill("long", "run", 12)
		leaving := c.Leader()
		hang := time.AfterFunc(5*time.Second, leaving.hung.Shut)
		defer hang.Stop()
		began := time.Now()
		fault := leaving.agent.Drain(t.Context(), 10*time.Minute)
		if took := time.Since(began); !errors.Is(fault, raftnode.ErrStalled) || took > 30*time.Second {
			t.Errorf("the drain ended after %s with %v", took, fault)
		}
		leaving.hung.Open()
		leaving.Kill()
		c.Wait("another leader", 30*time.Second, func() bool { return c.Leader() != nil })
	})
}

// TestDrainTheLastNode: a node that drains while the others go away, or are gone
// already, does not wait for a leader that nobody will elect, only for what runs
// there.
func TestDrainTheLastNode(t *testing.T) {
	for name, after := range map[string]time.Duration{"gone": 0, "going": 5 * time.Second} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := NewCluster(t, Options{Work: func(proc.StartRequest) Outcome { return Outcome{After: 20 * time.Second} }})
				c.Apply(manualJob("long", func(*fsm.Task) {}))
				c.fill("long", "run", 12)
				last := c.node("n1")
				goAway := func() {
					for _, n := range c.Nodes() {
						if n != last {
							n.Kill()
						}
					}
				}
				gone := make(chan struct{})
				time.AfterFunc(after, func() { defer close(gone); goAway() })
				if after == 0 {
					<-gone
				}
				began := time.Now()
				if fault := last.agent.Drain(t.Context(), 10*time.Minute); fault != nil {
					t.Error(fault)
				}
				if took := time.Since(began); took < 10*time.Second || took > 40*time.Second {
					t.Errorf("with 20 s of work it drained within %s", took)
				}
				if n := c.running(last.Name); n != 0 {
					t.Errorf("%d still run there", n)
				}
				<-gone
			})
		})
	}
}

// TestHealth: every node shows what the leader makes of its own contact, sooner
// than gossip does.
func TestHealth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := NewCluster(t, Options{})
		leader := c.Leader()
		var cut, other *Node
		for _, n := range c.Nodes() {
			if n != leader {
				cut, other = n, cut
				if other == nil {
					other = n
				}
			}
		}
		id := cut.agent.ID()
		health := func(n *Node) string { return n.agent.Health()[id] }
		if h := health(other); h != "" {
			t.Errorf("%s is %s before the cut", cut.Name, h)
		}
		c.isolate(cut)
		began := time.Now()
		for _, want := range []struct {
			health string
			within time.Duration
		}{{"suspect", 3 * time.Second}, {"down", 43 * time.Second}} {
			for _, n := range []*Node{leader, other} {
				c.Wait(n.Name+" shows "+want.health, time.Minute, func() bool { return health(n) == want.health })
			}
			if took := time.Since(began); took > want.within {
				t.Errorf("%s after %s, want within %s", want.health, took, want.within)
			}
		}
		c.Net.Heal()
		c.Wait("it is well again", time.Minute, func() bool { return health(other) == "" && health(leader) == "" })
		cut.Kill()
		began = time.Now()
		c.Wait("it is down", time.Minute, func() bool { return health(other) == "down" })
		if took := time.Since(began); took > 4*time.Second {
			t.Errorf("a killed node is shown as down after %s", took)
		}
	})
}

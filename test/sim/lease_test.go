package sim

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rota-scheduler/rota/fsm"
)

// contactBase is the supervisor's last contact, in its host's monotonic time.
func (s *Supervisor) contactBase() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.contact
}

// TestALeaseCountsFromTheSending: the leader's answers are nearly a second on their
// way to one node. Then that node is cut off in the instant in which one has come,
// such that jobs are due after the leader takes them for free, and before the
// lease would end if it were dated by the answer's arrival. Each starts once
// (rule 3).
func TestALeaseCountsFromTheSending(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const jobs = 24
		// An answer that takes longer than the heartbeat's patience is not waited for.
		const slow = 950 * time.Millisecond
		const early = 20 * time.Millisecond // what an answer is noticed too late by, and more
		c := NewCluster(t, Options{})
		for i := range jobs {
			spec := everySecond(fmt.Sprintf("job-%d", i))
			spec.Schedules[0].Jitter = fsm.Duration(time.Second) // some are due whenever it is
			c.Apply(spec)
		}
		c.Run(10 * time.Second)
		from, leader, far := time.Now(), c.Leader(), c.followers()[0]
		c.Net.Delay(leader.IP, far.IP, slow)
		free := c.Timing.Lease + c.Timing.Margin + c.Timing.Skew // from the asking on
		last := far.super.contactBase()
		c.Wait("an answer comes in time for the trap", 5*time.Minute, func() bool {
			base := far.super.contactBase()
			if base == last {
				return false
			}
			last = base
			age := time.Duration(far.mono() - base) // of the leader's proof, by whichever instant the lease is dated
			if age >= slow {
				age -= slow
			}
			return c.holds(far, time.Now().Add(free-slow+early), time.Now().Add(c.Timing.Lease-age-early))
		})
		c.isolate(far)
		c.Run(time.Minute)
		to := time.Now()
		c.Net.Heal()
		c.Run(15 * time.Second)
		for i := range jobs {
			c.Report(c.Check(fmt.Sprintf("job-%d", i), from, to, CheckOptions{Restarts: true}))
		}
	})
}

// holds says whether a fire that is due between two instants is armed on a node.
func (c *Cluster) holds(n *Node, from, to time.Time) bool {
	for s := range c.freshest().Read().HeldBy(n.agent.ID()) {
		run := c.runOf(s.RunID)
		if !run.Opened && run.NotBefore.Time().After(from) && run.NotBefore.Time().Before(to) {
			return true
		}
	}
	return false
}

// followers are the nodes that run an agent and do not lead.
func (c *Cluster) followers() []*Node {
	var list []*Node
	for _, n := range c.nodes {
		if n.Up() && n != c.Leader() {
			list = append(list, n)
		}
	}
	return list
}

package sim

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestWallClockSteps: P4. A wall clock that is stepped, the leader's included,
// moves no fire, and none happens twice.
func TestWallClockSteps(t *testing.T) {
	for name, step := range map[string]time.Duration{
		"forward an hour": time.Hour, "back an hour": -time.Hour,
		"forward 300 ms": 300 * time.Millisecond, "back 300 ms": -300 * time.Millisecond,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := NewCluster(t, Options{})
				c.Apply(everySecond("tick"))
				c.Run(5 * time.Second)
				from := time.Now()
				c.Leader().StepClock(step)
				c.Run(20 * time.Second)
				for _, n := range c.Nodes() {
					if n != c.Leader() {
						n.StepClock(step)
						break
					}
				}
				// Not in the instant of a fire: what may have started then waits.
				c.Run(20*time.Second + 400*time.Millisecond)
				c.Leader().Crash()
				c.Run(20 * time.Second)
				to := time.Now()
				c.Run(5 * time.Second)
				v := c.Check("tick", from, to, CheckOptions{})
				c.Report(v)
				if v.Ran != v.Due {
					t.Errorf("%d of %d instants ran; skipped: %v", v.Ran, v.Due, v.Skipped)
				}
				for at, late := range v.Late {
					// Cluster time may lean towards the leader's wall clock.
					if late < -c.Timing.Skew || late > 2*time.Second {
						t.Errorf("%s started %s after its instant", at, late)
					}
				}
			})
		})
	}
}

// TestOddClockLosesTheLeadership: the leader's wall clock is an hour away from
// the two others'. Cluster time would follow it, so another node must lead.
func TestOddClockLosesTheLeadership(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := NewCluster(t, Options{})
		odd := c.Leader()
		odd.StepClock(time.Hour)
		c.Wait("another node leads", time.Minute, func() bool { l := c.Leader(); return l != nil && l != odd })
		c.Run(2 * time.Second) // the new leader hears every clock
		if c.Leader().agent.Ready(odd.agent.ID()) {
			t.Error("the node whose clock is off is ready for work")
		}
		c.Apply(everySecond("tick"))
		from := time.Now()
		c.Run(20 * time.Second)
		for _, s := range c.Record.Starts() {
			if s.Node == odd.Name {
				t.Errorf("work on a node whose clock is off: %s", s)
			}
		}
		c.Run(2 * time.Second)
		c.Report(c.Check("tick", from, from.Add(18*time.Second), CheckOptions{}))
	})
}

package sim

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// TestALeaderHasAppliedWhatWasCommitted: a node that leads shows everything that
// was committed before, however slow its disk is: its first act is a barrier.
func TestALeaderHasAppliedWhatWasCommitted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := NewCluster(t, Options{Nodes: 1})
		c.Apply(everySecond("tick"))
		n := c.nodes[0]
		n.slow.Store(int64(50 * time.Millisecond))
		n.Crash()
		n.Start()
		deadline := time.Now().Add(time.Minute)
		for c.Leader() == nil && time.Now().Before(deadline) {
			c.Run(time.Millisecond)
		}
		if n.store.Read().Job(jobNamed("tick")) == nil {
			t.Error("it leads, and does not know the job that was applied before")
		}
	})
}

// TestAStoppingNodeStartsNothing: from the beginning of its stop an agent starts
// nothing more; what it holds starts elsewhere, on time.
func TestAStoppingNodeStartsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := NewCluster(t, Options{})
		for i := range 10 {
			c.Apply(everySecond(fmt.Sprintf("job-%d", i)))
		}
		c.Run(10*time.Second + 500*time.Millisecond)
		n := c.nodes[0]
		if n == c.Leader() {
			n = c.nodes[1]
		}
		began := time.Now()
		n.Stop()
		c.Run(3 * time.Second)
		for _, s := range c.Record.Starts() {
			if s.Node == n.Name && s.Begin.After(began) {
				t.Errorf("it was told to stop at %s, and started %s", began.UTC().Format(time.RFC3339Nano), s)
			}
		}
	})
}

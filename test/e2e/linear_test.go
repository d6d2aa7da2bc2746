package e2e

import (
	"sync"
	"testing"
	"time"

	"github.com/rota-scheduler/rota/test/cluster"
	"github.com/rota-scheduler/rota/test/linear"
)

// TestLinearizable: clients change and read the same jobs through every node while
// leaders are killed. What they are told is what a single machine could have told
// them.
func TestLinearizable(t *testing.T) {
	clients, kills, jobs := 6, 4, 6
	if testing.Short() {
		clients, kills, jobs = 4, 1, 3
	}
	c := cluster.Start(t, cluster.Options{})
	history := &linear.History{}
	calls := linear.Clients{Jobs: jobs, Calls: 40 * kills, Pause: 60 * time.Millisecond, Timeout: 10 * time.Second}
	for _, n := range c.Nodes {
		calls.APIs = append(calls.APIs, n.Client())
	}
	var wg sync.WaitGroup
	for client := range clients {
		wg.Go(func() { calls.Run(t.Context(), history, client, 1) })
	}
	for range kills {
		cluster.Until(t, time.Now().Add(time.Second))
		old := c.Leader()
		killed := time.Now()
		old.Kill()
		found := cluster.NextLeader(t, c, old.Name, killed)
		t.Logf("leader %s killed: %s leads after %s", old.Name, found.Name, found.After)
		old.Start()
		c.WaitReady()
	}
	wg.Wait()
	answered, unknown := history.Count()
	t.Logf("%d calls answered, %d not", answered, unknown)
	if answered < clients*20 {
		t.Errorf("only %d calls were answered: this test shows nothing", answered)
	}
	history.Check(t)
}

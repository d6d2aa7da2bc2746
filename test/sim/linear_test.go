package sim

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rota-scheduler/rota/test/linear"
	"github.com/rota-scheduler/rota/transport/api"
)

// TestLinearizable: five clients change and read the same jobs through any node,
// while leaders crash, freeze and are cut off.
func TestLinearizable(t *testing.T) {
	seeds := number(t, "ROTA_SIM_LINEAR", 12)
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			history := &linear.History{}
			synctest.Test(t, func(t *testing.T) { callWhileLeadersFail(t, history, uint64(seed)) })
			answered, unknown := history.Count()
			t.Logf("%d calls answered, %d not", answered, unknown)
			if answered < 100 {
				t.Errorf("only %d calls were answered: this test shows nothing", answered)
			}
			history.Check(t)
		})
	}
}

func callWhileLeadersFail(t *testing.T, history *linear.History, seed uint64) {
	c := NewCluster(t, Options{})
	c.Net.Latency(2 * time.Millisecond)
	l := newClients(c)
	defer l.close()
	calls := linear.Clients{Jobs: 2, Calls: 70, Pause: 200 * time.Millisecond, Timeout: 5 * time.Second}
	calls.APIs = []*api.Client{l.apis["n1"], l.apis["n2"], l.apis["n3"]}
	var wg sync.WaitGroup
	for client := range 5 {
		wg.Go(func() { calls.Run(t.Context(), history, client, seed) })
	}
	for i := range 4 {
		c.Run(3 * time.Second)
		c.Wait("somebody leads", time.Minute, func() bool { return c.Leader() != nil })
		old := c.Leader()
		switch (int(seed) + i) % 4 {
		case 0:
			old.Crash()
			c.Run(time.Second)
			old.Start()
		case 1:
			c.isolate(old)
			c.Run(1500 * time.Millisecond)
			c.Net.Heal()
			c.Net.Latency(2 * time.Millisecond)
		case 2:
			old.Freeze()
			c.Run(2500 * time.Millisecond)
			old.Thaw()
		case 3: // it hears nobody, and is heard
			for _, other := range c.nodes {
				c.Net.CutOneWay(other.IP, old.IP)
			}
			c.Run(time.Second)
			c.Net.Heal()
			c.Net.Latency(2 * time.Millisecond)
		}
	}
	wg.Wait()
}

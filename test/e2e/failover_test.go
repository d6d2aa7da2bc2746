package e2e

import (
	"testing"
	"time"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/test/cluster"
)

// TestFiveLeadersUnderLoad: fifty jobs every second, and the leader's machine
// loses agent, supervisor and processes five times. Every instant has one
// outcome and one start. The jobs are spread a little: due all at once,
// how late the last one starts would tell how fast this machine starts programs. How late what was placed on living nodes started during
// the elections, and what sat on the dead one, is reported, not judged: this
// machine has other things to do.
func TestFiveLeadersUnderLoad(t *testing.T) {
	jobs, kills := 50, 5
	if testing.Short() {
		jobs, kills = 10, 1
	}
	c := cluster.Start(t, cluster.Options{})
	schedule := everySecond
	schedule.Jitter = fsm.Duration(300 * time.Millisecond) // and a pause in which to kill
	l := startLoadOf(t, c, jobs, schedule)
	var outages []cluster.Outage
	for range kills {
		l.quiet()
		old := c.Leader()
		killed := time.Now()
		old.Kill()
		found := cluster.NextLeader(t, c, old.Name, killed)
		outages = append(outages, cluster.Outage{From: killed, To: killed.Add(found.After)})
		t.Logf("leader %s killed: %s leads after %s", old.Name, found.Name, found.After)
		cluster.Until(t, killed.Add(cluster.MoveWindow)) // what the dead node held comes due meanwhile
		old.Start()
		c.WaitReady()
	}
	cluster.Until(t, time.Now().Add(2*time.Second))
	l.verifyAllRan()
	during, moved := cluster.LateAround(outages, l.records.Read())
	t.Logf("due during an election, on living nodes: %s", cluster.Percentiles(during))
	t.Logf("moved from a dead node: %s", cluster.Percentiles(moved))
	if len(moved) == 0 {
		t.Error("nothing was moved from a dead node: this test shows nothing")
	}
}

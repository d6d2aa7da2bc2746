package e2e

import (
	"slices"
	"testing"
	"time"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/test/cluster"
	"github.com/rota-scheduler/rota/test/cluster/record"
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
	type outage struct{ from, to time.Time }
	var outages []outage
	for range kills {
		l.quiet()
		old := c.Leader()
		killed := time.Now()
		old.Kill()
		found := nextLeader(t, c, old.Name, killed)
		outages = append(outages, outage{killed, killed.Add(found.after)})
		t.Logf("leader %s killed: %s leads after %s", old.Name, found.name, found.after)
		cluster.Until(t, killed.Add(4*time.Second)) // what the dead node held comes due meanwhile
		old.Start()
		c.WaitReady()
	}
	cluster.Until(t, time.Now().Add(2*time.Second))
	l.verifyAllRan()
	var during, moved []time.Duration
	for _, r := range l.records.Read() {
		if r.Event != record.Begin {
			continue
		}
		late := r.At.Sub(r.ScheduledAt)
		for _, o := range outages {
			switch {
			case r.ScheduledAt.Before(o.from) || r.ScheduledAt.After(o.to.Add(4*time.Second)):
			case r.Attempt > 1:
				moved = append(moved, late)
			case r.ScheduledAt.Before(o.to):
				during = append(during, late)
			}
		}
	}
	t.Logf("due during an election, on living nodes: %s", spread(during))
	t.Logf("moved from a dead node: %s", spread(moved))
	if len(moved) == 0 {
		t.Error("nothing was moved from a dead node: this test shows nothing")
	}
}

// spread describes durations.
func spread(d []time.Duration) string {
	if len(d) == 0 {
		return "none"
	}
	slices.Sort(d)
	return "p50 " + d[len(d)/2].String() + ", p99 " + d[len(d)*99/100].String() + ", most " + d[len(d)-1].String()
}

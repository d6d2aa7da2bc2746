package bench

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/test/cluster"
	"github.com/rota-scheduler/rota/test/cluster/record"
)

// outage is from the kill of a leader to the word of who leads next.
type outage struct{ from, to time.Time }

// moveWindow is how long after a new leader's election what the dead one held may
// come due.
const moveWindow = 4 * time.Second

// TestLeaderKilled: jobs every second while leaders are killed with everything that
// they run. What starts late, and what never or twice; whether all of it keeps the
// promises is judged by TestFiveLeadersUnderLoad in test/e2e.
func TestLeaderKilled(t *testing.T) {
	jobs, kills := 50, size(5, 0)
	if kills == 0 {
		t.Skip("only at full size: test/e2e does the like in every run")
	}
	c := cluster.Start(t, cluster.Options{})
	records := cluster.NewRecords(t).Unsynced()
	sched := fsm.Schedule{Cron: "* * * * * *", Overlap: fsm.OverlapAllow, Jitter: fsm.Duration(300 * time.Millisecond)}
	put(t, c.Client(0), specs(jobs, "tick", sched, records.Task("t", 0, 0)))
	lateness(t, records, 2*jobs, time.Minute)
	begin := nextSecond()
	var outages []outage
	for range kills {
		// What starts in the instant of the kill may have started for all that
		// anybody knows, and waits: between two seconds' fires there is none.
		cluster.Until(t, time.Now().Truncate(time.Second).Add(1700*time.Millisecond))
		old := c.Leader()
		killed := time.Now()
		old.Kill()
		outages = append(outages, outage{killed, succeeded(t, c)})
		cluster.Until(t, killed.Add(moveWindow))
		old.Start()
		c.WaitReady()
	}
	end := nextSecond()
	cluster.Until(t, end.Add(moveWindow))
	report(t, records.Read(), outages, begin, end, jobs)
}

// nextSecond begins with the fires of a second: each job has one in every second.
func nextSecond() time.Time { return time.Now().Truncate(time.Second).Add(time.Second) }

// succeeded returns when a node that is up leads.
func succeeded(t *testing.T, c *cluster.Cluster) (at time.Time) {
	t.Helper()
	cluster.Eventually(t, time.Minute, "a new leader", func() error {
		for _, n := range c.Up() {
			page, err := n.Metrics(t.Context())
			if err == nil && page["rota_leader"] == 1 {
				at = time.Now()
				return nil
			}
		}
		return errors.New("nobody leads")
	})
	return at
}

// report adds the rows. A fire is known by its job and second: the jitter of a job
// is always the same.
func report(t *testing.T, records []record.Record, outages []outage, begin, end time.Time, jobs int) {
	t.Helper()
	starts := map[string]int{}
	var during, moved, election []time.Duration
	for _, r := range records {
		if r.Event != record.Begin || r.ScheduledAt.Before(begin) || !r.ScheduledAt.Before(end) {
			continue
		}
		starts[fmt.Sprint(r.Job, " ", r.ScheduledAt.Unix())]++
		for _, o := range outages {
			switch {
			case r.ScheduledAt.Before(o.from) || r.ScheduledAt.After(o.to.Add(moveWindow)):
			case r.Attempt > 1:
				moved = append(moved, r.At.Sub(r.ScheduledAt))
			case r.ScheduledAt.Before(o.to):
				during = append(during, r.At.Sub(r.ScheduledAt))
			}
		}
	}
	twice := 0
	for _, n := range starts {
		twice += min(n-1, 1)
	}
	for _, o := range outages {
		election = append(election, o.to.Sub(o.from))
	}
	due := jobs * int(end.Unix()-begin.Unix())
	result(t, row{
		what: fmt.Sprintf("leader killed %d times under %d jobs a second", len(outages), jobs), bar: "none missed or doubled",
		measured: fmt.Sprintf("%d ran of %d due, %d twice", len(starts), due, twice),
	})
	result(t, row{what: "new leader", bar: "1 s", measured: percentiles(election)})
	result(t, row{what: "due meanwhile on living nodes", bar: "50 ms late", measured: percentiles(during)})
	result(t, row{what: "moved from the dead node", bar: "2 s late", measured: percentiles(moved)})
}

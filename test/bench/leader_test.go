package bench

import (
	"fmt"
	"testing"
	"time"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/test/cluster"
	"github.com/rota-scheduler/rota/test/cluster/record"
)

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
	var outages []cluster.Outage
	for range kills {
		// What starts in the instant of the kill may have started for all that
		// anybody knows, and waits: between two seconds' fires there is none.
		cluster.Until(t, time.Now().Truncate(time.Second).Add(1700*time.Millisecond))
		old := c.Leader()
		killed := time.Now()
		old.Kill()
		outages = append(outages, cluster.Outage{From: killed, To: killed.Add(cluster.NextLeader(t, c, old.Name, killed).After)})
		cluster.Until(t, killed.Add(cluster.MoveWindow))
		old.Start()
		c.WaitReady()
	}
	end := nextSecond()
	cluster.Until(t, end.Add(cluster.MoveWindow))
	report(t, records.Read(), outages, begin, end, jobs)
}

// nextSecond begins with the fires of a second: each job has one in every second.
func nextSecond() time.Time { return time.Now().Truncate(time.Second).Add(time.Second) }

// report adds the rows. A fire is known by its job and second: the jitter of a job
// is always the same.
func report(t *testing.T, records []record.Record, outages []cluster.Outage, begin, end time.Time, jobs int) {
	t.Helper()
	starts := map[string]int{}
	var counted []record.Record
	for _, r := range records {
		if r.Event == record.Begin && !r.ScheduledAt.Before(begin) && r.ScheduledAt.Before(end) {
			starts[fmt.Sprint(r.Job, " ", r.ScheduledAt.Unix())]++
			counted = append(counted, r)
		}
	}
	during, moved := cluster.LateAround(outages, counted)
	var election []time.Duration
	twice := 0
	for _, n := range starts {
		twice += min(n-1, 1)
	}
	for _, o := range outages {
		election = append(election, o.To.Sub(o.From))
	}
	due := jobs * int(end.Unix()-begin.Unix())
	result(t, row{
		what: fmt.Sprintf("leader killed %d times under %d jobs a second", len(outages), jobs), bar: "none missed or doubled",
		measured: fmt.Sprintf("%d ran of %d due, %d twice", len(starts), due, twice),
	})
	result(t, row{what: "new leader", bar: "1 s", measured: cluster.Percentiles(election)})
	result(t, row{what: "due meanwhile on living nodes", bar: "50 ms late", measured: cluster.Percentiles(during)})
	result(t, row{what: "moved from the dead node", bar: "2 s late", measured: cluster.Percentiles(moved)})
}

package sim

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/rota-scheduler/rota/fsm"
)

// TestDowntime: P2. The whole cluster is off for ninety seconds; each misfire
// policy does what it says, and the ledger accounts for every instant.
func TestDowntime(t *testing.T) {
	every := func(name string, change func(*fsm.Schedule)) fsm.JobSpec {
		spec := everySecond(name)
		change(&spec.Schedules[0])
		return spec
	}
	synctest.Test(t, func(t *testing.T) {
		c := NewCluster(t, Options{})
		c.Apply(
			every("skip", func(s *fsm.Schedule) { s.Misfire = fsm.MisfireSkip }),
			every("last", func(s *fsm.Schedule) {}),
			every("all", func(s *fsm.Schedule) { s.Misfire, s.MisfireLimit = fsm.MisfireAll, 20 }),
			every("all-forbid", func(s *fsm.Schedule) {
				s.Misfire, s.Every, s.Overlap = fsm.MisfireAll, fsm.Duration(10*time.Second), fsm.OverlapForbid
			}),
			every("deadline", func(s *fsm.Schedule) {
				s.Misfire, s.StartDeadline = fsm.MisfireAll, fsm.Duration(5*time.Second)
			}),
		)
		from := time.Now()
		c.Run(10 * time.Second)
		for _, n := range c.Nodes() {
			n.Kill()
		}
		off := time.Now()
		c.Run(90 * time.Second)
		on := time.Now()
		for _, n := range c.Nodes() {
			n.Start()
		}
		c.Wait("the cluster is back", 30*time.Second, c.settled)
		c.Run(60 * time.Second)
		to := time.Now()
		c.Run(5 * time.Second)
		verdicts := map[string]Verdict{}
		for _, name := range []string{"skip", "last", "all", "all-forbid", "deadline"} {
			verdicts[name] = c.Check(name, from, to, CheckOptions{Restarts: true})
			c.Report(verdicts[name])
			t.Logf("%s: %d instants, %d ran, skipped %v", name, verdicts[name].Due, verdicts[name].Ran, verdicts[name].Skipped)
		}
		missed := c.madeUp("last", off, on)
		if len(missed) > 8 { // what the horizon had armed, and one for the rest
			t.Errorf("last: %d instants of the downtime were made up for", len(missed))
		}
		if n := len(c.madeUp("all", off.Add(c.Timing.Horizon+time.Second), on)); n < 17 || n > 20 { // the newest few came after the restart
			t.Errorf("all with a limit of 20: %d instants of the downtime were made up for", n)
		}
		if n := len(c.madeUp("all-forbid", off.Add(c.Timing.Horizon+10*time.Second), on)); n < 7 {
			t.Errorf("all with forbid: %d instants of the downtime were made up for, want every one", n)
		}
		if n := len(c.madeUp("skip", off.Add(c.Timing.Horizon+time.Second), on.Add(-c.Timing.Misfire-time.Second))); n != 0 {
			t.Errorf("skip: %d instants of the downtime were made up for", n)
		}
		if verdicts["deadline"].Skipped[fsm.ReasonMissed] < 70 {
			t.Errorf("deadline: %v skipped", verdicts["deadline"].Skipped)
		}
		for at, late := range verdicts["deadline"].Late {
			if late > 5*time.Second+c.Timing.Skew {
				t.Errorf("deadline: %s started %s late", at, late)
			}
		}
		c.CheckHashes()
	})
}

// madeUp lists the starts of instants that came between two times.
func (c *Cluster) madeUp(job string, after, until time.Time) []Start {
	var list []Start
	for at, starts := range c.startsOf(job) {
		if t, err := time.Parse(time.RFC3339Nano, at); err == nil && t.After(after) && !t.After(until) {
			list = append(list, starts...)
		}
	}
	return list
}

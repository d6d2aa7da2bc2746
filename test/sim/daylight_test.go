package sim

import (
	"math/rand/v2"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/scheduling/executor/proc"
)

// daylightZones are zones that change their clocks at different hours, by
// different amounts and, in the south, the other way round.
var daylightZones = []string{
	"America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "America/Santiago", "America/Havana", "Africa/Cairo",
}

// transitions lists the changes of a zone's offset in the two years from start.
func transitions(t *testing.T, zone string, start time.Time) []time.Time {
	t.Helper()
	loc, err := time.LoadLocation(zone)
	if err != nil {
		t.Fatal(err)
	}
	var list []time.Time
	_, offset := start.In(loc).Zone()
	for at := start; at.Before(start.AddDate(2, 0, 0)); at = at.Add(time.Hour) {
		if _, now := at.In(loc).Zone(); now != offset {
			list = append(list, at)
			offset = now
		}
	}
	return list
}

// TestDaylightSaving: P2 around the changes of the clocks, for fixed and wildcard
// schedules in six zones at once, with leaders killed at random. ROTA_SIM=long
// takes every change of two years; otherwise it is one for each zone,
// and with -short one in all.
func TestDaylightSaving(t *testing.T) {
	long := os.Getenv("ROTA_SIM") == "long"
	start := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) // where a bubble's time begins
	var windows []time.Time
	for z, zone := range daylightZones {
		for i, at := range transitions(t, zone, start) {
			if long || i == z%2 { // otherwise spring here, autumn there
				windows = append(windows, at)
			}
		}
	}
	if testing.Short() {
		windows = windows[:1]
	}
	if long && len(windows) < 20 {
		t.Fatalf("only %d changes of the clocks in two years", len(windows))
	}
	for i, at := range windows {
		t.Run(at.Format("2006-01-02T15"), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { runDaylight(t, at, uint64(i)) })
		})
	}
}

func runDaylight(t *testing.T, transition time.Time, seed uint64) {
	const before, after = 14 * time.Hour, 22 * time.Hour
	time.Sleep(time.Until(transition.Add(-before)))
	rng := rand.New(rand.NewPCG(seed, 1))
	c := NewCluster(t, Options{Stretch: 120, Work: func(proc.StartRequest) Outcome {
		return Outcome{After: time.Second}
	}})
	var specs []fsm.JobSpec
	for _, zone := range daylightZones {
		for name, expr := range map[string]string{
			"fixed": "30 2 * * *", "midnight": "0 0 * * *", "list": "15,45 1,2,3 * * *", "wild": "*/20 * * * *", "hourly": "5 * * * *",
		} {
			specs = append(specs, fsm.JobSpec{
				Name:      name + "-" + zone[len(zone)-4:],
				Schedules: []fsm.Schedule{{Cron: expr, Timezone: zone}},
				Tasks:     []fsm.Task{{Name: "t", Driver: fsm.DriverExec, Command: "/bin/work"}},
				History:   fsm.History{Runs: 1000},
			})
		}
	}
	c.Apply(specs...)
	from := time.Now()
	end := from.Add(before + after)
	var crashes []time.Time
	for time.Now().Before(end) {
		c.Run(time.Duration(rng.Int64N(int64(8 * time.Hour))))
		if dead := c.Leader(); dead != nil {
			crashes = append(crashes, time.Now())
			dead.Crash()
			c.Run(time.Duration(rng.Int64N(int64(c.scale(2 * time.Second)))))
			dead.Start()
			c.Wait("the node is back", c.scale(60*time.Second), c.settled)
		}
	}
	to := time.Now()
	c.Run(c.scale(10 * time.Second))
	for _, spec := range specs {
		v := c.Check(spec.Name, from, to, CheckOptions{})
		c.Report(v)
		if v.Ran != v.Due {
			t.Errorf("%s: %d of %d instants ran; skipped: %v (crashes at %v)", spec.Name, v.Ran, v.Due, v.Skipped, crashes)
		}
	}
	c.CheckHashes()
}

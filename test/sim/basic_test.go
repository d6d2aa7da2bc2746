package sim

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/rota-scheduler/rota/fsm"
)

// everySecond is a job that is due every second and may overlap with itself.
func everySecond(name string) fsm.JobSpec {
	return fsm.JobSpec{
		Name:      name,
		Schedules: []fsm.Schedule{{Every: fsm.Duration(time.Second), Overlap: fsm.OverlapAllow}},
		Tasks:     []fsm.Task{{Name: "t", Driver: fsm.DriverExec, Command: "/bin/work"}},
		History:   fsm.History{Runs: 10_000},
	}
}

func TestClusterFires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := NewCluster(t, Options{})
		c.Apply(everySecond("tick"))
		c.Run(time.Minute)
		starts := c.Record.Starts()
		if len(starts) < 58 {
			t.Fatalf("%d starts in a minute", len(starts))
		}
	})
}

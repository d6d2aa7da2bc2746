package sim

import (
	"fmt"
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
		from := time.Now()
		c.Run(time.Minute)
		to := time.Now()
		c.Run(2 * time.Second)
		v := c.Check("tick", from, to, CheckOptions{})
		c.Report(v)
		if v.Ran != 60 {
			t.Errorf("%d of %d instants ran in a minute", v.Ran, v.Due)
		}
		for at, late := range v.Late {
			if late > 5*time.Millisecond {
				t.Errorf("%s was %s late on a quiet cluster", at, late)
			}
		}
		c.CheckHashes()
	})
}

// TestLeaderCrashes: P2 and P5. The agent of the leader is killed again and
// again; its supervisor lives on. No instant is lost or doubled, those on living
// nodes start on time during the election, those of the dead node soon.
func TestLeaderCrashes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const jobs = 50
		c := NewCluster(t, Options{})
		for i := range jobs {
			c.Apply(everySecond(fmt.Sprintf("job-%d", i)))
		}
		c.Run(10 * time.Second)
		from := time.Now()
		var crashes []time.Time
		for range 5 {
			c.Run(300 * time.Millisecond)
			dead := c.Leader()
			crashes = append(crashes, time.Now())
			dead.Crash()
			c.Wait("another node leads", 2*time.Second, func() bool { return c.Leader() != nil })
			c.Run(5 * time.Second)
			dead.Start()
			c.Wait("the node is back", 20*time.Second, c.settled)
			c.Run(5 * time.Second)
		}
		to := time.Now()
		c.Run(5 * time.Second)
		for i := range jobs {
			v := c.Check(fmt.Sprintf("job-%d", i), from, to, CheckOptions{})
			c.Report(v)
			if v.Ran != v.Due {
				t.Errorf("job-%d: %d of %d instants ran; skipped: %v", i, v.Ran, v.Due, v.Skipped)
			}
			for at, late := range v.Late {
				if late > 2*time.Second && !inTheInstantOf(crashes, at.Time(), c.Timing.Skew) {
					t.Errorf("job-%d: %s was %s late", i, at, late)
				}
			}
		}
		c.CheckHashes()
	})
}

// inTheInstantOf says whether what was due at t may have started when an agent
// was killed: by the clocks' error nobody can tell. It then waits for the agent.
func inTheInstantOf(crashes []time.Time, t time.Time, skew time.Duration) bool {
	for _, at := range crashes {
		if t.Sub(at).Abs() <= 2*skew {
			return true
		}
	}
	return false
}

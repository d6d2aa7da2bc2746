package bench

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/test/cluster"
)

// clockTick is the unit of CPU times under /proc, the same on every Linux that
// Go runs on.
const clockTick = 10 * time.Millisecond

// cpu is what processes have used of the processors: that of a node's agent, of
// its supervisor, and of the jobs that the supervisor has seen end.
type cpu struct{ agent, supervisor, jobs time.Duration }

func (c cpu) sub(o cpu) cpu {
	return cpu{c.agent - o.agent, c.supervisor - o.supervisor, c.jobs - o.jobs}
}

func used(t *testing.T, c *cluster.Cluster) (total cpu) {
	t.Helper()
	for _, n := range c.Nodes {
		agent, _ := cpuOf(t, n.AgentPID())
		supervisor, ended := cpuOf(t, n.PID())
		total.agent += agent
		total.supervisor += supervisor
		total.jobs += ended
	}
	return total
}

// cpuOf returns the processor time of a process, and that of its children which
// have ended.
func cpuOf(t *testing.T, pid int) (own, children time.Duration) {
	t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, fields, _ := strings.Cut(string(stat), ") ")
	var ticks [4]time.Duration // utime, stime, cutime, cstime
	for i, f := range strings.Fields(fields)[11:15] {
		if _, err := fmt.Sscan(f, &ticks[i]); err != nil {
			t.Fatal(err)
		}
	}
	return (ticks[0] + ticks[1]) * clockTick, (ticks[2] + ticks[3]) * clockTick
}

// TestCosts: what a run costs beside the program that it runs, as processor time
// of the three nodes, which other work on the machine changes little.
func TestCosts(t *testing.T) {
	jobs, seconds := size(100, 10), time.Duration(size(20, 2))*time.Second
	c := cluster.Start(t, cluster.Options{Args: []string{"--capacity", "10000"}})
	idle := used(t, c)
	cluster.Until(t, time.Now().Add(seconds))
	idle = used(t, c).sub(idle)
	records := cluster.NewRecords(t)
	list := specs(jobs, "tick", fsm.Schedule{Cron: "* * * * * *", Overlap: fsm.OverlapAllow}, records.Task("t", 0, 0))
	put(t, c.Client(0), list)
	lateness(t, records, 2*jobs, time.Minute) // it is under way
	before, ran := used(t, c), len(records.Read())
	cluster.Until(t, time.Now().Add(seconds))
	busy, runs := used(t, c).sub(before), (len(records.Read())-ran)/2 // each writes its begin and its end
	per := func(busy, idle time.Duration) time.Duration {
		return ((busy - idle) / time.Duration(max(runs, 1))).Round(time.Microsecond)
	}
	t.Logf("three idle nodes: agents %.1f%% and supervisors %.1f%% of one core (bar: 3%% in all)",
		100*idle.agent.Seconds()/seconds.Seconds(), 100*idle.supervisor.Seconds()/seconds.Seconds())
	t.Logf("processor time of each of %d runs: agents %s, supervisors %s, the program itself %s",
		runs, per(busy.agent, idle.agent), per(busy.supervisor, idle.supervisor), per(busy.jobs, idle.jobs))
}

package bench

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/test/cluster"
	"github.com/rota-scheduler/rota/transport/api"
)

// clockTick is the unit of CPU times under /proc, the same on every Linux that
// Go runs on.
const clockTick = 10 * time.Millisecond

// usage is what the processes of all nodes have used: of the processors the
// agents, the supervisors, and the jobs that these have seen end; of the disks;
// and how many entries the log has.
type usage struct {
	agent, supervisor, jobs time.Duration
	written                 int // bytes, by agents and supervisors
	entries                 int
}

func (u usage) sub(o usage) usage {
	return usage{u.agent - o.agent, u.supervisor - o.supervisor, u.jobs - o.jobs, u.written - o.written, u.entries - o.entries}
}

func used(t *testing.T, c *cluster.Cluster) (total usage) {
	t.Helper()
	for _, n := range c.Nodes {
		agent, _ := cpuOf(t, n.AgentPID())
		supervisor, ended := cpuOf(t, n.PID())
		total.agent += agent
		total.supervisor += supervisor
		total.jobs += ended
		total.written += writtenBy(t, n.AgentPID()) + writtenBy(t, n.PID())
	}
	list, err := c.Client(0).Jobs(t.Context(), "", api.Page{PerPage: 1}, api.Read{Consistent: true})
	if err != nil {
		t.Fatal(err)
	}
	total.entries = int(list.Index)
	return total
}

// writtenBy returns how many bytes a process has had written to disks.
func writtenBy(t *testing.T, pid int) (n int) {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/io", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if _, err := fmt.Sscanf(line, "write_bytes: %d", &n); err == nil {
			return n
		}
	}
	t.Fatalf("/proc/%d/io names no written bytes", pid)
	return 0
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
	cluster.Until(t, time.Now().Add(seconds/2)) // it has settled
	idle := used(t, c)
	cluster.Until(t, time.Now().Add(seconds))
	idle = used(t, c).sub(idle)
	records := cluster.NewRecords(t).Unsynced() // what is measured is the program's own
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
	t.Logf("this machine: %d processors, %s", runtime.NumCPU(), model(t))
	t.Logf("each run writes %d bytes on the three disks together, and takes %.2f entries of the log",
		(busy.written-idle.written)/max(runs, 1), float64(busy.entries-idle.entries)/float64(max(runs, 1)))
	t.Logf("processor time of each of %d runs: agents %s, supervisors %s, the program itself %s",
		runs, per(busy.agent, idle.agent), per(busy.supervisor, idle.supervisor), per(busy.jobs, idle.jobs))
}

// model names the processor.
func model(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "an unnamed processor"
}

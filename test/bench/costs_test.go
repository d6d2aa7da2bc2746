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
	writes                  int // calls that write: to files, to other nodes and to supervisors
	entries                 int
}

func (u usage) sub(o usage) usage {
	return usage{u.agent - o.agent, u.supervisor - o.supervisor, u.jobs - o.jobs, u.written - o.written, u.writes - o.writes, u.entries - o.entries}
}

func used(t *testing.T, c *cluster.Cluster) (total usage) {
	t.Helper()
	for _, n := range c.Nodes {
		agent, _ := cpuOf(t, n.AgentPID())
		supervisor, ended := cpuOf(t, n.PID())
		total.agent += agent
		total.supervisor += supervisor
		total.jobs += ended
		for _, pid := range []int{n.AgentPID(), n.PID()} {
			total.written += ioOf(t, pid, "write_bytes")
			total.writes += ioOf(t, pid, "syscw")
		}
	}
	list, err := c.Client(0).Jobs(t.Context(), "", api.Page{PerPage: 1}, api.Read{Consistent: true})
	if err != nil {
		t.Fatal(err)
	}
	total.entries = int(list.Index)
	return total
}

// ioOf returns one of the counts that the kernel keeps of what a process reads and
// writes.
func ioOf(t *testing.T, pid int, count string) (n int) {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/io", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if _, err := fmt.Sscanf(line, count+": %d", &n); err == nil {
			return n
		}
	}
	t.Fatalf("/proc/%d/io has no %s", pid, count)
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

// TestCosts: what a run costs beside the program that it runs, at ten and at a
// hundred runs a second, as processor time of the three nodes, which other work on
// the machine changes little. TestTriggers says it at full speed.
func TestCosts(t *testing.T) {
	seconds := time.Duration(size(20, 2)) * time.Second
	t.Logf("this machine: %d processors, %s", runtime.NumCPU(), model(t))
	for _, jobs := range []int{10, size(100, 20)} {
		t.Run(fmt.Sprintf("rate=%d", jobs), func(t *testing.T) { costsAt(t, jobs, seconds) })
	}
}

func costsAt(t *testing.T, jobs int, seconds time.Duration) {
	c := cluster.Start(t, cluster.Options{Args: []string{"--capacity", "10000"}})
	cluster.Until(t, time.Now().Add(seconds/2)) // it has settled
	idle := used(t, c)
	cluster.Until(t, time.Now().Add(seconds))
	idle = used(t, c).sub(idle)
	t.Logf("three idle nodes: agents %.1f%% and supervisors %.1f%% of one core (bar: 3%% in all)",
		100*idle.agent.Seconds()/seconds.Seconds(), 100*idle.supervisor.Seconds()/seconds.Seconds())
	records := cluster.NewRecords(t).Unsynced() // what is measured is the program's own
	list := specs(jobs, "tick", fsm.Schedule{Cron: "* * * * * *", Overlap: fsm.OverlapAllow}, records.Task("t", 0, 0))
	put(t, c.Client(0), list)
	lateness(t, records, 2*jobs, time.Minute) // it is under way
	before, ran := used(t, c), len(records.Read())
	cluster.Until(t, time.Now().Add(seconds))
	busy, runs := used(t, c).sub(before), (len(records.Read())-ran)/2 // each writes its begin and its end
	logEach(t, busy.sub(idle), runs)
}

// logEach says what each of so many runs has used.
func logEach(t *testing.T, u usage, runs int) {
	t.Helper()
	runs = max(runs, 1)
	each := func(d time.Duration) time.Duration { return (d / time.Duration(runs)).Round(time.Microsecond) }
	t.Logf("each of %d runs: %d bytes to the three disks together, %.2f entries of the log on each node, %.1f calls that write; processor time: agents %s, supervisors %s, the program itself %s",
		runs, u.written/runs, float64(u.entries)/float64(runs), float64(u.writes)/float64(runs), each(u.agent), each(u.supervisor), each(u.jobs))
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

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

// usage is what the processes of all nodes have used: what they say in their
// metrics, added up over the nodes, and what the kernel says.
type usage struct {
	metrics map[string]float64
	jobs    time.Duration // processor time of the jobs that supervisors have seen end
	written int           // bytes to the disks, by agents and supervisors
	writes  int           // calls that write: to files, to other nodes and to supervisors
}

func (u usage) sub(o usage) usage {
	d := usage{map[string]float64{}, u.jobs - o.jobs, u.written - o.written, u.writes - o.writes}
	for name, v := range u.metrics {
		d.metrics[name] = v - o.metrics[name]
	}
	return d
}

// agents and supervisors return the processor time of all nodes.
func (u usage) agents() time.Duration { return u.seconds("process_cpu_seconds_total") }
func (u usage) supervisors() time.Duration {
	return u.seconds("rota_supervisor_process_cpu_seconds_total")
}

func (u usage) seconds(name string) time.Duration {
	return time.Duration(u.metrics[name] * float64(time.Second))
}

// sent counts the messages of some kinds.
func (u usage) sent(kinds ...string) (n float64) {
	for _, kind := range kinds {
		n += u.metrics[fmt.Sprintf("rota_messages_sent_total{kind=%q}", kind)]
	}
	return n
}

func used(t *testing.T, c *cluster.Cluster) usage {
	t.Helper()
	total := usage{metrics: map[string]float64{}}
	for _, n := range c.Nodes {
		total.jobs += childrensTime(t, n.PID())
		for _, pid := range []int{n.AgentPID(), n.PID()} {
			total.written += ioOf(t, pid, "write_bytes")
			total.writes += ioOf(t, pid, "syscw")
		}
		page, err := n.Metrics(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for name, v := range page {
			total.metrics[name] += v
		}
	}
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

// childrensTime returns the processor time of a process's children that have ended.
func childrensTime(t *testing.T, pid int) (total time.Duration) {
	t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, fields, _ := strings.Cut(string(stat), ") ")
	for _, f := range strings.Fields(fields)[13:15] { // cutime, cstime
		var ticks time.Duration
		if _, err := fmt.Sscan(f, &ticks); err != nil {
			t.Fatal(err)
		}
		total += ticks * clockTick
	}
	return total
}

// TestCosts: what a run costs beside the program that it runs, at ten and at a
// hundred runs a second, which other work on the machine changes little.
// TestTriggers says it at full speed.
func TestCosts(t *testing.T) {
	seconds := time.Duration(size(20, 2)) * time.Second
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
	ofCore := func(d time.Duration) float64 { return 100 * d.Seconds() / seconds.Seconds() }
	result(t, row{
		what: "three idle nodes", bar: "3% of one core, 60 MiB each",
		measured: fmt.Sprintf("agents %.1f%%, supervisors %.1f%%; %s", ofCore(idle.agents()), ofCore(idle.supervisors()), memory(t, c)),
	})
	records := cluster.NewRecords(t).Unsynced() // what is measured is the program's own
	list := specs(jobs, "tick", fsm.Schedule{Cron: "* * * * * *", Overlap: fsm.OverlapAllow}, records.Task("t", 0, 0))
	put(t, c.Client(0), list)
	lateness(t, records, 2*jobs, time.Minute) // it is under way
	before, ran := used(t, c), len(records.Read())
	cluster.Until(t, time.Now().Add(seconds))
	busy, runs := used(t, c).sub(before), (len(records.Read())-ran)/2 // each writes its begin and its end
	t.Log("what three idle nodes use is taken off")
	logEach(t, busy.sub(idle), runs)
}

// logEach says what each of so many runs has used, on all nodes together.
func logEach(t *testing.T, u usage, runs int) {
	t.Helper()
	const nodes = 3 // of every cluster here
	runs = max(runs, 1)
	each := func(n float64) float64 { return n / float64(runs) }
	m := func(name string) float64 { return each(u.metrics[name]) }
	took := func(d time.Duration) time.Duration { return (d / time.Duration(runs)).Round(time.Microsecond) }
	t.Logf(`each of %d runs:
  processor time: agents %s, supervisors %s, the program itself %s
  log: %.2f entries and %.0f bytes on each node; %.2f fdatasyncs and %.0f bytes to the disk on all nodes
  messages: %.2f appends, %.2f commits, %.2f heartbeats of raft; %.2f calls and %.2f forwarded; %.2f of gossip; %.2f to supervisors and %.2f from them; %.1f calls that write
  allocations: agents %.0f objects, %.1f KiB; supervisors %.0f objects, %.1f KiB; %.4f collections`,
		runs, took(u.agents()), took(u.supervisors()), took(u.jobs),
		m("rota_log_entries_total")/nodes, m("rota_log_bytes_total")/nodes, m("rota_log_syncs_total"), each(float64(u.written)),
		each(u.sent("raft_append")), each(u.sent("raft_commit")), each(u.sent("raft_heartbeat")),
		each(u.sent("http_call")), each(u.sent("http_forward")), each(u.sent("gossip_packet", "gossip_stream")),
		each(u.sent("supervisor")), m("rota_supervisor_messages_sent_total"), each(float64(u.writes)),
		m("go_memstats_mallocs_total"), m("go_memstats_alloc_bytes_total")/1024,
		m("rota_supervisor_go_memstats_mallocs_total"), m("rota_supervisor_go_memstats_alloc_bytes_total")/1024,
		m("go_gc_cycles_total")+m("rota_supervisor_go_gc_cycles_total"))
}

// byProcessor says what part of the processor time of so many runs their floor
// uses. Other work on the machine changes that little.
func byProcessor(u usage, runs int, f floor) string {
	each := (u.agents() + u.supervisors() + u.jobs) / time.Duration(max(runs, 1))
	return fmt.Sprintf("processor time %d of %d µs, %.0f%%", f.cpu.Microseconds(), each.Microseconds(), 100*float64(f.cpu)/float64(each))
}

package e2e

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/test/cluster"
)

// talkScript prints a line every 50 ms or so until the gate opens.
const talkScript = `
echo begin $$ $ROTA_ATTEMPT >> "$NOTES"
i=0
while [ ! -e "$GATE" ]; do echo line $i; i=$((i+1)); sleep 0.05; done
echo end $$ $ROTA_ATTEMPT $i >> "$NOTES"
`

// TestJobOutlivesAgents: while a job runs, its agent is killed three times, and
// then replaced by another executable. The process keeps its id, the run
// succeeds once, and every line of its output is there.
func TestJobOutlivesAgents(t *testing.T) {
	t.Parallel()
	stay := 20 * time.Second
	if long() {
		stay = time.Minute
	}
	program := filepath.Join(t.TempDir(), "rota")
	install(t, program)
	c := cluster.Start(t, cluster.Options{Program: program})
	n := newNotes(t)
	put(t, c.Client(0), oneTask("talk", n.task("main", talkScript)))
	id := runJob(t, c.Client(0), "talk")
	holder := c.Node(waitRunning(t, c.Client(0), id).NodeName)
	began := time.Now()
	t.Logf("it runs on %s; %s leads", holder.Name, c.Leader().Name)
	for range 3 {
		newAgent(t, holder, holder.KillAgent)
		c.WaitReady()
	}
	install(t, program)
	newAgent(t, holder, func() { holder.Signal(syscall.SIGHUP) })
	checkExecutable(t, holder, program)
	c.WaitReady()
	cluster.Until(t, began.Add(stay))
	if got := n.lines(); len(got) != 1 {
		t.Fatalf("the job did not outlive its agents, or was started again: %q", got)
	}
	n.open()

	run := waitRun(t, c.Client(0), id)
	attempts := attemptsOf(onlyShard(t, run))
	if run.State != fsm.RunSucceeded || len(attempts) != 1 {
		t.Errorf("the run is %s after %d attempts, want succeeded after one: %+v", run.State, len(attempts), attempts)
	}
	got := n.lines()
	if len(got) != 2 || got[0][0] != "begin" || got[1][0] != "end" || got[0][1] != got[1][1] {
		t.Fatalf("want one begin and one end, of one process: %q", got)
	}
	lines, err := strconv.Atoi(got[1][3])
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("process %s printed %d lines", got[0][1], lines)
	checkWhole(t, c, id, lines)
}

// install puts a copy of the program at a path, as another file.
func install(t *testing.T, path string) {
	t.Helper()
	from, err := os.Open(cluster.Binary(t))
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	to, err := os.OpenFile(path+".new", os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.Copy(to, from)
	if err := errors.Join(err, to.Close(), os.Rename(path+".new", path)); err != nil {
		t.Fatal(err)
	}
}

// newAgent replaces a node's agent, and returns when there is another under the
// same supervisor.
func newAgent(t *testing.T, n *cluster.Node, replace func()) {
	t.Helper()
	supervisor, old := n.PID(), n.AgentPID()
	replace()
	cluster.Eventually(t, settleWithin, "another agent", func() error {
		if pid := n.AgentPID(); pid == 0 || pid == old || alive(old) {
			return fmt.Errorf("the agent was %d and is %d", old, pid)
		}
		return nil
	})
	if n.PID() != supervisor {
		t.Errorf("the supervisor of %s was %d and is %d", n.Name, supervisor, n.PID())
	}
}

// checkExecutable: the agent runs the file that lies at the path now.
func checkExecutable(t *testing.T, n *cluster.Node, path string) {
	t.Helper()
	cluster.Eventually(t, settleWithin, "an agent of the new executable", func() error {
		running, err := os.Stat(fmt.Sprintf("/proc/%d/exe", n.AgentPID()))
		if err != nil {
			return err
		}
		installed, err := os.Stat(path)
		if err == nil && !os.SameFile(running, installed) {
			err = errors.New("it runs the old one")
		}
		return err
	})
}

// checkWhole: the output has every line once, in order.
func checkWhole(t *testing.T, c *cluster.Cluster, id string, lines int) {
	t.Helper()
	var want strings.Builder
	for i := range lines {
		fmt.Fprintf(&want, "line %d\n", i)
	}
	r := c.CLI(c.Nodes[0], "logs", id)
	if diff := cmp.Diff(want.String(), r.Stdout); diff != "" || r.Code != 0 {
		t.Errorf("logs: exit code %d (-want +got):\n%s%s", r.Code, diff, r.Stderr)
	}
}

// startBy is the start deadline of the jobs of TestFrozenNode, and startSlack by
// how much their own clocks may show it to be passed: what lies between exec and
// the first line of a program, on a busy machine.
const (
	startBy    = 2 * time.Second
	startSlack = 250 * time.Millisecond
)

// TestFrozenNode: an agent, or an agent and its supervisor, stand still and go
// on later, while jobs are due every second. No instant is lost or doubled, and
// nothing starts after its deadline.
func TestFrozenNode(t *testing.T) {
	t.Parallel()
	frozen := 8 * time.Second
	if long() {
		frozen = 20 * time.Second
	}
	c := cluster.Start(t, cluster.Options{})
	l := startDeadlines(t, c, 3)
	for _, tc := range []struct {
		name        string
		choose      func() *cluster.Node
		pause, goOn func(*cluster.Node)
	}{
		{"the agent of a follower", func() *cluster.Node { return c.Followers()[0] }, (*cluster.Node).PauseAgent, (*cluster.Node).ContinueAgent},
		{"agent and supervisor of a follower", func() *cluster.Node { return c.Followers()[0] }, (*cluster.Node).Pause, (*cluster.Node).Continue},
		{"the agent of the leader", c.Leader, (*cluster.Node).PauseAgent, (*cluster.Node).ContinueAgent},
		{"agent and supervisor of the leader", c.Leader, (*cluster.Node).Pause, (*cluster.Node).Continue},
	} {
		l.quiet()
		n := tc.choose()
		t.Logf("freezing %s: %s", tc.name, n.Name)
		tc.pause(n)
		cluster.Until(t, time.Now().Add(frozen))
		tc.goOn(n)
		cluster.Until(t, time.Now().Add(2*time.Second))
		c.WaitReady()
	}
	v := l.verify()
	if v.Ran+v.Skipped[fsm.ReasonMissed] != v.Due {
		t.Errorf("want only fires that ran or were missed: %s", v)
	}
	if most := v.Percentile(1); most > startBy+startSlack {
		t.Errorf("a process started %s late, its deadline is %s", most, startBy)
	}
}

// startDeadlines is startLoad with a start deadline.
func startDeadlines(t *testing.T, c *cluster.Cluster, jobs int) *load {
	t.Helper()
	l := &load{t: t, c: c, records: cluster.NewRecords(t), since: map[fsm.JobKey]fsm.Time{}}
	schedule := everySecond
	schedule.StartDeadline = fsm.Duration(startBy)
	var specs []fsm.JobSpec
	for i := range jobs {
		spec := oneTask(fmt.Sprintf("by-%d", i), l.records.Task("main", 0, 0))
		spec.Schedules, spec.History = []fsm.Schedule{schedule}, fsm.History{Runs: 1000}
		specs = append(specs, spec)
	}
	put(t, c.Client(0), specs...)
	for i := range specs {
		job, err := c.Client(0).Job(t.Context(), specs[i].Key(), 0)
		if err != nil {
			t.Fatal(err)
		}
		l.since[job.Key()] = job.CreatedAt
	}
	return l
}

// TestRetryElsewhere: an attempt that fails is tried again on another node, and
// what became of each can be seen.
func TestRetryElsewhere(t *testing.T) {
	t.Parallel()
	c := cluster.Start(t, cluster.Options{})
	n := newNotes(t)
	task := n.task("main", `echo $ROTA_ATTEMPT $ROTA_NODE >> "$NOTES"; [ $ROTA_ATTEMPT -ge 3 ]`)
	task.Retry = fsm.Retry{Attempts: 3, Backoff: fsm.Duration(200 * time.Millisecond)}
	put(t, c.Client(0), oneTask("retried", task))
	id := runJob(t, c.Client(0), "retried")
	waitRun(t, c.Client(1), id)
	run := status(t, c, c.Nodes[1], id)
	if run.State != fsm.RunSucceeded {
		t.Errorf("the run is %s", run.State)
	}
	type attempt struct {
		Number, Code int
		Outcome      string
	}
	var got []attempt
	for _, a := range attemptsOf(onlyShard(t, run)) {
		got = append(got, attempt{a.Number, a.ExitCode, a.Outcome})
	}
	want := []attempt{{1, 1, fsm.AttemptFailed}, {2, 1, fsm.AttemptFailed}, {3, 0, fsm.AttemptSucceeded}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("attempts (-want +got):\n%s", diff)
	}
	var nodes []string
	for i, line := range n.lines() {
		if line[0] != fmt.Sprint(i+1) {
			t.Errorf("line %d of the notes is of attempt %s", i+1, line[0])
		}
		nodes = append(nodes, line[1])
	}
	t.Logf("the attempts ran on %s", nodes)
	if len(nodes) != 3 || nodes[0] == nodes[1] || nodes[1] == nodes[2] {
		t.Errorf("the attempts ran on %s, want three, none of them on the node of the one before", nodes)
	}
	table := c.CLI(c.Nodes[1], "status", id).Stdout
	for _, name := range slices.Compact(nodes) {
		if !strings.Contains(table, name) {
			t.Errorf("status does not name %s:\n%s", name, table)
		}
	}
}

package e2e

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/test/cluster"
	"github.com/rota-scheduler/rota/transport/api"
)

// isolated returns the task in a namespace of pids of its own.
func isolated(task fsm.Task) fsm.Task {
	task.Isolation = fsm.IsolationPidns
	return task
}

// startIsolating starts one node, of a program of its own, that can isolate.
func startIsolating(t *testing.T) (c *cluster.Cluster, program string) {
	t.Helper()
	program = filepath.Join(t.TempDir(), "rota")
	install(t, program)
	c = cluster.Start(t, cluster.Options{Nodes: 1, Program: program})
	nodes, err := c.Client(0).Nodes(t.Context(), api.Page{}, api.Read{})
	if err != nil {
		t.Fatal(err)
	}
	if nodes.Items[0].Isolation != fsm.IsolationPidns {
		t.Skip("this machine cannot isolate tasks")
	}
	return c, program
}

// TestIsolatedJobs: what an isolated job came to is told apart as without
// isolation; it outlives its agent, and an upgrade; a cancel ends all of it, and
// so does the death of its supervisor.
func TestIsolatedJobs(t *testing.T) {
	t.Parallel()
	c, program := startIsolating(t)
	isolatedEndings(t, c)
	isolatedOutlivesAgents(t, c, program)
	isolatedIsCancelled(t, c)
	isolatedDiesWithSupervisor(t, c)
}

func isolatedEndings(t *testing.T, c *cluster.Cluster) {
	t.Helper()
	tasks := append(hogs(), fsm.Task{
		Name: "slow", Driver: fsm.DriverShell, Timeout: fsm.Duration(100 * time.Millisecond), Command: `trap 'exit 9' TERM; sleep 1000 & wait`,
	}, fsm.Task{Name: "first", Driver: fsm.DriverShell, Command: `[ $(cat /proc/1/comm) = rota-init ] && [ $$ -lt 100 ]`})
	wants := map[string]ending{
		"slow": {Outcome: fsm.AttemptTimeout, Code: 9}, "first": {Outcome: fsm.AttemptSucceeded},
	}
	for _, name := range []string{"exit", "killed", "missing", "memory"} {
		wants[name] = hogEndings[name]
	}
	ids := map[string]string{}
	for _, task := range tasks {
		if _, wanted := wants[task.Name]; wanted {
			put(t, c.Client(0), oneTask(task.Name, isolated(task)))
			ids[task.Name] = runJob(t, c.Client(0), task.Name)
		}
	}
	for name, id := range ids {
		waitRun(t, c.Client(0), id)
		a := attemptsOf(onlyShard(t, status(t, c, c.Nodes[0], id)))[0]
		want := wants[name]
		if diff := cmp.Diff(want, ending{a.Outcome, a.Signal, a.ExitCode, a.OOM}); diff != "" {
			t.Errorf("%s (-want +got), %q:\n%s", name, a.Error, diff)
		}
	}
}

func isolatedOutlivesAgents(t *testing.T, c *cluster.Cluster, program string) {
	t.Helper()
	n := newNotes(t)
	put(t, c.Client(0), oneTask("talk", isolated(n.task("main", talkScript))))
	id := runJob(t, c.Client(0), "talk")
	waitRunning(t, c.Client(0), id)
	node := c.Nodes[0]
	newAgent(t, node, node.KillAgent)
	c.WaitReady()
	install(t, program)
	newAgent(t, node, func() { node.Signal(syscall.SIGHUP) })
	checkExecutable(t, node, program)
	c.WaitReady()
	n.open()
	run := waitRun(t, c.Client(0), id)
	got := n.lines()
	if attempts := attemptsOf(onlyShard(t, run)); run.State != fsm.RunSucceeded || len(attempts) != 1 || len(got) != 2 || got[0][1] != got[1][1] {
		t.Fatalf("the run is %s after %d attempts: %q", run.State, len(attempts), got)
	}
	lines, err := strconv.Atoi(got[1][3])
	if err != nil {
		t.Fatal(err)
	}
	checkWhole(t, c, id, lines)
}

// startBrood runs an isolated job with children that have detached themselves, and
// returns the mark in the command line of each.
func startBrood(t *testing.T, c *cluster.Cluster, grace time.Duration) (run, mark string) {
	t.Helper()
	mark = fmt.Sprintf("brood-%d", rand.Int64())
	put(t, c.Client(0), oneTask("brood", isolated(fsm.Task{
		Name: "main", Driver: fsm.DriverShell, Command: broodScript, Env: map[string]string{"MARK": mark}, Grace: fsm.Duration(grace),
	})))
	run = runJob(t, c.Client(0), "brood")
	cluster.Eventually(t, settleWithin, "fifty children", func() error {
		if got := len(processesWith(mark)); got < 50 {
			return errCount{got, 50}
		}
		return nil
	})
	return run, mark
}

func noneWith(mark string) func() error {
	return func() error {
		if left := processesWith(mark); len(left) > 0 {
			return fmt.Errorf("%d are alive", len(left))
		}
		return nil
	}
}

func isolatedIsCancelled(t *testing.T, c *cluster.Cluster) {
	t.Helper()
	grace := 500 * time.Millisecond
	id, mark := startBrood(t, c, grace)
	asked := time.Now()
	if r := c.CLI(c.Nodes[0], "cancel", id); r.Code != 0 {
		t.Fatalf("cancel: exit code %d\n%s%s", r.Code, r.Stdout, r.Stderr)
	}
	cluster.Eventually(t, settleWithin, "the end of the children", noneWith(mark))
	gone := time.Since(asked)
	t.Logf("all gone %s after the cancel, of which %s is the grace", gone, grace)
	if gone < grace || gone > grace+time.Second {
		t.Errorf("the last child was gone after %s, want %s to %s", gone, grace, grace+time.Second)
	}
	if run := waitRun(t, c.Client(0), id); run.State != fsm.RunCancelled {
		t.Errorf("the run is %s", run.State)
	}
}

func isolatedDiesWithSupervisor(t *testing.T, c *cluster.Cluster) {
	t.Helper()
	_, mark := startBrood(t, c, time.Second)
	c.Nodes[0].Kill()
	// Nobody starts the node again: it is the kernel that ends them.
	cluster.Eventually(t, settleWithin, "the end of the children", noneWith(mark))
}

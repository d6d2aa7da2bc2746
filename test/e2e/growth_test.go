package e2e

import (
	"fmt"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/test/cluster"
	"github.com/rota-scheduler/rota/transport/api"
)

const (
	manyRuns = 2000
	// callers trigger runs at the same time.
	callers = 8
	// slack is by how much a count may differ between two idle moments: idle
	// connections come and go, each with a file or two and a few goroutines. What
	// a run leaves behind adds up to hundreds.
	slack = 50
)

// TestNoGrowth: 2,000 runs leave no open file and no goroutine behind.
func TestNoGrowth(t *testing.T) {
	c := cluster.Start(t, cluster.Options{})
	specs := []fsm.JobSpec{
		{Namespace: fsm.DefaultNamespace, Name: "nothing", Tasks: []fsm.Task{{Name: "main", Driver: fsm.DriverNoop}}},
		{Namespace: fsm.DefaultNamespace, Name: "short", Tasks: []fsm.Task{{Name: "main", Driver: fsm.DriverExec, Command: "/bin/true"}}},
	}
	put(t, c.Client(0), specs...)
	trigger(t, c, specs, 100) // everything that is made once has been made then
	before := openFiles(t, c)
	began := time.Now()
	trigger(t, c, specs, manyRuns)
	t.Logf("%d runs took %s", manyRuns, time.Since(began))
	cluster.Eventually(t, settleWithin, "as few open files as before", func() error {
		for i, n := range openFiles(t, c) {
			if n > before[i]+slack {
				return fmt.Errorf("%s has %d open files, %d before the runs", c.Nodes[i].Name, n, before[i])
			}
		}
		return nil
	})
	t.Logf("open files: %v before, %v after", before, openFiles(t, c))
	// Only a node that has done the work can show what it left: compare it with
	// one that has just come up and done little.
	worn := goroutines(t, c, c.Nodes[2])
	c.Nodes[2].Start()
	c.WaitReady()
	trigger(t, c, specs, 100)
	fresh := goroutines(t, c, c.Nodes[2])
	t.Logf("goroutines of supervisor and agent: %d after %d runs, %d after a restart", worn, manyRuns, fresh)
	if worn > fresh+slack {
		t.Errorf("%d goroutines after %d runs, %d after a restart", worn, manyRuns, fresh)
	}
}

// trigger starts n runs, from several callers on every node, and waits for
// their ends.
func trigger(t *testing.T, c *cluster.Cluster, specs []fsm.JobSpec, n int) {
	t.Helper()
	var wg sync.WaitGroup
	for caller := range callers {
		wg.Go(func() {
			client := c.Client(caller % len(c.Nodes))
			for i := caller; i < n; i += callers {
				if _, err := client.RunJob(t.Context(), specs[i%len(specs)].Key(), ""); err != nil {
					t.Errorf("run %d: %v", i, err)
					return
				}
			}
		})
	}
	wg.Wait()
	cluster.Eventually(t, settleWithin, "the end of all runs", func() error {
		return noneActive(t.Context(), c.Client(0))
	})
	list, err := c.Client(0).Runs(t.Context(), api.RunFilter{State: fsm.RunFailed}, api.Page{}, api.Read{})
	if err != nil || len(list.Items) > 0 {
		t.Errorf("%d runs failed, %v", len(list.Items), err)
	}
}

// openFiles counts those of each node's processes: supervisor and agent.
func openFiles(t *testing.T, c *cluster.Cluster) []int {
	t.Helper()
	counts := make([]int, len(c.Nodes))
	for i, n := range c.Nodes {
		for _, pid := range cluster.Tree(n.PID()) {
			counts[i] += cluster.OpenFiles(pid)
		}
	}
	return counts
}

// goroutines counts those of a node's supervisor and agent, by the stacks that
// each prints when SIGQUIT ends it. The supervisor is frozen until its agent is
// done, so that it starts no other.
func goroutines(t *testing.T, c *cluster.Cluster, n *cluster.Node) int {
	t.Helper()
	before := len(n.Log())
	tree := cluster.Tree(n.PID())
	n.Signal(syscall.SIGSTOP)
	for _, pid := range tree[1:] {
		if err := syscall.Kill(pid, syscall.SIGQUIT); err != nil {
			t.Fatal(err)
		}
		cluster.Eventually(t, settleWithin, "the end of the agent", func() error {
			if alive(pid) {
				return fmt.Errorf("process %d is alive", pid)
			}
			return nil
		})
	}
	n.Signal(syscall.SIGQUIT)
	n.Signal(syscall.SIGCONT)
	if err := n.Wait(settleWithin); err != nil {
		t.Fatal(err)
	}
	stacks := n.Log()[before:]
	if dumps := strings.Count(stacks, "SIGQUIT: quit"); dumps < len(tree) {
		t.Fatalf("%d of %d processes of %s printed stacks", dumps, len(tree), n.Name)
	}
	// An agent crashes thoroughly: each of its threads prints a stack once more.
	distinct := map[string]bool{}
	for _, head := range goroutineHead.FindAllString(stacks, -1) {
		distinct[head] = true
	}
	return len(distinct)
}

// goroutineHead begins a stack. The agent's has the address too, so that it is
// not one of the supervisor's.
var goroutineHead = regexp.MustCompile(`(?m)^goroutine \d+( gp=\S+)?`)

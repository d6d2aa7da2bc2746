package e2e

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/test/cluster"
	"github.com/rota-scheduler/rota/transport/api"
)

// groupSlack is how many control groups may be kept to be used again.
const groupSlack = 40

// batch is how many attempts are asked for before their ends are waited for.
const batch = 400

// TestAttemptsLeaveNothing sends many attempts of several kinds through one
// node, some of which leave processes behind. No process, open file, goroutine
// or control group stays.
func TestAttemptsLeaveNothing(t *testing.T) {
	attempts := 2000
	switch {
	case long():
		attempts = 10_000
	case testing.Short():
		attempts = 400
	}
	c := cluster.Start(t, cluster.Options{Nodes: 1})
	n := c.Nodes[0]
	mark := fmt.Sprintf("leak-%d", time.Now().UnixNano())
	specs := leakySpecs(t, c, mark)
	trigger(t, c, specs, 100) // everything that is made once has been made then
	before := traces(t, c, mark)
	began := time.Now()
	for sent := 0; sent < attempts; sent += batch { // else a queue builds up
		trigger(t, c, specs, batch)
	}
	took := time.Since(began)
	t.Logf("%d attempts took %s, %.0f a second", attempts, took, float64(attempts)/took.Seconds())
	var after trace
	cluster.Eventually(t, settleWithin, "no more than before", func() error {
		after = traces(t, c, mark)
		switch {
		case after.strays > 0, after.processes > before.processes,
			after.files > before.files+slack, after.groups > before.groups+groupSlack:
			return fmt.Errorf("%+v before the attempts, %+v after them", before, after)
		}
		return nil
	})
	t.Logf("%+v before the attempts, %+v after them", before, after)
	worn := goroutines(t, c, n)
	n.Start()
	c.WaitReady()
	trigger(t, c, specs, 100)
	fresh := goroutines(t, c, n)
	t.Logf("goroutines: %d after %d attempts, %d after a restart", worn, attempts, fresh)
	if worn > fresh+2*slack { // threads that forked for many at once are kept
		t.Errorf("%d goroutines after %d attempts, %d after a restart", worn, attempts, fresh)
	}
}

// leakySpecs applies a job for each kind of attempt, and returns in which order
// they are run. What the machine cannot limit has no limits.
func leakySpecs(t *testing.T, c *cluster.Cluster, mark string) []fsm.JobSpec {
	t.Helper()
	nodes, err := c.Client(0).Nodes(t.Context(), api.Page{}, api.Read{})
	if err != nil {
		t.Fatal(err)
	}
	limited := fsm.Task{Name: "main", Driver: fsm.DriverShell, Command: "echo limited"}
	if limits := nodes.Items[0].Limits; strings.Contains(limits, "memory") && strings.Contains(limits, "pids") {
		limited.Memory, limited.Pids = 64<<20, 32
	}
	specs := []fsm.JobSpec{
		oneTask("quick", fsm.Task{Name: "main", Driver: fsm.DriverExec, Command: "true"}),
		oneTask("limited", limited),
		oneTask("stray", fsm.Task{
			Name: "main", Driver: fsm.DriverShell, Env: map[string]string{"MARK": mark}, Grace: fsm.Duration(100 * time.Millisecond),
			Command: `(setsid sh -c 'sleep 1000; :' "$MARK" &) ; (sh -c 'sleep 1000; :' "$MARK" &) ; echo stray`,
		}),
	}
	put(t, c.Client(0), specs...)
	quick, small, stray := specs[0], specs[1], specs[2]
	return []fsm.JobSpec{quick, small, quick, small, stray, quick, small, quick}
}

// trace is what a node holds.
type trace struct{ processes, strays, files, groups int }

func traces(t *testing.T, c *cluster.Cluster, mark string) trace {
	t.Helper()
	n := c.Nodes[0]
	return trace{len(cluster.Tree(n.PID())), len(processesWith(mark)), openFiles(t, c)[0], controlGroups(t, n)}
}

// controlGroups counts those below the directories that the node has made for
// itself.
func controlGroups(t *testing.T, n *cluster.Node) int {
	t.Helper()
	count := 0
	for _, base := range groupBases(t, n) {
		err := filepath.WalkDir(base, func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.IsDir() {
				count++
			}
			return nil // one that is being removed
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return count
}

// groupBases returns the directories of control groups that the node keeps a
// record of in its data dir.
func groupBases(t *testing.T, n *cluster.Node) []string {
	t.Helper()
	var bases []string
	err := filepath.WalkDir(n.Dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.Name() != "cgroups" || d.IsDir() {
			return nil // some other file, perhaps one that is gone by now
		}
		text, err := os.ReadFile(path)
		bases = append(bases, strings.Fields(string(text))[1:]...)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return bases
}

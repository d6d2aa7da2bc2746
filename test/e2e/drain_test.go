package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/test/cluster"
	"github.com/rota-scheduler/rota/test/cluster/record"
	"github.com/rota-scheduler/rota/transport/api"
)

// crowd is a batch of runs of one job whose processes live for a while and give
// signs of life.
type crowd struct {
	t       *testing.T
	c       *cluster.Cluster
	records *cluster.Records
	job     string
	runs    []string
}

// startCrowd starts n runs and returns once the process of each has begun.
func startCrowd(t *testing.T, c *cluster.Cluster, job string, n int, stay time.Duration) *crowd {
	t.Helper()
	w := &crowd{t: t, c: c, records: cluster.NewRecords(t), job: job}
	put(t, c.Leader().Client(), oneTask(job, w.records.Watched("main", stay, 0)))
	for range n {
		w.runs = append(w.runs, runJob(t, c.Leader().Client(), job))
	}
	cluster.Eventually(t, settleWithin, "a process of every run", func() error {
		if got := len(w.records.Begins(job)); got != n {
			return fmt.Errorf("%d of %d", got, n)
		}
		return nil
	})
	return w
}

// judge waits for the end of every run: each succeeded, by one process that came
// to its end, and no two processes of a run lived at a time. It returns how many
// were started again.
func (w *crowd) judge() (again int) {
	w.t.Helper()
	for _, id := range w.runs {
		if run := waitRun(w.t, w.c.Leader().Client(), id); run.State != fsm.RunSucceeded {
			w.t.Errorf("run %s is %s: %s", id, run.State, run.Reason)
		}
	}
	ends := map[string]int{}
	last := map[string]record.Record{} // the last sign of life of a run
	for _, r := range w.records.Read() {
		switch {
		case r.Event == record.End:
			ends[r.Run]++
		case r.Event == record.Begin && r.Attempt > 1:
			again++
		}
		if before, ok := last[r.Run]; ok && before.Attempt > r.Attempt {
			w.t.Errorf("attempt %d of run %s lived after attempt %d had begun", r.Attempt, r.Run, before.Attempt)
		}
		last[r.Run] = r
	}
	for _, id := range w.runs {
		if ends[id] != 1 {
			w.t.Errorf("%d processes of run %s came to their end", ends[id], id)
		}
	}
	return again
}

func crowdSize() int {
	if testing.Short() {
		return 12
	}
	return 50
}

// nodeNamed returns a node as the leader lists it.
func nodeNamed(t *testing.T, c *cluster.Cluster, name string) api.Node {
	t.Helper()
	for _, n := range nodesNamed(t, c.Leader(), name) {
		return n
	}
	t.Fatalf("no node %s is listed", name)
	return api.Node{}
}

// TestDrain: a node is drained while it runs its share of the work: first with a
// deadline that ends the work there, then without one, then by stopping its agent.
// Nothing is lost and nothing is done twice.
func TestDrain(t *testing.T) {
	t.Parallel()
	c := cluster.Start(t, cluster.Options{Args: []string{"--drain", "30s"}})
	victim := c.Followers()[0]

	w := startCrowd(t, c, "evicted", crowdSize(), 10*time.Second)
	had := 0
	for _, r := range w.records.Begins(w.job) {
		if r.Node == victim.Name {
			had++
		}
	}
	if r := c.CLI(c.Followers()[1], "node", "drain", victim.Name, "--deadline", "2s", "--wait"); r.Code != 0 || !strings.Contains(r.Stdout, "draining") {
		t.Fatalf("node drain: exit code %d\n%s%s", r.Code, r.Stdout, r.Stderr)
	}
	drained := nodeNamed(t, c, victim.Name)
	if drained.Status != fsm.NodeDraining || !strings.Contains(drained.StatusSetBy, "@") || drained.StatusSetAt == 0 || drained.Running+drained.Armed != 0 {
		t.Errorf("after the drain: %+v", drained)
	}
	again := w.judge()
	t.Logf("%d of %d ran on %s; %d were started elsewhere", had, len(w.runs), victim.Name, again)
	if again == 0 || again > had {
		t.Errorf("%d runs were started again, %d ran on the node", again, had)
	}
	c.CLI(victim, "node", "ready", victim.Name)

	w = startCrowd(t, c, "finished", crowdSize(), 3*time.Second)
	if r := c.CLI(victim, "node", "drain", victim.Name, "--wait"); r.Code != 0 {
		t.Fatalf("node drain: exit code %d\n%s%s", r.Code, r.Stdout, r.Stderr)
	}
	if again := w.judge(); again != 0 {
		t.Errorf("%d runs were started again by a drain without a deadline", again)
	}
	c.CLI(victim, "node", "ready", victim.Name)

	w = startCrowd(t, c, "stopped", crowdSize(), 3*time.Second)
	victim.Stop()
	if again := w.judge(); again != 0 {
		t.Errorf("%d runs were started again by the stop of an agent that drains", again)
	}
	victim.Start()
	c.WaitReady()
	cluster.Eventually(t, settleWithin, "the node to be in use again", func() error {
		if n := nodeNamed(t, c, victim.Name); n.Status != fsm.NodeReady {
			return fmt.Errorf("it is %s, set to %s", n.Status, n.SetStatus)
		}
		return nil
	})
}

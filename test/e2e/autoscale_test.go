package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/test/cluster"
	"github.com/rota-scheduler/rota/transport/api"
)

const (
	fewest = 3
	// scaleWithin bounds one phase of growing or shrinking on a busy machine.
	scaleWithin = 4 * time.Minute
)

// machines is the other side of the exec provider: the command leaves a note for
// each request, and waits until the test has started or stopped an agent.
type machines struct {
	t    *testing.T
	c    *cluster.Cluster
	dir  string
	done map[string]bool
	// calls counts the notes, acts the requests that were new.
	calls, acts int
}

// askScript is the provider's command. A repeat of a request leaves its note again
// and finds the answer there.
const askScript = `
touch "$0/$ROTA_SCALE_REQUEST,$ROTA_SCALE_ACTION,$ROTA_SCALE_NODE"
while [ ! -e "$0/$ROTA_SCALE_REQUEST.done" ]; do sleep 0.1; done
`

// serve answers requests until ctx ends.
func (m *machines) serve(ctx context.Context) {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		notes, err := filepath.Glob(filepath.Join(m.dir, "*,*"))
		if err != nil {
			m.t.Error(err)
			return
		}
		for _, path := range notes {
			part := strings.Split(filepath.Base(path), ",")
			m.calls++
			if !m.done[part[0]] {
				m.done[part[0]] = true
				m.acts++
				m.act(part[1], part[2])
			}
			if err := os.WriteFile(filepath.Join(m.dir, part[0]+".done"), nil, 0o600); err != nil {
				m.t.Error(err)
			}
			_ = os.Remove(path) // the next look finds it again
		}
	}
}

func (m *machines) act(action, node string) {
	for _, n := range m.c.Nodes {
		switch {
		case action == "add" && n.PID() == 0:
			m.t.Logf("starting %s", n.Name)
			n.Wipe() // a new machine, whatever was there before
			n.Start()
			return
		case action == "remove" && n.Name == node && n.PID() != 0:
			m.t.Logf("stopping %s", n.Name)
			n.Stop()
			return
		}
	}
	m.t.Errorf("nothing to %s: %q", action, node)
}

// TestAutoscale: under load the cluster has real agents started, one after the
// other, up to its maximum; when the load is gone it has them stopped again, down
// to its minimum. All work is done once.
func TestAutoscale(t *testing.T) {
	t.Parallel()
	most, each := 6, 60 // runs for each node: they last until the cluster has grown
	if testing.Short() {
		most, each = 4, 20
	}
	c := cluster.New(t, cluster.Options{Nodes: most, Args: []string{"--capacity", "10"}, NodeArgs: func(i int) []string {
		if i < fewest {
			return []string{"--bootstrap-expect", fmt.Sprint(fewest)}
		}
		return []string{"--bootstrap-expect", "0"}
	}})
	for _, n := range c.Nodes[:fewest] {
		n.Start()
	}
	c.WaitReady()
	m := &machines{t: t, c: c, dir: t.TempDir(), done: map[string]bool{}}
	ctx, stop := context.WithCancel(t.Context())
	var serving sync.WaitGroup
	serving.Go(func() { m.serve(ctx) })
	defer serving.Wait()
	defer stop()

	if r := c.CLI(c.Nodes[0], "autoscale", "set", "--provider", "exec", "--min", fmt.Sprint(fewest), "--max", fmt.Sprint(most),
		"--window", "5s", "--up-cooldown", "8s", "--down-cooldown", "10s", "--drain-for", "30s", "--", "/bin/sh", "-c", askScript, m.dir); r.Code != 0 {
		t.Fatalf("autoscale set: %s%s", r.Stdout, r.Stderr)
	}
	records := cluster.NewRecords(t)
	work := oneTask("work", records.Watched("main", 8*time.Second, 0))
	work.History = fsm.History{Runs: 1000}
	put(t, c.Leader().Client(), work)
	w := &crowd{t: t, c: c, records: records, job: "work"}
	for range each * most {
		w.runs = append(w.runs, runJob(t, c.Leader().Client(), "work"))
	}
	inUse := func(want int) func() error {
		return func() error {
			s, err := c.Leader().Client().Autoscale(t.Context())
			if err != nil {
				return err
			}
			if n := ready(t, c); n != want || len(s.Events) == 0 || !s.Events[0].Ended() {
				return fmt.Errorf("%d are, after %+v", n, s.Events)
			}
			return nil
		}
	}
	cluster.Eventually(t, scaleWithin, fmt.Sprintf("%d nodes in use", most), inUse(most))
	again := w.judge()
	cluster.Eventually(t, scaleWithin, fmt.Sprintf("%d nodes in use", fewest), inUse(fewest))
	more := startCrowd(t, c, "after", 6, time.Second)
	more.judge()

	s, err := c.Leader().Client().Autoscale(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	turns, steps := 0, 0
	for i, e := range s.Events {
		t.Logf("%s: %d to %d nodes, load %.2f: %s", e.At, e.Nodes, e.Want, e.Load, e.Reason)
		if e.Want < fewest || e.Want > most {
			t.Errorf("%d nodes were wanted, outside of %d to %d", e.Want, fewest, most)
		}
		if i > 0 && e.Kind != s.Events[i-1].Kind {
			turns++
		}
		for _, step := range e.Steps {
			if steps++; step.State != fsm.ScaleDone {
				t.Errorf("step %+v", step)
			}
		}
	}
	stop()
	serving.Wait()
	t.Logf("%d runs, %d started again; %d decisions of %d steps, %d calls of the provider", len(w.runs), again, len(s.Events), steps, m.calls)
	if turns != 1 || m.acts != steps || steps != 2*(most-fewest) {
		t.Errorf("%d changes of direction, %d agents started or stopped by %d steps", turns, m.acts, steps)
	}
}

// listNodes lists the nodes as the leader sees them.
func listNodes(t *testing.T, c *cluster.Cluster) []api.Node {
	t.Helper()
	list, err := c.Leader().Client().Nodes(t.Context(), api.Page{}, api.Read{})
	if err != nil {
		t.Fatal(err)
	}
	return list.Items
}

// ready counts the nodes in use.
func ready(t *testing.T, c *cluster.Cluster) int {
	t.Helper()
	n := 0
	for _, node := range listNodes(t, c) {
		if node.Status == fsm.NodeReady {
			n++
		}
	}
	return n
}

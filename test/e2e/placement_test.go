package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/test/cluster"
	"github.com/rota-scheduler/rota/test/cluster/record"
	"github.com/rota-scheduler/rota/transport/api"
)

// placementStay is how long each process lives: several are at work at once.
const placementStay = 700 * time.Millisecond

// TestPlacement: three real nodes, of which two have the label. Two jobs of eight
// shards each share a pool of three, one shard a node. The processes' own records
// say that nobody ran where it may not, that the pool and the nodes were never
// overfull, and that of what waited the higher priority went first.
func TestPlacement(t *testing.T) {
	c := cluster.Start(t, cluster.Options{NodeArgs: func(i int) []string {
		return []string{"--label", "disk=" + []string{"ssd", "hdd", "nvme"}[i], "--zone", fmt.Sprint("z", i), "--capacity", "auto"}
	}})
	records := cluster.NewRecords(t)
	n := c.Followers()[0]
	put := api.PutJobs{Pools: []fsm.PutPool{{Name: "db", Limit: 2}}}
	for _, job := range []struct {
		name     string
		priority int
	}{{"holder", 100}, {"low", 10}, {"high", 90}} {
		task := records.Task("main", placementStay, 0)
		task.Shards, task.Pools, task.MaxPerNode = &fsm.Shards{Count: 6}, []fsm.PoolUse{{Name: "db", Weight: 1}}, 1
		task.Constraints = []fsm.Constraint{{Attribute: "label.disk", Operator: fsm.OpIn, Values: []string{"ssd", "nvme"}}}
		spec := oneTask(job.name, task)
		spec.Priority = &job.priority
		put.Jobs = append(put.Jobs, spec)
	}
	// The pools need a log format that the leader raises once it has heard of all.
	cluster.Eventually(t, settleWithin, "the cluster takes pools", func() error {
		_, err := n.Client().Put(t.Context(), put, false)
		return err
	})
	holder := runJob(t, n.Client(), "holder")
	low := runJob(t, n.Client(), "low") // waits behind the holder, and comes before high
	high := runJob(t, n.Client(), "high")
	waiting := statusSays(t, c, n, low, "waits for pool db: it takes 1, and 2 of 2 are in use")
	if !strings.Contains(waiting, "pending") {
		t.Errorf("status of what waits:\n%s", waiting)
	}
	for _, id := range []string{holder, low, high} {
		if run := waitRun(t, n.Client(), id); run.State != fsm.RunSucceeded {
			t.Errorf("run %s is %s: %s", id, run.State, run.Reason)
		}
	}
	statusSays(t, c, n, low, "free") // why here
	checkPlacement(t, records.Read())
	if r := c.CLI(n, "pools"); !strings.Contains(r.Stdout, "db") || r.Code != 0 {
		t.Errorf("rota pools: %s%s", r.Stdout, r.Stderr)
	}
}

// statusSays waits until rota status says something of a run.
func statusSays(t *testing.T, c *cluster.Cluster, n *cluster.Node, run, want string) string {
	t.Helper()
	var text string
	cluster.Eventually(t, settleWithin, "rota status says "+want, func() error {
		r := c.CLI(n, "status", run, "-o", "json")
		if text = r.Stdout; !strings.Contains(text, want) {
			return fmt.Errorf("it says:\n%s%s", r.Stdout, r.Stderr)
		}
		return nil
	})
	return text
}

// checkPlacement follows the records in the order of their instants.
func checkPlacement(t *testing.T, all []record.Record) {
	t.Helper()
	slices.SortStableFunc(all, func(a, b record.Record) int { return a.At.Compare(b.At) })
	atWork, onNode, begun := 0, map[string]int{}, map[string]int{}
	var order []string
	for _, r := range all {
		step := map[string]int{record.Begin: 1, record.End: -1}[r.Event]
		atWork += step
		onNode[r.Node+" "+r.Job] += step
		if r.Node == "n2" {
			t.Errorf("%s %d ran on n2, which has not the label", r.Job, r.Shard)
		}
		if atWork > 2 {
			t.Errorf("at %s %d processes are at work, the pool has 2", r.At, atWork)
		}
		if onNode[r.Node+" "+r.Job] > 1 {
			t.Errorf("at %s %s runs twice on %s", r.At, r.Job, r.Node)
		}
		if r.Event == record.Begin {
			order = append(order, r.Job)
			begun[r.Job]++
		}
	}
	if diff := cmp.Diff(map[string]int{"holder": 6, "low": 6, "high": 6}, begun); diff != "" {
		t.Errorf("processes: %s", diff)
	}
	// Low may have had a turn before high was there at all.
	if last, first := lastIndex(order, "high"), slices.Index(order, "low"); first < last && slices.Index(order[slices.Index(order, "high"):last], "low") >= 0 {
		t.Errorf("the lower priority went before the higher: %q", order)
	}
}

func lastIndex(list []string, s string) int {
	for i := len(list) - 1; i >= 0; i-- {
		if list[i] == s {
			return i
		}
	}
	return -1
}

package e2e

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/test/cluster"
	"github.com/rota-scheduler/rota/test/cluster/record"
	"github.com/rota-scheduler/rota/transport/api"
)

// sliceSizes returns how many shards there are, and of how many elements, which
// is no multiple of that.
func sliceSizes() (shards, elements int) {
	if testing.Short() {
		return 30, 1000
	}
	return 200, 10_177
}

// sliceScript waits for the gate, and then notes what it has done, in one write.
const sliceScript = `
while [ ! -e "$GATE" ]; do sleep 1; done
echo $ROTA_SHARD_START $ROTA_SHARD_END $ROTA_ATTEMPT $ROTA_NODE >> "$NOTES"
`

// TestSlicesOfLostNode: a task is cut over three nodes, and one of them is lost
// while it works. Each element is done once.
func TestSlicesOfLostNode(t *testing.T) {
	t.Parallel()
	sliceCount, elements := sliceSizes()
	c := cluster.Start(t, cluster.Options{})
	n := newNotes(t)
	task := n.task("crunch", sliceScript)
	task.Shards = &fsm.Shards{Count: sliceCount, Range: &[2]int64{0, int64(elements)}}
	task.StopAfter, task.Grace = fsm.Duration(5*time.Second), fsm.Duration(time.Second)
	warm := fsm.Task{Name: "warm", Driver: fsm.DriverNoop, Shards: &fsm.Shards{PerNode: true}}
	put(t, c.Client(0), oneTask("crunch", task), oneTask("warm", warm))
	leader := c.Leader()
	// Every node must be ready for work, or the shards go to the others alone.
	if run := waitRun(t, leader.Client(), runJob(t, leader.Client(), "warm")); run.State != fsm.RunSucceeded {
		t.Fatalf("the nodes did not get ready: %s", run.Reason)
	}
	victim := c.Followers()[0]
	id := runJob(t, leader.Client(), "crunch")
	held := 0
	cluster.Eventually(t, settleWithin, "every shard to run", func() error {
		run, _, err := leader.Client().Run(t.Context(), id, api.Read{})
		if err != nil {
			return err
		}
		running, other := 0, ""
		held = 0
		for _, s := range run.Tasks[0].Items {
			if s.State == fsm.ShardRunning {
				running++
				if s.NodeName == victim.Name {
					held++
				}
			} else {
				other = fmt.Sprintf("%s is %s on %q: %s %s %+v", s.Ref(), s.State, s.NodeName, s.Reason, s.Waiting, s.Past)
			}
		}
		if running < sliceCount {
			return fmt.Errorf("%d run; %s", running, other)
		}
		return nil
	})
	if held == 0 || held == sliceCount {
		t.Fatalf("%s holds %d of %d shards: this test shows nothing", victim.Name, held, sliceCount)
	}
	victim.Kill()
	n.open()
	if run := waitRun(t, leader.Client(), id); run.State != fsm.RunSucceeded {
		t.Errorf("the run is %s: %s", run.State, run.Reason)
	}
	done := map[int64]int{}
	again := 0
	for _, line := range n.lines() {
		start, err1 := strconv.ParseInt(line[0], 10, 64)
		end, err2 := strconv.ParseInt(line[1], 10, 64)
		if err1 != nil || err2 != nil {
			t.Fatalf("a note without a slice: %q", line)
		}
		for i := start; i < end; i++ {
			done[i]++
		}
		if line[2] != "1" {
			again++
		}
	}
	for i := range int64(elements) { // every one, and no other
		if done[i] != 1 {
			t.Errorf("element %d was done %d times", i, done[i])
		}
	}
	t.Logf("%s held %d of %d shards; %d were done by a later attempt", victim.Name, held, sliceCount, again)
	if len(done) != elements || again != held {
		t.Errorf("%d elements were done, want %d; %d shards by a later attempt, want %d", len(done), elements, again, held)
	}
}

// graphWithin bounds a graph of 2,000 tasks on a busy machine.
const graphWithin = 5 * time.Minute

// underWay is how long before a kill a task may have begun whose end nobody
// knows: its 250 ms, and the way of its report on a busy machine.
const underWay = 3 * time.Second

// graphWidths returns how wide the fans of the graph are: that of 60 tasks, or
// with time one of 2,000.
func graphWidths() []int {
	if testing.Short() {
		return []int{28, 29}
	}
	return []int{700, 2, 300, 1, 600, 50, 339}
}

// graphTasks returns a graph: one task, then as many as the first width that
// depend on it, then one that depends on those, and so on; each twelfth of a fan
// depends on its neighbour too.
func graphTasks(records *cluster.Records) []fsm.Task {
	var tasks []fsm.Task
	add := func(after ...string) string {
		task := records.Task(fmt.Sprintf("t%04d", len(tasks)), 250*time.Millisecond, 0)
		task.DependsOn = after
		task.StopAfter, task.Grace = fsm.Duration(5*time.Second), fsm.Duration(time.Second)
		tasks = append(tasks, task)
		return task.Name
	}
	fan := func(width int, from string) []string {
		var names []string
		for i := range width {
			after := []string{from}
			if i%12 == 11 {
				after = append(after, names[i-1])
			}
			names = append(names, add(after...))
		}
		return names
	}
	last := add()
	for _, width := range graphWidths() {
		last = add(fan(width, last)...)
	}
	return tasks
}

// TestGraphAcrossLeaders runs a graph of 60 tasks, or 2,000, while the leader's
// agent is killed twice, and again while the leader's machine is lost. Each task is done, none
// begins before those it depends on have ended, and nothing is done twice but
// what was under way on the lost machine.
func TestGraphAcrossLeaders(t *testing.T) {
	t.Parallel()
	c := cluster.Start(t, cluster.Options{})
	for _, tc := range []struct {
		name  string
		kill  func(*cluster.Node)
		kills int
		lost  bool
	}{
		{"agent", (*cluster.Node).KillAgent, 2, false},
		{"machine", (*cluster.Node).Kill, 1, true},
	} {
		records := cluster.NewRecords(t)
		spec := fsm.JobSpec{Namespace: fsm.DefaultNamespace, Name: "graph-" + tc.name, Tasks: graphTasks(records)}
		if n := len(spec.Tasks); n != 60 && n != 2000 {
			t.Fatalf("the graph has %d tasks", n)
		}
		put(t, c.Client(0), spec)
		id := runJob(t, c.Followers()[0].Client(), spec.Name)
		var killed time.Time
		lostNode := ""
		for i := range tc.kills {
			enough := len(spec.Tasks) * (i + 1) / (tc.kills + 2)
			cluster.Eventually(t, graphWithin, "some tasks to have begun", func() error {
				if got := len(records.Begins(spec.Name)); got < enough {
					return errCount{got, enough}
				}
				return nil
			})
			leader := c.Leader()
			began := len(records.Begins(spec.Name))
			killed = time.Now()
			tc.kill(leader)
			if tc.lost {
				lostNode = leader.Name
			}
			t.Logf("%s of %s killed when %d of %d tasks had begun", tc.name, leader.Name, began, len(spec.Tasks))
		}
		other := c.Up()[0]
		run := waitLargeRun(t, other.Client(), spec.Name, id)
		t.Logf("the run is %s, %s after the last kill", run.State, time.Since(killed))
		if run.State != fsm.RunSucceeded {
			t.Errorf("the run is %s: %s\n%s", run.State, run.Reason, c.CLI(other, "status", id).Stdout)
		}
		judgeGraph(t, spec.Tasks, records.Read(), lostNode, killed)
	}
}

// waitLargeRun returns a job's only run once it has ended, without asking for its
// thousands of shards all the time.
func waitLargeRun(t *testing.T, client *api.Client, job, id string) fsm.Run {
	t.Helper()
	var run fsm.Run
	cluster.Eventually(t, graphWithin, "the end of run "+id, func() error {
		list, err := client.Runs(t.Context(), api.RunFilter{Job: job}, api.Page{}, api.Read{})
		if err != nil {
			return err
		}
		if len(list.Items) != 1 {
			return fmt.Errorf("there are %d runs", len(list.Items))
		}
		if run = list.Items[0]; !run.State.Ended() {
			return fmt.Errorf("it is %s, %d of %d tasks are done", run.State, run.TasksDone, run.TasksTotal)
		}
		return nil
	})
	return run
}

// judgeGraph compares what the processes wrote with the graph.
func judgeGraph(t *testing.T, tasks []fsm.Task, lines []record.Record, lostNode string, killed time.Time) {
	t.Helper()
	begins, ends := map[string][]record.Record{}, map[string]time.Time{}
	for _, r := range lines {
		if r.Event == record.Begin {
			begins[r.Task] = append(begins[r.Task], r)
		} else if ends[r.Task].Before(r.At) {
			ends[r.Task] = r.At
		}
	}
	again := 0
	for _, task := range tasks {
		if len(begins[task.Name]) == 0 || ends[task.Name].IsZero() {
			t.Errorf("task %s was not done", task.Name)
			continue
		}
		again += len(begins[task.Name]) - 1
		for i, b := range begins[task.Name] {
			if i+1 < len(begins[task.Name]) && (b.Node != lostNode || killed.Sub(b.At) > underWay) {
				t.Errorf("task %s was begun again after an attempt on %s, %s before the kill", task.Name, b.Node, killed.Sub(b.At))
			}
			for _, parent := range task.DependsOn {
				if b.At.Before(ends[parent]) {
					t.Errorf("task %s began %s before %s had ended", task.Name, ends[parent].Sub(b.At), parent)
				}
			}
		}
	}
	t.Logf("%d tasks, %d begun again", len(tasks), again)
}

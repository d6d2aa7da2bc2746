package sim

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/scheduling/executor/proc"
)

func work(name string, deps ...string) fsm.Task {
	return fsm.Task{Name: name, Driver: fsm.DriverExec, Command: "/bin/work", DependsOn: deps}
}

// fan is a graph of width tasks in each layer, where every task waits for the
// whole layer before it, and one task gathers each.
func fan(layers, width int) []fsm.Task {
	tasks := []fsm.Task{work("start")}
	last := "start"
	for l := range layers {
		var names []string
		for w := range width {
			name := fmt.Sprintf("l%d-w%d", l, w)
			names = append(names, name)
			tasks = append(tasks, work(name, last))
		}
		last = fmt.Sprintf("gather-%d", l)
		tasks = append(tasks, work(last, names...))
	}
	return tasks
}

// TestGraphSurvivesItsLeaders: two hundred tasks run in the order of their
// dependencies, each once, while the leader's agent is killed twice.
func TestGraphSurvivesItsLeaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := NewCluster(t, Options{Work: func(req proc.StartRequest) Outcome {
			return Outcome{After: time.Duration(600+len(req.ID)*7%300) * time.Millisecond}
		}})
		tasks := fan(9, 21)
		c.Apply(fsm.JobSpec{Name: "graph", Tasks: tasks})
		c.startManual("graph", "run-1")
		for range 2 {
			c.Run(time.Second)
			dead := c.Leader()
			dead.Crash()
			c.Wait("another node leads", 5*time.Second, func() bool { return c.Leader() != nil })
			c.Run(time.Second)
			dead.Start()
			c.Wait("the node is back", 20*time.Second, c.settled)
		}
		if c.runOf("run-1").State.Ended() {
			t.Fatal("the run ended before its leaders died: this test shows nothing")
		}
		c.Wait("the run ends", 3*time.Minute, func() bool { return c.runOf("run-1").State.Ended() })
		if run := c.runOf("run-1"); run.State != fsm.RunSucceeded {
			t.Errorf("the run is %s: %s", run.State, run.Reason)
		}
		starts := map[string]Start{}
		for _, s := range c.Record.Starts() {
			if old, twice := starts[s.Ref.Task]; twice {
				t.Errorf("task %s ran twice: %s and %s", s.Ref.Task, old, s)
			}
			starts[s.Ref.Task] = s
		}
		for _, task := range tasks {
			for _, d := range task.DependsOn {
				if before, after := starts[d], starts[task.Name]; after.Begin.IsZero() || before.End.IsZero() || after.Begin.Before(before.End) {
					t.Errorf("%s began at %s, before %s ended: %s", task.Name, after.Begin, d, before)
				}
			}
		}
		c.CheckHashes()
	})
}

// parts remembers which part of a range each attempt was given.
type parts struct {
	mu sync.Mutex
	of map[string][2]int64
}

func (s *parts) note(req proc.StartRequest) {
	start, _ := strconv.ParseInt(variable(req, "ROTA_SHARD_START"), 10, 64)
	end, _ := strconv.ParseInt(variable(req, "ROTA_SHARD_END"), 10, 64)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.of[req.ID] = [2]int64{start, end}
}

// covered counts how often each number of [0, n) was worked off by an attempt
// that succeeded.
func (s *parts) covered(starts []Start, n int64) []int {
	s.mu.Lock()
	defer s.mu.Unlock()
	counts := make([]int, n)
	for _, start := range starts {
		if start.Outcome != proc.Succeeded {
			continue
		}
		part := s.of[start.Ref.String()]
		for i := part[0]; i < part[1]; i++ {
			counts[i]++
		}
	}
	return counts
}

// TestShardsCoverTheirRange: a range in two hundred shards, one node killed in
// the middle: every number is worked off exactly once.
func TestShardsCoverTheirRange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 9_999
		given := &parts{of: map[string][2]int64{}}
		c := NewCluster(t, Options{Capacity: 10, Work: func(req proc.StartRequest) Outcome {
			given.note(req)
			return Outcome{After: 3 * time.Second}
		}})
		task := work("crunch")
		task.Shards = &fsm.Shards{Count: 200, Range: &[2]int64{0, n}}
		c.Apply(fsm.JobSpec{Name: "shards", Tasks: []fsm.Task{task}})
		c.startManual("shards", "run-1")
		c.Run(4 * time.Second)
		victim := c.nodes[0]
		if victim == c.Leader() {
			victim = c.nodes[1]
		}
		victim.Kill()
		c.Wait("the run ends", 10*time.Minute, func() bool { return c.runOf("run-1").State.Ended() })
		if run := c.runOf("run-1"); run.State != fsm.RunSucceeded {
			t.Errorf("the run is %s: %s", run.State, run.Reason)
		}
		killed := 0
		for _, s := range c.Record.Starts() {
			if s.Outcome == proc.Killed {
				killed++
			}
		}
		if killed == 0 {
			t.Fatal("no attempt was killed: this test shows nothing")
		}
		for i, count := range given.covered(c.Record.Starts(), n) {
			if count != 1 {
				t.Fatalf("%d was worked off %d times", i, count)
			}
		}
		c.Report(c.Check("shards", time.Now(), time.Now(), CheckOptions{Restarts: true}))
		if rt := c.freshest().Read().Task("run-1", "crunch"); rt.Shards != 200 || rt.Done != 200 || rt.Failed != 0 {
			t.Errorf("task %+v", rt)
		}
	})
}

// TestMaxParallel: no more shards of a task live at once than it says.
func TestMaxParallel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := NewCluster(t, Options{Work: func(proc.StartRequest) Outcome { return Outcome{After: time.Second} }})
		task := work("few")
		task.Shards = &fsm.Shards{Count: 40, MaxParallel: 4}
		c.Apply(fsm.JobSpec{Name: "few", Tasks: []fsm.Task{task}})
		c.startManual("few", "run-1")
		c.Wait("the run ends", 2*time.Minute, func() bool { return c.runOf("run-1").State.Ended() })
		starts := c.Record.Starts()
		most := 0
		for _, s := range starts {
			live := 0
			for _, other := range starts {
				if !other.Begin.After(s.Begin) && other.End.After(s.Begin) {
					live++
				}
			}
			most = max(most, live)
		}
		if len(starts) != 40 || most != 4 {
			t.Errorf("%d starts, at most %d at once; want 40 and 4", len(starts), most)
		}
	})
}

// TestPerNode: one shard on each node, also where a schedule's gate is one of them.
func TestPerNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := NewCluster(t, Options{})
		task := work("each")
		task.Shards = &fsm.Shards{PerNode: true}
		c.Apply(fsm.JobSpec{
			Name: "each", Tasks: []fsm.Task{task, work("then", "each")},
			Schedules: []fsm.Schedule{{Every: fsm.Duration(10 * time.Second)}},
		})
		c.Run(35 * time.Second)
		runs := map[string]map[string]int{}
		for _, s := range c.Record.Starts() {
			if s.Ref.Task == "each" {
				if runs[s.Ref.RunID] == nil {
					runs[s.Ref.RunID] = map[string]int{}
				}
				runs[s.Ref.RunID][s.Node]++
			}
		}
		if len(runs) < 3 {
			t.Errorf("%d runs in 35 s", len(runs))
		}
		for id, nodes := range runs {
			if len(nodes) != 3 || nodes["n1"] != 1 || nodes["n2"] != 1 || nodes["n3"] != 1 {
				t.Errorf("run %s ran on %v", id, nodes)
			}
		}
		c.CheckHashes()
	})
}

// TestItemsOfAnotherTask: the shards of one task come from what another wrote,
// and its last line is there for a third.
func TestItemsOfAnotherTask(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var got []string
		c := NewCluster(t, Options{Work: func(req proc.StartRequest) Outcome {
			switch variable(req, "ROTA_TASK") {
			case "list":
				write(t, req, "[\"a\", \"b c\", 3,\n{\"d\": true}]\n")
			default:
				mu.Lock()
				defer mu.Unlock()
				got = append(got, strings.Join(req.Argv[1:], " ")+" "+variable(req, "ROTA_SHARD_ITEMS"))
			}
			return Outcome{After: 10 * time.Millisecond}
		}})
		each := work("each", "list")
		each.Args = []string{"${shard.index}/${shard.count}", "$${x}", "${params.what}"}
		each.Shards = &fsm.Shards{ItemsFrom: "list", MaxParallel: 1}
		last := work("last", "each", "list")
		last.Args = []string{"${tasks.list.output}"}
		c.Apply(fsm.JobSpec{Name: "list", Tasks: []fsm.Task{work("list"), each, last}, Params: []fsm.Param{{Name: "what", Default: new("w")}}})
		c.startManual("list", "run-1")
		c.Wait("the run ends", time.Minute, func() bool { return c.runOf("run-1").State.Ended() })
		want := `0/4 ${x} w ["a"]|1/4 ${x} w ["b c"]|2/4 ${x} w ["3"]|3/4 ${x} w ["{\"d\":true}"]|{"d": true}] `
		if text := strings.Join(got, "|"); text != want {
			t.Errorf("got  %s\nwant %s", text, want)
		}
	})
}

// write puts text where an attempt's standard output is kept.
func write(t *testing.T, req proc.StartRequest, text string) {
	if err := os.MkdirAll(req.OutputDir, 0o755); err != nil {
		t.Error(err)
	}
	if err := os.WriteFile(filepath.Join(req.OutputDir, fmt.Sprintf("stdout.%020d", 0)), []byte(text), 0o644); err != nil {
		t.Error(err)
	}
}

// TestRetryRun: what failed runs again and what hangs on it, nothing else, and
// its attempts count on.
func TestRetryRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := true
		var mu sync.Mutex
		c := NewCluster(t, Options{Work: func(req proc.StartRequest) Outcome {
			mu.Lock()
			defer mu.Unlock()
			index := variable(req, "ROTA_SHARD_INDEX")
			if broken && variable(req, "ROTA_TASK") == "mid" && (index == "1" || index == "3") {
				return Outcome{After: 10 * time.Millisecond, ExitCode: 1}
			}
			return Outcome{After: 10 * time.Millisecond}
		}})
		mid := work("mid", "first")
		mid.Shards = &fsm.Shards{Count: 5}
		clean := work("clean", "mid")
		clean.RunIf = fsm.RunIfAllDone
		c.Apply(fsm.JobSpec{Name: "retry", Tasks: []fsm.Task{work("first"), mid, work("last", "mid"), clean}})
		c.startManual("retry", "run-1")
		c.Wait("the run ends", time.Minute, func() bool { return c.runOf("run-1").State.Ended() })
		if run := c.runOf("run-1"); run.State != fsm.RunFailed {
			t.Fatalf("the run is %s", run.State)
		}
		before := len(c.Record.Starts())
		mu.Lock()
		broken = false
		mu.Unlock()
		c.Propose(fsm.OpRetryRun, func(now fsm.Time) any { return fsm.RetryRun{At: now, ID: "run-1", Number: 1} })
		c.Wait("the run ends again", time.Minute, func() bool { return c.runOf("run-1").State.Ended() })
		if run := c.runOf("run-1"); run.State != fsm.RunSucceeded || run.Retries != 1 {
			t.Errorf("the run is %s: %s", run.State, run.Reason)
		}
		again := map[string]int{}
		for _, s := range c.Record.Starts()[before:] {
			again[fmt.Sprintf("%s/%d", s.Ref.Task, s.Ref.Shard)] = s.Ref.Attempt
		}
		want := map[string]int{"mid/1": 2, "mid/3": 2, "last/0": 1, "clean/0": 2}
		if fmt.Sprint(again) != fmt.Sprint(want) {
			t.Errorf("ran again: %v, want %v", again, want)
		}
		c.CheckHashes()
	})
}

// TestTimeout: a run that outlives its job's timeout is ended, its processes
// killed, also if the leader dies just before.
func TestTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := NewCluster(t, Options{Work: func(proc.StartRequest) Outcome { return Outcome{After: time.Hour} }})
		c.Apply(fsm.JobSpec{Name: "slow", Timeout: fsm.Duration(20 * time.Second), Tasks: []fsm.Task{work("a"), work("b", "a")}})
		c.startManual("slow", "run-1")
		c.Run(19500 * time.Millisecond)
		dead := c.Leader()
		dead.Crash()
		c.Wait("another node leads", 5*time.Second, func() bool { return c.Leader() != nil })
		dead.Start()
		c.Wait("the run ends", 30*time.Second, func() bool { r := c.runOf("run-1"); return r != nil && r.State.Ended() })
		run := c.runOf("run-1")
		if took := run.EndedAt.Sub(run.StartedAt); run.State != fsm.RunFailed || run.Reason != fsm.ReasonTimedOut || took < 20*time.Second {
			t.Errorf("the run is %s after %s: %s", run.State, took, run.Reason)
		}
		for _, s := range c.Record.Starts() {
			if s.End.IsZero() || s.Ref.Task != "a" {
				t.Errorf("start %s", s)
			}
		}
	})
}

// TestAfter: a run starts once every job that it follows has succeeded.
func TestAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		upstream := map[string]int{}
		c := NewCluster(t, Options{Work: func(req proc.StartRequest) Outcome {
			if id := variable(req, "ROTA_UPSTREAM_RUN_ID"); id != "" {
				mu.Lock()
				defer mu.Unlock()
				upstream[id]++
			}
			return Outcome{After: 10 * time.Millisecond}
		}})
		c.Apply(manualJob("a", func(*fsm.Task) {}), manualJob("b", func(*fsm.Task) {}),
			fsm.JobSpec{Name: "both", After: []string{"a", "b"}, Tasks: []fsm.Task{work("t")}})
		runs := func() int {
			n := 0
			for range c.freshest().Read().Runs(fsm.JobKey{Namespace: fsm.DefaultNamespace, Name: "both"}) {
				n++
			}
			return n
		}
		for i, step := range []struct {
			job, id string
			want    int
		}{{"a", "a-1", 0}, {"a", "a-2", 0}, {"b", "b-1", 1}, {"b", "b-2", 1}, {"a", "a-3", 2}} {
			c.startManual(step.job, step.id)
			c.Run(2 * time.Second)
			if n := runs(); n != step.want {
				t.Errorf("step %d: %d runs, want %d", i, n, step.want)
			}
		}
		if upstream["b-1"] != 1 || upstream["a-3"] != 1 || len(upstream) != 2 {
			t.Errorf("started by %v", upstream)
		}
		c.CheckHashes()
	})
}

package sim

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/scheduling/executor/proc"
)

// startManual makes a run of a job and returns its ID.
func (c *Cluster) startManual(job, id string) {
	c.t.Helper()
	c.Propose(fsm.OpStartRun, func(now fsm.Time) any {
		return fsm.StartRun{At: now, ID: id, Job: fsm.JobKey{Namespace: fsm.DefaultNamespace, Name: job}}
	})
}

// runOf returns a run as the freshest replica has it.
func (c *Cluster) runOf(id string) *fsm.Run { return c.freshest().Read().Run(id) }

func manualJob(name string, change func(*fsm.Task)) fsm.JobSpec {
	task := fsm.Task{Name: "t", Driver: fsm.DriverExec, Command: "/bin/work"}
	change(&task)
	return fsm.JobSpec{Name: name, Tasks: []fsm.Task{task}}
}

// TestLostNode: P3. The node that runs a job is cut off. Its supervisor ends the
// process by itself; only then does another begin, and once.
func TestLostNode(t *testing.T) {
	for name, tc := range map[string]struct {
		idempotent bool
		stopAfter  time.Duration
		min, max   time.Duration // from the cut to the second start
	}{
		"default":    {min: 40 * time.Second, max: 43 * time.Second},
		"idempotent": {idempotent: true, min: time.Second, max: 3 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := NewCluster(t, Options{Work: func(proc.StartRequest) Outcome { return Outcome{After: 5 * time.Minute} }})
				c.Apply(manualJob("long", func(task *fsm.Task) { task.Idempotent = tc.idempotent }))
				// Each start goes to the freest node: keep the leader from being it.
				var victim *Node
				for _, id := range []string{"run-1", "run-2", "run-3"} {
					c.startManual("long", id)
					c.Wait("it runs", 5*time.Second, func() bool { return c.runOf(id).State == fsm.RunRunning })
				}
				var first Start
				for _, s := range c.Record.Starts() {
					if n := c.node(s.Node); n != c.Leader() {
						victim, first = n, s
					}
				}
				c.isolate(victim)
				cut := time.Now()
				c.Wait("it runs elsewhere", 2*time.Minute, func() bool { return len(c.attemptsOf(first)) == 2 })
				second := c.attemptsOf(first)[1]
				if took := second.Begin.Sub(cut); took < tc.min || took > tc.max {
					t.Errorf("started elsewhere %s after the cut, want %s to %s", took, tc.min, tc.max)
				}
				c.Net.Heal()
				c.Wait("the run ends", 10*time.Minute, func() bool { return c.runOf(first.Ref.RunID).State.Ended() })
				attempts := c.attemptsOf(first)
				if len(attempts) != 2 {
					t.Errorf("%d attempts: %v", len(attempts), attempts)
				}
				if !tc.idempotent && attempts[0].End.After(attempts[1].Begin) {
					t.Errorf("two lived at once: %s and %s", attempts[0], attempts[1])
				}
				if state := c.runOf(first.Ref.RunID).State; state != fsm.RunSucceeded {
					t.Errorf("the run is %s", state)
				}
				c.CheckHashes()
			})
		})
	}
}

// attemptsOf lists the starts of the shard that a start belongs to.
func (c *Cluster) attemptsOf(first Start) []Start {
	return slices.DeleteFunc(c.Record.Starts(), func(s Start) bool {
		return s.Ref.RunID != first.Ref.RunID || s.Ref.Task != first.Ref.Task || s.Ref.Shard != first.Ref.Shard
	})
}

// TestRetry: a failed attempt is tried again after its backoff, also when the
// leader dies in between, and no more often than the task says.
func TestRetry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := NewCluster(t, Options{Work: func(proc.StartRequest) Outcome {
			return Outcome{After: time.Second, ExitCode: 3}
		}})
		c.Apply(manualJob("flaky", func(task *fsm.Task) {
			task.Retry = fsm.Retry{Attempts: 4, Backoff: fsm.Duration(10 * time.Second), MaxBackoff: fsm.Duration(30 * time.Second)}
		}))
		c.startManual("flaky", "run-1")
		c.Run(5 * time.Second)
		c.Leader().Crash()
		c.Wait("the run ends", 5*time.Minute, func() bool { r := c.runOf("run-1"); return r != nil && r.State.Ended() })
		starts := c.Record.Starts()
		if len(starts) != 4 {
			t.Fatalf("%d attempts, want 4", len(starts))
		}
		for i, backoff := range []time.Duration{10 * time.Second, 20 * time.Second, 30 * time.Second} {
			if pause := starts[i+1].Begin.Sub(starts[i].End); pause < backoff*3/4 || pause > backoff+time.Second {
				t.Errorf("pause %d is %s, want about %s", i+1, pause, backoff)
			}
		}
		if r := c.runOf("run-1"); r.State != fsm.RunFailed {
			t.Errorf("the run is %s", r.State)
		}
	})
}

// TestAgentCrashKeepsProcesses: an agent that crashed with its supervisor alive finds its
// processes again; their runs end once.
func TestAgentCrashKeepsProcesses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := NewCluster(t, Options{Work: func(proc.StartRequest) Outcome { return Outcome{After: time.Minute} }})
		c.Apply(manualJob("long", func(*fsm.Task) {}))
		c.startManual("long", "run-1")
		c.Wait("it runs", 5*time.Second, func() bool { return c.runOf("run-1").State == fsm.RunRunning })
		host := c.node(c.Record.Starts()[0].Node)
		for range 3 {
			host.Crash()
			c.Run(500 * time.Millisecond)
			host.Start()
			c.Wait("the node is back", 20*time.Second, c.settled)
			c.Run(5 * time.Second)
		}
		c.Wait("the run ends", 2*time.Minute, func() bool { return c.runOf("run-1").State.Ended() })
		if starts := c.Record.Starts(); len(starts) != 1 || c.runOf("run-1").State != fsm.RunSucceeded {
			for s := range c.freshest().Read().Shards("run-1") {
				t.Errorf("%d starts, run %s: %+v", len(starts), c.runOf("run-1").State, *s)
			}
		}
	})
}

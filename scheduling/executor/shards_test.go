package executor

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/scheduling/executor/proc"
)

// runHere starts a run of a job and arms everything that is pending here.
func (r *rig) runHere(s fsm.JobSpec, params map[string]string) {
	r.t.Helper()
	s.Namespace = fsm.DefaultNamespace
	r.apply(fsm.OpPutJobs, fsm.PutJobs{At: r.clock.Now(), Jobs: []fsm.PutJob{{Spec: s}}})
	r.apply(fsm.OpStartRun, fsm.StartRun{At: r.clock.Now(), ID: "run", Job: s.Key(), Params: params})
	r.armPending()
}

func (r *rig) armPending() {
	arm := fsm.ArmShards{At: r.clock.Now()}
	for s := range r.store.Read().Pending() {
		arm.Placements = append(arm.Placements, fsm.Placement{AttemptRef: s.Ref(), Node: self, Incarnation: incarnation})
	}
	r.apply(fsm.OpArmShards, arm)
	r.grant()
	r.after(step)
}

func (r *rig) request(task string, shard int) proc.StartRequest {
	r.procs.mu.Lock()
	defer r.procs.mu.Unlock()
	return r.procs.requests[fmt.Sprintf("run/%s/%d/1", task, shard)]
}

// TestEnvironmentOfAShard: what an attempt is told of its slice, its params and
// its run.
func TestEnvironmentOfAShard(t *testing.T) {
	bubble(t, func(r *rig) {
		r.runHere(fsm.JobSpec{
			Name: "j", Params: []fsm.Param{{Name: "day"}, {Name: "Mode_2", Default: new("x=y")}},
			Tasks: []fsm.Task{{
				Name: "t", Command: "/bin/${params.Mode_2}", Args: []string{"${shard.start}:${shard.end}", "$${x}"}, Env: map[string]string{"A": "${params.day}"},
				Shards: &fsm.Shards{Count: 2, Items: []string{"a", "b", "c"}},
			}},
		}, map[string]string{"day": "mon"})
		req := r.request("t", 1)
		if got := strings.Join(req.Argv, " "); got != "/bin/x=y 2:3 ${x}" {
			t.Errorf("argv %s", got)
		}
		for _, want := range []string{
			"ROTA_SHARD_INDEX=1", "ROTA_SHARD_COUNT=2", "ROTA_SHARD_START=2", "ROTA_SHARD_END=3", `ROTA_SHARD_ITEMS=["c"]`,
			"ROTA_PARAM_DAY=mon", "ROTA_PARAM_MODE_2=x=y", "A=mon",
		} {
			if !slices.Contains(req.Env, want) {
				t.Errorf("no %s in %q", want, req.Env)
			}
		}
	})
}

// TestItemsThatFitNoEnvironment: what the kernel would refuse without a reason
// fails with one.
func TestItemsThatFitNoEnvironment(t *testing.T) {
	bubble(t, func(r *rig) {
		r.runHere(fsm.JobSpec{Name: "j", Tasks: []fsm.Task{{
			Name: "t", Command: "x", Shards: &fsm.Shards{Count: 1, Items: slices.Repeat([]string{strings.Repeat("x", 1000)}, 200)},
		}}}, nil)
		s := r.store.Read().Shard("run", "t", 0)
		if s.State != fsm.ShardFailed || s.Current.Outcome != fsm.AttemptStartFailed || !strings.Contains(s.Reason, "ROTA_SHARD_ITEMS") {
			t.Errorf("%s: %s", s.State, s.Reason)
		}
		if r.procs.tries() != 0 || r.Load() != 0 {
			t.Errorf("%d starts, load %d", r.procs.tries(), r.Load())
		}
	})
}

// TestHarvest: what later tasks read goes with the report, and an output that is
// no list fails its attempt.
func TestHarvest(t *testing.T) {
	for name, c := range map[string]struct {
		output, state, reason, last string
		items                       int
	}{
		"a list":     {"[1,\n2]\n", "succeeded", "", "2]", 2},
		"an empty":   {"[]\n\n", "succeeded", "", "[]", 0},
		"no list":    {"hello\n", "failed", "want one JSON array", "", 0},
		"no output":  {"", "failed", "want one JSON array", "", 0},
		"a long one": {"[\"" + strings.Repeat("x", fsm.MaxItemBytes) + "\"]", "failed", "at most 1048576 are allowed", "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(r *rig) {
				r.runHere(fsm.JobSpec{Name: "j", Tasks: []fsm.Task{
					{Name: "list", Command: "x"},
					{Name: "each", Command: "x", DependsOn: []string{"list"}, Shards: &fsm.Shards{ItemsFrom: "list"}, Args: []string{"${tasks.list.output}"}},
				}}, nil)
				ref := fsm.AttemptRef{RunID: "run", Task: "list", Attempt: 1}
				dir := r.outputDir(ref)
				if err := os.MkdirAll(dir, 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("stdout.%020d", 0)), []byte(c.output), 0o644); err != nil {
					t.Fatal(err)
				}
				r.procs.end(ref, proc.Succeeded)
				r.after(step)
				rt := r.store.Read().Task("run", "list")
				if string(rt.State) != c.state || !strings.Contains(rt.Reason, c.reason) || len(rt.Reason) > 0 && c.reason == "" {
					t.Errorf("%s: %s", rt.State, rt.Reason)
				}
				if rt.State == fsm.TaskSucceeded && (rt.Output != c.last || !rt.Listed || r.store.Read().Task("run", "each").Shards != c.items) {
					t.Errorf("task %+v", rt)
				}
			})
		})
	}
}

// TestARunOfSeveralShardsHasNotEndedWithOne: that the gate of a run has ended here
// lets the next run start only if the gate was all of it.
func TestARunOfSeveralShardsHasNotEndedWithOne(t *testing.T) {
	for count, want := range map[int]bool{1: true, 2: false} {
		t.Run(fmt.Sprint(count), func(t *testing.T) {
			bubble(t, func(r *rig) {
				j := job{name: "a", overlap: fsm.OverlapQueue}
				r.apply(fsm.OpPutJobs, fsm.PutJobs{At: r.clock.Now(), Jobs: []fsm.PutJob{{
					Spec: fsm.JobSpec{
						Namespace: fsm.DefaultNamespace, Name: j.name,
						Tasks:     []fsm.Task{{Name: "main", Command: "x", Shards: &fsm.Shards{Count: count}}},
						Schedules: []fsm.Schedule{{Every: fsm.Duration(time.Second), Overlap: j.overlap}},
					},
					Next: []fsm.Time{r.clock.Now().Add(fsm.Duration(time.Second))},
				}}})
				first := r.arm(j, self, incarnation)
				r.grant()
				r.after(time.Second)
				r.listen(true, false) // what ends now is known here alone
				r.procs.end(first, proc.Succeeded)
				second := r.arm(j, self, incarnation)
				r.grant()
				r.after(1500 * time.Millisecond)
				if _, started := r.procs.started(second); started != want {
					t.Errorf("with %d shards the next run started: %v", count, started)
				}
			})
		})
	}
}

package failpoints

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/scheduling/executor/failpoint"
	"github.com/rota-scheduler/rota/scheduling/executor/proc"
	"github.com/rota-scheduler/rota/test/cluster"
	"github.com/rota-scheduler/rota/test/cluster/record"
	"github.com/rota-scheduler/rota/transport/api"
)

const (
	// trialsVariable is how many kills there are, of one node and of three
	// together.
	trialsVariable = "ROTA_FAILPOINT_TRIALS"
	fileVariable   = "ROTA_FAILPOINT" // see package failpoint
	defaultTrials  = 100
	// hitWithin is how long a point may take to be passed.
	hitWithin    = 60 * time.Second
	settleWithin = 60 * time.Second
	short, long  = 6, 2 // jobs
)

// TestMain builds the program with its failpoints in.
func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "rota-failpoints-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	program := filepath.Join(dir, "rota")
	build := exec.Command("go", "build", "-tags", "failpoints", "-o", program, "github.com/rota-scheduler/rota/cmd/rota")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "building: %v\n%s", err, out)
		os.Exit(1)
	}
	code := 1
	if err := os.Setenv("ROTA_BIN", program); err == nil {
		code = cluster.Main(m)
	}
	os.RemoveAll(dir)
	os.Exit(code)
}

func trials(t *testing.T) int {
	t.Helper()
	if text := os.Getenv(trialsVariable); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatalf("%s=%s: %v", trialsVariable, text, err)
		}
		return n
	}
	if testing.Short() {
		return 2 * len(failpoint.All())
	}
	return defaultTrials
}

func TestKillAtEachPoint(t *testing.T) {
	for name, nodes := range map[string]int{"one node": 1, "three nodes": 3} {
		t.Run(name, func(t *testing.T) { killAtEachPoint(t, nodes, trials(t)/2) })
	}
}

func killAtEachPoint(t *testing.T, nodes, trials int) {
	file := filepath.Join(t.TempDir(), "point")
	t.Setenv(fileVariable, file)
	c := cluster.Start(t, cluster.Options{Nodes: nodes})
	w := apply(t, c)
	points := failpoint.All()
	for i := range trials {
		arm(t, file, points[i%len(points)])
		cluster.Eventually(t, hitWithin, "a kill at "+points[i%len(points)], func() error {
			if _, err := os.Stat(file); !errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("nobody came by: %w", err)
			}
			return nil
		})
		for _, n := range c.Nodes {
			// Whoever waits before the next start of its agent need not; the
			// others change their agents once more.
			if nodes == 1 || i%10 == 9 {
				n.Signal(syscall.SIGHUP)
			}
		}
	}
	w.check()
}

// arm names the point to die at, in one step.
func arm(t *testing.T, file, point string) {
	t.Helper()
	if err := os.WriteFile(file+".new", []byte(point), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(file+".new", file); err != nil {
		t.Fatal(err)
	}
}

// work is the jobs, and what they wrote.
type work struct {
	t       *testing.T
	c       *cluster.Cluster
	records *cluster.Records
	since   map[fsm.JobKey]fsm.Time
}

// apply makes jobs that run every second: short ones, and some that take longer
// than that, so that their node skips every other fire.
func apply(t *testing.T, c *cluster.Cluster) *work {
	t.Helper()
	w := &work{t: t, c: c, records: cluster.NewRecords(t), since: map[fsm.JobKey]fsm.Time{}}
	w.records.StandApart(c)
	var specs []fsm.JobSpec
	for i := range short + long {
		overlap, stay := fsm.OverlapAllow, time.Duration(0)
		if i >= short {
			overlap, stay = fsm.OverlapForbid, 1300*time.Millisecond
		}
		specs = append(specs, fsm.JobSpec{
			Namespace: fsm.DefaultNamespace, Name: fmt.Sprintf("job-%d", i),
			Schedules: []fsm.Schedule{{Cron: "* * * * * *", Overlap: overlap, Misfire: fsm.MisfireAll, MisfireLimit: 1000}},
			Tasks:     []fsm.Task{w.records.Task("main", stay, 0)},
			History:   fsm.History{Runs: 1000},
		})
	}
	if _, err := c.Client(0).PutJobs(t.Context(), specs, false); err != nil {
		t.Fatal(err)
	}
	for i := range specs {
		job, err := c.Client(0).Job(t.Context(), specs[i].Key(), 0)
		if err != nil {
			t.Fatal(err)
		}
		w.since[job.Key()] = job.CreatedAt
	}
	return w
}

// check waits until every fire up to now is decided and every run is over, and
// judges.
func (w *work) check() {
	w.t.Helper()
	to := fsm.At(time.Now())
	evidence := cluster.Evidence{Describe: w.describe}
	for job, since := range w.since {
		due := cluster.Every(job, time.Second, 0, since, to)
		evidence.Due = append(evidence.Due, due)
		evidence.Fires = append(evidence.Fires, w.settled(job, due.Instants)...)
	}
	evidence.Records = w.records.Read()
	verdict := cluster.Check(evidence)
	w.t.Log(verdict)
	w.checkAttempts(evidence.Records)
	allowed := 0
	for _, v := range verdict.Violations {
		if v.Kind == cluster.StartedTwice && w.expiredBefore(v, evidence.Records) {
			w.t.Logf("allowed: %s", v)
			allowed++
			continue
		}
		w.t.Errorf("%s", v)
	}
	w.t.Logf("%d violations, %d of them allowed", len(verdict.Violations), allowed)
	if verdict.Skipped[fsm.ReasonOverlap] == 0 || verdict.Ran == 0 {
		w.t.Errorf("the load does not test what it should: %s", verdict)
	}
}

// expiredReason is what the API says of an attempt whose exec was confirmed after
// its lease had ended. It is killed then, and repeated.
const expiredReason = "killed on its node: " + proc.ReasonExpired

// expiredBefore says whether an instant had more than one process only because
// each but the last was such an attempt. That no two of them lived at a time is
// judged by itself.
func (w *work) expiredBefore(v cluster.Violation, records []record.Record) bool {
	w.t.Helper()
	var begins []record.Record
	for _, r := range records {
		if r.Event == record.Begin && r.Job == v.Job.Name && fsm.At(r.ScheduledAt) == v.At {
			begins = append(begins, r)
		}
	}
	slices.SortFunc(begins, func(a, b record.Record) int { return a.At.Compare(b.At) })
	for i, b := range begins[:len(begins)-1] {
		if b.Run != begins[i+1].Run || b.Attempt >= begins[i+1].Attempt || w.reasonOf(b) != expiredReason {
			return false
		}
	}
	return true
}

// reasonOf returns what the API says of the end of the attempt that wrote a
// record.
func (w *work) reasonOf(r record.Record) string {
	w.t.Helper()
	run, _, err := w.c.Up()[0].Client().Run(w.t.Context(), r.Run, api.Read{})
	if err != nil {
		w.t.Errorf("run %s: %v", r.Run, err)
		return ""
	}
	for _, task := range run.Tasks {
		for _, shard := range task.Items {
			for _, a := range append(shard.Past, shard.Current) {
				if task.Name == r.Task && shard.Index == r.Shard && a.Number == r.Attempt {
					return a.Error
				}
			}
		}
	}
	return ""
}

// checkAttempts fails if any one attempt has begun twice.
func (w *work) checkAttempts(records []record.Record) {
	w.t.Helper()
	begun := map[string]int{}
	for _, r := range records {
		if r.Event == record.Begin {
			begun[fmt.Sprintf("%s/%s/%d attempt %d", r.Run, r.Task, r.Shard, r.Attempt)]++
		}
	}
	for attempt, n := range begun {
		if n > 1 {
			w.t.Errorf("%s began %d times", attempt, n)
		}
	}
	w.t.Logf("%d attempts began", len(begun))
}

func (w *work) settled(job fsm.JobKey, instants []fsm.Time) (fires []fsm.Fire) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), settleWithin)
	defer cancel()
	err := cluster.Poll(ctx, func() error {
		client := w.c.Up()[0].Client()
		list, err := client.Fires(ctx, job, api.Page{PerPage: 10_000}, api.Read{Consistent: true})
		if err != nil {
			return err
		}
		fires = list.Items
		runs, err := client.Runs(ctx, api.RunFilter{Job: job.Name}, api.Page{PerPage: 10_000}, api.Read{Consistent: true})
		if err != nil {
			return err
		}
		return decided(fires, runs.Items, instants)
	})
	if err != nil {
		w.t.Errorf("%s has not settled: %v", job, err)
	}
	return fires
}

func decided(fires []fsm.Fire, runs []fsm.Run, instants []fsm.Time) error {
	outcomes := map[fsm.Time]string{}
	for _, f := range fires {
		outcomes[f.ScheduledAt] = f.Outcome
	}
	for _, r := range runs {
		if r.ScheduledAt <= instants[len(instants)-1] && !r.State.Ended() {
			return fmt.Errorf("run %s, due at %s, is %s", r.ID, r.ScheduledAt, r.State)
		}
	}
	for _, at := range instants {
		if outcomes[at] == "" {
			return fmt.Errorf("the fire of %s has no outcome", at)
		}
	}
	return nil
}

func (w *work) describe(id string) string {
	run, _, err := w.c.Up()[0].Client().Run(w.t.Context(), id, api.Read{})
	if err != nil {
		return err.Error() + "\n"
	}
	var b strings.Builder
	for _, task := range run.Tasks {
		for _, shard := range task.Items {
			for _, a := range append(shard.Past, shard.Current) {
				fmt.Fprintf(&b, "    attempt %d on %s incarnation %d: started %s, ended %s, %s %s\n",
					a.Number, a.Node, a.Incarnation, a.StartedAt, a.EndedAt, a.Outcome, a.Error)
			}
		}
	}
	return b.String()
}

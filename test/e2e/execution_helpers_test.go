package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/test/cluster"
	"github.com/rota-scheduler/rota/transport/api"
)

// long says whether the tests may take their time.
func long() bool { return os.Getenv("ROTA_LONG") == "1" }

// notes is a file, outside of the data dirs, to which shell tasks append lines.
type notes struct {
	t    *testing.T
	path string
}

func newNotes(t *testing.T) *notes {
	t.Helper()
	n := &notes{t: t, path: filepath.Join(t.TempDir(), "notes")}
	if err := os.WriteFile(n.path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	return n
}

// gate is a file that tasks may wait for.
func (n *notes) gate() string { return n.path + ".gate" }

// open lets the tasks go on that wait for the gate.
func (n *notes) open() {
	n.t.Helper()
	if err := os.WriteFile(n.gate(), nil, 0o600); err != nil {
		n.t.Fatal(err)
	}
}

// task returns a shell task; $NOTES is the file, $GATE the gate.
func (n *notes) task(name, script string) fsm.Task {
	return fsm.Task{Name: name, Driver: fsm.DriverShell, Command: script, Env: map[string]string{"NOTES": n.path, "GATE": n.gate()}}
}

// lines returns the fields of what has been written so far.
func (n *notes) lines() [][]string {
	n.t.Helper()
	text, err := os.ReadFile(n.path)
	if err != nil {
		n.t.Fatal(err)
	}
	var all [][]string
	for line := range strings.Lines(string(text)) {
		if strings.HasSuffix(line, "\n") {
			all = append(all, strings.Fields(line))
		}
	}
	return all
}

// oneTask is a job without a schedule.
func oneTask(name string, task fsm.Task) fsm.JobSpec {
	return fsm.JobSpec{Namespace: fsm.DefaultNamespace, Name: name, Tasks: []fsm.Task{task}}
}

// runJob starts a run and returns its id.
func runJob(t *testing.T, client *api.Client, job string) string {
	t.Helper()
	run, err := client.RunJob(t.Context(), fsm.JobKey{Namespace: fsm.DefaultNamespace, Name: job}, "")
	if err != nil {
		t.Fatalf("starting %s: %v", job, err)
	}
	return run.ID
}

// status returns what the command line says of a run, for programs.
func status(t *testing.T, c *cluster.Cluster, n *cluster.Node, id string) api.Run {
	t.Helper()
	r := c.CLI(n, "status", "-o", "json", id)
	var run api.Run
	if err := json.Unmarshal([]byte(r.Stdout), &run); err != nil || r.Code != 0 {
		t.Fatalf("status -o json %s: exit code %d, %v\n%s%s", id, r.Code, err, r.Stdout, r.Stderr)
	}
	return run
}

// onlyShard is the shard of a run of one task.
func onlyShard(t *testing.T, run api.Run) api.Shard {
	t.Helper()
	if len(run.Tasks) != 1 || len(run.Tasks[0].Items) != 1 {
		t.Fatalf("run %s has not one shard: %+v", run.ID, run.Tasks)
	}
	return run.Tasks[0].Items[0]
}

// attemptsOf returns a shard's attempts, in order.
func attemptsOf(s api.Shard) []fsm.Attempt {
	all := append([]fsm.Attempt(nil), s.Past...)
	if s.Current.ArmedAt != 0 {
		all = append(all, s.Current)
	}
	return all
}

// waitRunning returns a run of one shard once its process runs.
func waitRunning(t *testing.T, client *api.Client, id string) api.Shard {
	t.Helper()
	var shard api.Shard
	cluster.Eventually(t, settleWithin, "a process of run "+id, func() error {
		run, _, err := client.Run(t.Context(), id, api.Read{})
		if err != nil {
			return err
		}
		if len(run.Tasks) == 1 && len(run.Tasks[0].Items) == 1 {
			shard = run.Tasks[0].Items[0]
		}
		if shard.State != fsm.ShardRunning {
			return fmt.Errorf("its shard is %q", shard.State)
		}
		return nil
	})
	return shard
}

// processesWith returns the living processes whose command line holds a text.
func processesWith(text string) []int {
	var found []int
	lists, _ := filepath.Glob("/proc/[0-9]*/cmdline") // the pattern is right
	for _, path := range lists {
		line, err := os.ReadFile(path)
		if err != nil || !bytes.Contains(line, []byte(text)) {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path))); err == nil && alive(pid) {
			found = append(found, pid)
		}
	}
	return found
}

// nanos reads an instant as "date +%s%N" writes it.
func nanos(t *testing.T, text string) time.Time {
	t.Helper()
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		t.Fatalf("an instant in the notes: %v", err)
	}
	return time.Unix(0, n)
}

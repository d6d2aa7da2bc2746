package e2e

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/test/cluster"
	"github.com/rota-scheduler/rota/transport/api"
)

const runFile = `
job "good" {
  task "main" {
    driver  = "shell"
    command = "echo hello from $ROTA_NODE"
  }
}
job "bad" {
  task "main" {
    driver  = "shell"
    command = "echo going wrong >&2; exit 3"
  }
}
job "talker" {
  task "main" {
    driver  = "shell"
    command = "i=0; while [ $i -lt 200 ]; do i=$((i+1)); echo line $i; sleep 0.01; done"
  }
}
job "stubborn" {
  task "main" {
    driver     = "shell"
    kill_grace = "1s"
    command    = <<-EOT
      trap '' TERM
      echo pid $$
      sleep 1000 &
      echo pid $!
      setsid sh -c 'trap "" TERM; echo pid $$; sleep 1000; sleep 1000' &
      sh -c '(setsid sleep 1000 & echo pid $!)'
      echo ready
      while :; do sleep 1; done
    EOT
  }
}
`

// TestRunStatusLogs walks one run after the other through the command line,
// asking followers as well as the leader.
func TestRunStatusLogs(t *testing.T) {
	c := cluster.Start(t, cluster.Options{})
	apply(t, c, runFile)
	for _, n := range append(c.Followers(), c.Leader()) {
		checkExitCodes(t, c, n)
		checkLogs(t, c, n)
	}
	checkCancel(t, c)
}

func checkExitCodes(t *testing.T, c *cluster.Cluster, n *cluster.Node) {
	t.Helper()
	for _, tc := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"run", "--wait", "good"}, 0, "succeeded"},
		{[]string{"run", "--follow", "good"}, 0, "hello from n"},
		{[]string{"run", "--wait", "bad"}, 1, "failed"},
		{[]string{"run", "--follow", "bad"}, 1, "going wrong"},
		{[]string{"run", "nothing"}, 1, "nothing"},
		{[]string{"run"}, exitUsage, "arg"},
		{[]string{"status", "01ABCDEF"}, 1, "01ABCDEF"},
		{[]string{"pause", "nothing"}, 1, "nothing"},
		{[]string{"leader"}, 0, c.Leader().Name},
		{[]string{"nodes"}, 0, "n3"},
	} {
		r := c.CLI(n, tc.args...)
		if r.Code != tc.code {
			t.Errorf("%q on %s: exit code %d, want %d\n%s%s", tc.args, n.Name, r.Code, tc.code, r.Stdout, r.Stderr)
		}
		if !strings.Contains(r.Stdout+r.Stderr, tc.says) {
			t.Errorf("%q on %s does not say %q:\n%s%s", tc.args, n.Name, tc.says, r.Stdout, r.Stderr)
		}
	}
	id := startRun(t, c, n, "bad")
	waitRun(t, n.Client(), id)
	r := c.CLI(n, "status", id)
	for _, want := range []string{"failed", "exit", "3", "going wrong"} {
		if r.Code != 0 || !strings.Contains(r.Stdout, want) {
			t.Errorf("status on %s: exit code %d, does not say %q:\n%s%s", n.Name, r.Code, want, r.Stdout, r.Stderr)
		}
	}
}

// checkLogs follows a run from its start: every line, in order, and then the end.
func checkLogs(t *testing.T, c *cluster.Cluster, n *cluster.Node) {
	t.Helper()
	var want strings.Builder
	for i := range 200 {
		fmt.Fprintf(&want, "line %d\n", i+1)
	}
	id := startRun(t, c, n, "talker")
	followed := c.CLI(n, "logs", "-f", id)
	if diff := cmp.Diff(want.String(), followed.Stdout); diff != "" || followed.Code != 0 {
		t.Errorf("logs -f on %s: exit code %d (-want +got):\n%s%s", n.Name, followed.Code, diff, followed.Stderr)
	}
	if run := waitRun(t, n.Client(), id); run.State != fsm.RunSucceeded {
		t.Errorf("run %s: %s", id, run.State)
	}
	later := c.CLI(n, "logs", id)
	if diff := cmp.Diff(want.String(), later.Stdout); diff != "" || later.Code != 0 {
		t.Errorf("logs on %s: exit code %d (-want +got):\n%s%s", n.Name, later.Code, diff, later.Stderr)
	}
}

var pidLine = regexp.MustCompile(`(?m)^pid (\d+)$`)

// checkCancel cancels a run that will not go, with children in other sessions
// and a daemon: every process is gone when the run is cancelled.
func checkCancel(t *testing.T, c *cluster.Cluster) {
	t.Helper()
	n := c.Followers()[0]
	id := startRun(t, c, n, "stubborn")
	var pids []int
	cluster.Eventually(t, settleWithin, "the processes of the job", func() error {
		r := c.CLI(n, "logs", id)
		found := pidLine.FindAllStringSubmatch(r.Stdout, -1)
		if r.Code != 0 || len(found) != 4 || !strings.Contains(r.Stdout, "ready") {
			return fmt.Errorf("logs: exit code %d: %s%s", r.Code, r.Stdout, r.Stderr)
		}
		pids = pids[:0]
		for _, f := range found {
			pid, err := strconv.Atoi(f[1])
			if err != nil {
				return err
			}
			pids = append(pids, pid)
		}
		return nil
	})
	for _, pid := range pids {
		if !alive(pid) {
			t.Errorf("process %d is not alive before the cancel", pid)
		}
	}
	began := time.Now()
	if r := c.CLI(n, "cancel", id); r.Code != 0 {
		t.Errorf("cancel: exit code %d\n%s%s", r.Code, r.Stdout, r.Stderr)
	}
	run := waitRun(t, n.Client(), id)
	t.Logf("cancelled in %s, of which 1s is the grace", time.Since(began))
	if run.State != fsm.RunCancelled {
		t.Errorf("the run is %s", run.State)
	}
	for _, pid := range pids {
		if alive(pid) {
			t.Errorf("process %d outlived its run", pid)
		}
	}
	if r := c.CLI(n, "cancel", id); r.Code != 1 {
		t.Errorf("cancelling it again: exit code %d, want 1\n%s%s", r.Code, r.Stdout, r.Stderr)
	}
}

// alive says whether a process exists and is no zombie.
func alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(rest, "Z")
}

// startRun starts a run through the command line and returns its id.
func startRun(t *testing.T, c *cluster.Cluster, n *cluster.Node, job string) string {
	t.Helper()
	r := c.CLI(n, "run", "-q", job)
	if r.Code != 0 {
		t.Fatalf("run %s: exit code %d\n%s%s", job, r.Code, r.Stdout, r.Stderr)
	}
	return strings.TrimSpace(r.Stdout)
}

// waitRun returns a run that has ended.
func waitRun(t *testing.T, client *api.Client, id string) api.Run {
	t.Helper()
	var run api.Run
	cluster.Eventually(t, settleWithin, "the end of run "+id, func() error {
		var err error
		if run, _, err = client.Run(t.Context(), id, api.Read{}); err == nil && !run.State.Ended() {
			err = fmt.Errorf("it is %s", run.State)
		}
		return err
	})
	return run
}

package e2e

import (
	"testing"
	"time"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/test/cluster"
	"github.com/rota-scheduler/rota/transport/api"
)

// pastHorizon is longer than fires are committed ahead of their instants: what
// was armed before would have started within it.
const pastHorizon = 6 * time.Second

// TestPauseResumeDelete goes through a follower. When pause or delete answers,
// nothing more starts, the fires included that were placed on nodes already.
func TestPauseResumeDelete(t *testing.T) {
	t.Parallel()
	c := cluster.Start(t, cluster.Options{})
	l := startLoad(t, c, 2)
	paused, deleted := "tick-00", "tick-01"
	follower := c.Followers()[0]
	begun(t, l, paused, 2)
	begun(t, l, deleted, 2)
	ask(t, c, follower, "pause", paused)
	pausedAt := time.Now()
	ask(t, c, follower, "delete", deleted)
	deletedAt := time.Now()
	delete(l.since, fsm.JobKey{Namespace: fsm.DefaultNamespace, Name: deleted})
	cluster.Until(t, deletedAt.Add(pastHorizon))
	noneAfter(t, l, paused, pausedAt)
	noneAfter(t, l, deleted, deletedAt)

	before := len(l.records.Begins(paused))
	ask(t, c, follower, "resume", paused)
	begun(t, l, paused, before+2)
	v := l.verify()
	if v.Ran+v.Skipped[fsm.ReasonPaused] != v.Due || v.Skipped[fsm.ReasonPaused] < int(pastHorizon/time.Second)-1 {
		t.Errorf("want only fires that ran and at least %d skipped for the pause: %s", int(pastHorizon/time.Second)-1, v)
	}
	if _, err := follower.Client().Job(t.Context(), fsm.JobKey{Name: deleted}, 0); api.ErrorCode(err) != api.CodeNotFound {
		t.Errorf("the deleted job: %v, want %s", err, api.CodeNotFound)
	}
	noneAfter(t, l, deleted, deletedAt)
}

// ask runs a command that must succeed.
func ask(t *testing.T, c *cluster.Cluster, n *cluster.Node, args ...string) cluster.Result {
	t.Helper()
	r := c.CLI(n, args...)
	if r.Code != 0 {
		t.Fatalf("%q: exit code %d\n%s%s", args, r.Code, r.Stdout, r.Stderr)
	}
	return r
}

// begun waits for the n-th start of a job.
func begun(t *testing.T, l *load, job string, n int) {
	t.Helper()
	cluster.Eventually(t, settleWithin, "starts of "+job, func() error {
		if got := len(l.records.Begins(job)); got < n {
			return errCount{got, n}
		}
		return nil
	})
}

// noneAfter: no process of the job began after the instant.
func noneAfter(t *testing.T, l *load, job string, after time.Time) {
	t.Helper()
	for _, r := range l.records.Begins(job) {
		if r.At.After(after) {
			t.Errorf("%s started %s after the answer, on %s, for %s", job, r.At.Sub(after), r.Node, r.ScheduledAt)
		}
	}
}

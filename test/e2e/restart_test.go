package e2e

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/test/cluster"
)

// TestKillAll kills every agent at once. When they are back, jobs, versions,
// outcomes and runs are as they were, and the schedule goes on without a gap in
// the ledger.
func TestKillAll(t *testing.T) {
	c := cluster.Start(t, cluster.Options{})
	l := startLoad(t, c, 5)
	versioned := fsm.JobSpec{
		Namespace: fsm.DefaultNamespace, Name: "versioned", Tasks: []fsm.Task{{Name: "main", Driver: fsm.DriverNoop}},
	}
	for _, text := range []string{"one", "two", "three"} {
		versioned.Description = text
		put(t, c.Client(1), versioned)
	}
	cluster.Until(t, time.Now().Add(4*time.Second))
	l.verifyAllRan()
	pauseAll(t, c, l)
	before := sameState(t, c)
	for _, n := range c.Nodes {
		n.Kill()
	}
	for _, n := range c.Nodes {
		n.Start()
	}
	c.WaitReady()
	after := sameState(t, c)
	if diff := cmp.Diff(before.Specs, after.Specs); diff != "" {
		t.Errorf("specs (-before +after):\n%s", diff)
	}
	if diff := cmp.Diff(before.Jobs, after.Jobs); diff != "" {
		t.Errorf("jobs (-before +after):\n%s", diff)
	}
	if diff := cmp.Diff(before.Runs, after.Runs); diff != "" {
		t.Errorf("runs (-before +after):\n%s", diff)
	}
	checkFires(t, before, after)
	checkVersions(t, c, versioned.Key())
}

// checkFires: what was decided before is as it was. The ledger goes on.
func checkFires(t *testing.T, before, after state) {
	t.Helper()
	for i, fires := range before.Fires {
		now := map[fsm.Time]fsm.Fire{}
		for _, f := range after.Fires[i] {
			now[f.ScheduledAt] = f
		}
		for _, f := range fires {
			if diff := cmp.Diff(f, now[f.ScheduledAt]); diff != "" {
				t.Errorf("fire of %s at %s (-before +after):\n%s", f.Job, f.ScheduledAt, diff)
			}
		}
	}
}

func checkVersions(t *testing.T, c *cluster.Cluster, key fsm.JobKey) {
	t.Helper()
	for version, want := range map[uint64]string{1: "one", 2: "two", 3: "three"} {
		job, err := c.Client(2).Job(t.Context(), key, version)
		if err != nil {
			t.Errorf("version %d: %v", version, err)
		} else if job.Spec.Description != want {
			t.Errorf("version %d says %q, want %q", version, job.Spec.Description, want)
		}
	}
}

// TestKillAllUnderLoad kills every agent while jobs are due. Nothing is lost or
// doubled when they are back: what was missed is made up for.
func TestKillAllUnderLoad(t *testing.T) {
	t.Parallel()
	c := cluster.Start(t, cluster.Options{})
	l := startLoad(t, c, 5)
	cluster.Until(t, time.Now().Add(3*time.Second))
	l.quiet()
	for _, n := range c.Nodes {
		n.Kill()
	}
	cluster.Until(t, time.Now().Add(8*time.Second)) // longer than the horizon
	for _, n := range c.Nodes {
		n.Start()
	}
	c.WaitReady()
	cluster.Until(t, time.Now().Add(3*time.Second))
	l.verifyAllRan()
}

package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/test/cluster"
	"github.com/rota-scheduler/rota/transport/api"
)

// settle bounds what a cluster with a million jobs may take for one step.
const settle = 15 * time.Minute

// TestIdle: what jobs that are not due cost, how soon a new leader takes writes
// with all of them, and how soon a node that starts has them all: from its log, or,
// with a million jobs, from a snapshot too.
func TestIdle(t *testing.T) {
	million := os.Getenv("ROTA_BENCH") == "million"
	jobs := size(100_000, 500)
	if million {
		jobs = 1_000_000
	}
	c := cluster.Start(t, cluster.Options{})
	empty := memory(t, c)
	list := specs(jobs, "idle", fsm.Schedule{Cron: "0 3 * * *"}, fsm.Task{Name: "t", Driver: fsm.DriverExec, Command: "/bin/true"})
	tenth := max(1, jobs/10)
	calls := (tenth + perCall - 1) / perCall // each an entry, and a sync
	floor := perSecond(syncRate(t), calls) + time.Duration(calls)*roundTrip(t)
	first := put(t, c.Client(0), list[:tenth])
	all := first + put(t, c.Client(0), list[tenth:])
	result(t, row{
		what: fmt.Sprintf("%d jobs applied in %d calls", tenth, calls), bar: "10,000 in 5 s", measured: first.Round(time.Millisecond).String(),
		floor: fmt.Sprintf("%d syncs and round trips: %s", calls, floor.Round(10*time.Microsecond)), ratio: times(first, floor),
	})
	result(t, row{what: fmt.Sprintf("%d jobs applied", jobs), measured: all.Round(time.Millisecond).String()})
	result(t, row{what: "memory with no job", bar: "60 MiB a node", measured: empty})
	result(t, row{what: fmt.Sprintf("memory with %d jobs", jobs), bar: "100,000 in 600 MiB a node", measured: memory(t, c)})
	old := killLeader(t, c, list[:1])
	restart(t, c, old, "its log", jobs)
	if !million {
		return
	}
	makeSnapshots(t, c, list[0])
	result(t, row{what: "memory after the snapshots", measured: memory(t, c)})
	old = killLeader(t, c, list[:1])
	restart(t, c, old, "its snapshot and its log", jobs)
	result(t, row{what: "memory after a restart", measured: memory(t, c)})
}

// killLeader says how long it takes until another node takes a write.
func killLeader(t *testing.T, c *cluster.Cluster, list []fsm.JobSpec) (old *cluster.Node) {
	t.Helper()
	old = c.Leader()
	killed := time.Now()
	old.Kill()
	other := c.Up()[0]
	cluster.Eventually(t, time.Minute, "a new leader takes a write", func() error {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		_, err := other.Client().PutJobs(ctx, list, false)
		return err
	})
	result(t, row{what: "new leader takes writes after", bar: "1 s", measured: time.Since(killed).Round(time.Millisecond).String()})
	return old
}

// restart says how long a node takes until it is ready, which needs its own state.
func restart(t *testing.T, c *cluster.Cluster, n *cluster.Node, from string, jobs int) {
	t.Helper()
	back := time.Now()
	n.Start()
	cluster.Eventually(t, settle, "the node is ready", func() error { return n.Client().Ready(t.Context()) })
	ready := time.Since(back)
	cluster.Eventually(t, settle, "the node answers from its own state", func() error {
		_, err := n.Client().Jobs(t.Context(), "", api.Page{PerPage: 1}, api.Read{})
		return err
	})
	result(t, row{
		what: fmt.Sprintf("restart with %d jobs from %s", jobs, from), bar: "100,000 in 10 s",
		measured: fmt.Sprintf("ready after %s, reads after %s", ready.Round(time.Millisecond), time.Since(back).Round(time.Millisecond)),
	})
	c.WaitReady()
}

// snapshotAfter is how many entries of the log make a snapshot due.
const snapshotAfter = 8192

// makeSnapshots writes small entries until every node has made a snapshot, and says
// how large they are and how long they took.
func makeSnapshots(t *testing.T, c *cluster.Cluster, spec fsm.JobSpec) {
	t.Helper()
	client := c.Client(0)
	for range snapshotAfter / 2 {
		// Leaders change on a busy machine; either call may be repeated.
		cluster.Eventually(t, settle, "a job is paused", func() error {
			_, err := client.PauseJob(t.Context(), spec.Key(), 0)
			return err
		})
		cluster.Eventually(t, settle, "a job is resumed", func() error {
			_, err := client.ResumeJob(t.Context(), spec.Key())
			return err
		})
	}
	for _, n := range c.Nodes {
		cluster.Eventually(t, settle, "a snapshot of "+n.Name, func() error {
			took, bytes, err := snapshotOf(n)
			if err == nil {
				result(t, row{what: "snapshot of " + n.Name, measured: fmt.Sprintf("%.1f MiB in %s", mib(bytes), took.Round(time.Millisecond))})
			}
			return err
		})
	}
}

// snapshotOf returns the bytes of a node's newest snapshot, and how long it took by
// the node's own log.
func snapshotOf(n *cluster.Node) (took time.Duration, bytes int, err error) {
	var began, done time.Time
	for line := range strings.Lines(n.Log()) {
		switch {
		case strings.Contains(line, "starting snapshot up to"):
			began = stamp(line)
		case strings.Contains(line, "snapshot complete up to"):
			done = stamp(line)
		}
	}
	if !done.After(began) {
		return 0, 0, errors.New("none is complete yet")
	}
	files, err := filepath.Glob(filepath.Join(n.Dir, "raft", "snapshots", "*", "state.bin"))
	if err != nil || len(files) == 0 {
		return 0, 0, fmt.Errorf("no snapshot in %s: %w", n.Dir, err)
	}
	info, err := os.Stat(files[len(files)-1])
	if err != nil {
		return 0, 0, err
	}
	return done.Sub(began), int(info.Size()), nil
}

// stamp is the time at the beginning of a line of a log.
func stamp(line string) time.Time {
	text, _, _ := strings.Cut(strings.TrimPrefix(line, "time="), " ")
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return time.Time{}
	}
	return at
}

// memory is the resident memory of each node's processes.
func memory(t *testing.T, c *cluster.Cluster) string {
	t.Helper()
	var parts []string
	for _, n := range c.Nodes {
		parts = append(parts, fmt.Sprintf("%s %.0f MiB", n.Name, mib(resident(n))))
	}
	return strings.Join(parts, ", ")
}

// resident is the resident memory of a node's agent and supervisor, in bytes.
func resident(n *cluster.Node) (total int) {
	for _, pid := range []int{n.PID(), n.AgentPID()} {
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(status)) {
			var kib int
			if _, err := fmt.Sscanf(line, "VmRSS: %d kB", &kib); err == nil {
				total += kib << 10
			}
		}
	}
	return total
}

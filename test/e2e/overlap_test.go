package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/test/cluster"
	"github.com/rota-scheduler/rota/test/cluster/record"
)

// errCount: less has happened than is waited for.
type errCount struct{ got, want int }

func (e errCount) Error() string { return fmt.Sprintf("%d so far, want %d", e.got, e.want) }

// startExclusive applies a job that runs every second, one at a time.
func startExclusive(t *testing.T, c *cluster.Cluster, stay time.Duration) *load {
	t.Helper()
	l := &load{t: t, c: c, records: cluster.NewRecords(t), since: map[fsm.JobKey]fsm.Time{}}
	spec := fsm.JobSpec{
		Namespace: fsm.DefaultNamespace, Name: "alone",
		Schedules: []fsm.Schedule{{Every: fsm.Duration(time.Second), Overlap: fsm.OverlapForbid}},
		Tasks:     []fsm.Task{l.records.Task("main", stay, 0)},
	}
	put(t, c.Client(0), spec)
	job, err := c.Client(0).Job(t.Context(), spec.Key(), 0)
	if err != nil {
		t.Fatal(err)
	}
	l.since[job.Key()] = job.CreatedAt
	return l
}

// TestOverlapForbid: while a run goes on, what is due is skipped.
func TestOverlapForbid(t *testing.T) {
	t.Parallel()
	c := cluster.Start(t, cluster.Options{})
	l := startExclusive(t, c, 2500*time.Millisecond)
	begun(t, l, "alone", 4)
	v := l.verify()
	if v.Ran+v.Skipped[fsm.ReasonOverlap] != v.Due || v.Skipped[fsm.ReasonOverlap] < v.Ran {
		t.Errorf("want runs of which each skips at least one fire for overlap: %s", v)
	}
	oneAtATime(t, l)
}

// TestManualRunAmongArmedFires: a manual run of a job that runs one at a time
// asks back the fires that nodes hold already. It runs, alone, and every fire
// still has its one outcome.
func TestManualRunAmongArmedFires(t *testing.T) {
	t.Parallel()
	c := cluster.Start(t, cluster.Options{})
	l := startExclusive(t, c, 50*time.Millisecond)
	begun(t, l, "alone", 2)
	for _, n := range c.Nodes {
		cluster.Eventually(t, settleWithin, "a manual run", func() error {
			r := c.CLI(n, "run", "--wait", "alone")
			if r.Code == 1 && strings.Contains(r.Stderr, "active") {
				return fmt.Errorf("overlap: %s", r.Stderr)
			}
			if r.Code != 0 {
				t.Errorf("run --wait on %s: exit code %d\n%s%s", n.Name, r.Code, r.Stdout, r.Stderr)
			}
			return nil
		})
	}
	manual := 0
	for _, r := range l.records.Begins("alone") {
		if r.ScheduledAt.IsZero() {
			manual++
		}
	}
	if manual != len(c.Nodes) {
		t.Errorf("%d manual runs started, want %d", manual, len(c.Nodes))
	}
	begun(t, l, "alone", len(l.records.Begins("alone"))+2)
	if v := l.verify(); v.Ran+v.Skipped[fsm.ReasonOverlap] != v.Due {
		t.Errorf("want only fires that ran or were skipped for overlap: %s", v)
	}
	oneAtATime(t, l)
}

// oneAtATime: no two processes of the load were alive at a time.
func oneAtATime(t *testing.T, l *load) {
	t.Helper()
	lines := l.records.Read()
	slices.SortFunc(lines, func(a, b record.Record) int { return a.At.Compare(b.At) })
	for i := 1; i < len(lines); i++ {
		if lines[i].Event == record.Begin && lines[i-1].Event == record.Begin {
			t.Errorf("two processes at a time:\n%s\n%s", lines[i-1], lines[i])
		}
	}
}

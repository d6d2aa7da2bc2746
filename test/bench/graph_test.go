package bench

import (
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/test/cluster"
	"github.com/rota-scheduler/rota/transport/api"
)

// TestGraphRun: one run of many trivial tasks, side by side, in a line of fans,
// and as shards of one task, beside the time in which this machine starts as many
// programs. The program that a task runs is the same.
func TestGraphRun(t *testing.T) {
	for _, p := range programs(t) {
		t.Run(filepath.Base(p.path), func(t *testing.T) { graphRun(t, p) })
	}
}

func graphRun(t *testing.T, p program) {
	n := size(2000, 60)
	c := cluster.Start(t, cluster.Options{})
	floor := floorOf(t, p)
	ideal := perSecond(floor.rate, n)
	for _, shape := range []struct {
		name string
		spec fsm.JobSpec
	}{
		{"side by side", wide(n)}, {"in fans of 100", fans(n, 100)}, {"as shards of one task", sharded(n)},
	} {
		for i := range shape.spec.Tasks {
			shape.spec.Tasks[i].Command = p.path
		}
		shape.spec.Namespace, shape.spec.Name = fsm.DefaultNamespace, fmt.Sprintf("graph-%d", len(shape.name))
		put(t, c.Client(0), []fsm.JobSpec{shape.spec})
		leader := c.Leader()
		before := used(t, c)
		took := timeOfRun(t, leader.Client(), shape.spec.Key())
		spent := used(t, c).sub(before)
		r := row{
			what: fmt.Sprintf("a run of %d tasks (%s), %s", n, p.name, shape.name), bar: "2 × the floor",
			measured: took.Round(time.Millisecond).String(), floor: fmt.Sprintf("%d/%.0f a second", n, floor.rate),
			ratio: times(took, ideal) + "; " + byProcessor(spent, n, floor),
		}
		result(t, r)
		logEach(t, spent, n)
	}
}

// timeOfRun runs a job and returns how long that took, from the trigger to the end.
func timeOfRun(t *testing.T, client *api.Client, job fsm.JobKey) (took time.Duration) {
	t.Helper()
	start := time.Now()
	if err := runNow(t.Context(), client, job); err != nil {
		t.Fatal(err)
	}
	gently(t, "the end of the run", func() error {
		list, err := client.Runs(t.Context(), api.RunFilter{Job: job.Name, State: fsm.RunSucceeded}, api.Page{}, api.Read{})
		if err == nil && len(list.Items) == 0 {
			err = errors.New("it has not succeeded")
		}
		if err == nil {
			took = list.Items[0].EndedAt.Time().Sub(start)
		}
		return err
	})
	return took
}

func trivial(i int, after ...string) fsm.Task {
	return fsm.Task{Name: fmt.Sprintf("t%04d", i), Driver: fsm.DriverExec, Command: "/bin/true", DependsOn: after}
}

// wide is n tasks that wait for nothing.
func wide(n int) (s fsm.JobSpec) {
	for i := range n {
		s.Tasks = append(s.Tasks, trivial(i))
	}
	return s
}

// fans is n tasks in a line of fans: one task, then width that wait for it, then
// one that waits for those, and so on.
func fans(n, width int) (s fsm.JobSpec) {
	var open []string
	last := ""
	for i := range n {
		switch {
		case i%(width+1) == 0:
			s.Tasks = append(s.Tasks, trivial(i, open...))
			open, last = nil, s.Tasks[i].Name
		default:
			s.Tasks = append(s.Tasks, trivial(i, last))
			open = append(open, s.Tasks[i].Name)
		}
	}
	return s
}

// sharded is one task of n shards.
func sharded(n int) (s fsm.JobSpec) {
	s.Tasks = []fsm.Task{trivial(0)}
	s.Tasks[0].Shards = &fsm.Shards{Count: n}
	return s
}

package bench

import (
	"fmt"
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
	n := size(2000, 60)
	c := cluster.Start(t, cluster.Options{})
	floor := floorRate(t, []string{"/bin/true"})
	ideal := time.Duration(float64(n) / floor * float64(time.Second))
	for _, shape := range []struct {
		name string
		spec fsm.JobSpec
	}{
		{"side by side", wide(n)}, {"in fans of 100", fans(n, 100)}, {"as shards of one task", sharded(n)},
	} {
		shape.spec.Namespace, shape.spec.Name = fsm.DefaultNamespace, fmt.Sprintf("graph-%d", len(shape.name))
		put(t, c.Client(0), []fsm.JobSpec{shape.spec})
		leader := c.Leader()
		before := used(t, c)
		start := time.Now()
		run, err := leader.Client().RunJob(t.Context(), shape.spec.Key(), "")
		if err != nil {
			t.Fatal(err)
		}
		var took time.Duration
		gently(t, "the end of the run", func() error {
			list, err := leader.Client().Runs(t.Context(), api.RunFilter{Job: shape.spec.Name, State: fsm.RunSucceeded}, api.Page{}, api.Read{})
			if err == nil && len(list.Items) == 0 {
				err = fmt.Errorf("run %s has not succeeded", run.ID)
			}
			if err == nil {
				took = list.Items[0].EndedAt.Time().Sub(start)
			}
			return err
		})
		spent := used(t, c).sub(before)
		each := func(d time.Duration) time.Duration { return (d / time.Duration(n)).Round(time.Microsecond) }
		t.Logf("%d tasks %s: %s, %.2f of what the floor of %.0f/s allows (bar: 2); processor time a task: agents %s, supervisors %s, the program itself %s",
			n, shape.name, took.Round(time.Millisecond), float64(took)/float64(ideal), floor, each(spent.agent), each(spent.supervisor), each(spent.jobs))
	}
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

package e2e

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/test/cluster"
	"github.com/rota-scheduler/rota/test/cluster/record"
	"github.com/rota-scheduler/rota/transport/api"
)

// TestAgentCrash kills the agent proper of a node whose jobs run. The supervisor
// starts another; the processes are not touched, one of which ends while there
// is no agent, and each run has its one attempt.
func TestAgentCrash(t *testing.T) {
	t.Parallel()
	c := cluster.Start(t, cluster.Options{Nodes: 1})
	n := c.Nodes[0]
	records := cluster.NewRecords(t)
	var ids []string
	for name, stay := range map[string]time.Duration{"short": 1200 * time.Millisecond, "long": 6 * time.Second} {
		spec := fsm.JobSpec{Namespace: fsm.DefaultNamespace, Name: name, Tasks: []fsm.Task{records.Task("main", stay, 0)}}
		put(t, n.Client(), spec)
		run, err := n.Client().RunJob(t.Context(), spec.Key(), "")
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, run.ID)
	}
	cluster.Eventually(t, settleWithin, "both processes", func() error {
		if got := len(records.Read()); got != 2 {
			return errCount{got, 2}
		}
		return nil
	})
	old := n.AgentPID()
	n.KillAgent()
	cluster.Eventually(t, settleWithin, "another agent that leads", func() error {
		if pid := n.AgentPID(); pid == 0 || pid == old {
			return errors.New("there is no other agent")
		}
		_, err := n.Client().Nodes(t.Context(), api.Page{}, api.Read{Consistent: true})
		return err
	})
	for _, id := range ids {
		if run := waitRun(t, n.Client(), id); run.State != fsm.RunSucceeded || run.Tasks[0].Items[0].Current.Number != 1 {
			t.Errorf("run of %s: %s %s, want success of the first attempt: %+v", run.Job, run.State, run.Reason, run.Tasks)
		}
	}
	count := map[string]int{}
	for _, r := range records.Read() {
		count[fmt.Sprintf("%s %s", r.Event, r.Job)]++
	}
	for _, job := range []string{"short", "long"} {
		if count[record.Begin+" "+job] != 1 || count[record.End+" "+job] != 1 {
			t.Errorf("want one begin and one end of each process: %v", count)
		}
	}
}

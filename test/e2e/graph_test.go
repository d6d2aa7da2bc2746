package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/test/cluster"
	"github.com/rota-scheduler/rota/transport/api"
)

// TestGraph runs a graph whose middle task fails:
//
//	extract -> crunch (fails) -> publish -> announce
//	extract -> audit -> announce
//
// What depends on it never starts, the rest does, and the run has failed.
func TestGraph(t *testing.T) {
	c := cluster.Start(t, cluster.Options{})
	records := cluster.NewRecords(t)
	apply(t, c, graphFile(records))
	n := c.Followers()[0]
	if r := c.CLI(n, "run", "--wait", "graph"); r.Code != 1 {
		t.Errorf("run --wait: exit code %d, want 1\n%s%s", r.Code, r.Stdout, r.Stderr)
	}
	list, err := n.Client().Runs(t.Context(), api.RunFilter{Job: "graph"}, api.Page{}, api.Read{})
	if err != nil || len(list.Items) != 1 {
		t.Fatalf("got %d runs, %v", len(list.Items), err)
	}
	run := waitRun(t, n.Client(), list.Items[0].ID)
	got := map[string]fsm.TaskState{"run": fsm.TaskState(run.State)}
	for _, task := range run.Tasks {
		got[task.Name] = task.State
	}
	want := map[string]fsm.TaskState{
		"extract": fsm.TaskSucceeded, "crunch": fsm.TaskFailed, "audit": fsm.TaskSucceeded,
		"publish": fsm.TaskUpstreamFailed, "announce": fsm.TaskUpstreamFailed, "run": fsm.TaskState(fsm.RunFailed),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("states (-want +got):\n%s", diff)
	}
	var order []string
	for _, r := range records.Read() {
		order = append(order, r.Event+" "+r.Task)
	}
	if len(order) != 6 || order[0] != "begin extract" || order[1] != "end extract" {
		t.Errorf("want extract alone, then crunch and audit, each once: %q", order)
	}
	r := c.CLI(n, "status", run.ID)
	for _, want := range []string{"upstream_failed", "crunch", "failed"} {
		if !strings.Contains(r.Stdout, want) {
			t.Errorf("status does not say %q:\n%s", want, r.Stdout)
		}
	}
}

func graphFile(records *cluster.Records) string {
	var b strings.Builder
	b.WriteString("job \"graph\" {\n")
	for _, task := range []struct {
		name  string
		code  int
		after []string
	}{
		{"extract", 0, nil}, {"crunch", 3, []string{"extract"}}, {"audit", 0, []string{"extract"}},
		{"publish", 0, []string{"crunch"}}, {"announce", 0, []string{"publish", "audit"}},
	} {
		argv := records.Command(0, task.code)
		fmt.Fprintf(&b, "task %q {\n command = %q\n args = [%q, %q, %q]\n depends_on = [", task.name, argv[0], argv[1], argv[2], argv[3])
		for i, name := range task.after {
			if i > 0 {
				b.WriteString(", ")
			}
			fmt.Fprintf(&b, "%q", name)
		}
		b.WriteString("]\n}\n")
	}
	b.WriteString("}\n")
	return b.String()
}

package e2e

import (
	"fmt"
	"testing"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/test/cluster"
)

// TestMetricsCount: what every node says of its log, its messages, itself and its
// supervisor grows with the runs of a job.
func TestMetricsCount(t *testing.T) {
	c := cluster.Start(t, cluster.Options{})
	before := metricsOf(t, c)
	job := fsm.JobSpec{
		Namespace: fsm.DefaultNamespace, Name: "count",
		Tasks: []fsm.Task{{Name: "t", Driver: fsm.DriverExec, Command: "/bin/true"}},
	}
	put(t, c.Client(0), job)
	const runs = 6
	for i := range runs {
		if _, err := c.Client(i%len(c.Nodes)).RunJob(t.Context(), job.Key(), ""); err != nil {
			t.Fatal(err)
		}
	}
	cluster.Eventually(t, settleWithin, "the counters grow", func() error {
		after := metricsOf(t, c)
		sent := func(kind string) string { return fmt.Sprintf("rota_messages_sent_total{kind=%q}", kind) }
		for _, name := range []string{sent("raft_append"), sent("raft_commit"), sent("http_forward")} {
			if total(after, name) <= total(before, name) {
				return fmt.Errorf("%s did not grow on any node", name)
			}
		}
		for i := range c.Nodes {
			for _, name := range []string{
				"rota_log_entries_total", "rota_log_bytes_total", "rota_log_syncs_total", sent("gossip_packet"), sent("supervisor"),
				"go_memstats_alloc_bytes_total", "go_memstats_mallocs_total", "process_cpu_seconds_total",
				"rota_supervisor_go_memstats_alloc_bytes_total", "rota_supervisor_go_memstats_mallocs_total", "rota_supervisor_messages_sent_total",
			} {
				if after[i][name] <= before[i][name] {
					return fmt.Errorf("%s of %s is %g, and was %g", name, c.Nodes[i].Name, after[i][name], before[i][name])
				}
			}
		}
		return nil
	})
}

// metricsOf are the metrics of each node.
func metricsOf(t *testing.T, c *cluster.Cluster) (all []map[string]float64) {
	t.Helper()
	for _, n := range c.Nodes {
		m, err := n.Metrics(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, m)
	}
	return all
}

func total(of []map[string]float64, name string) (sum float64) {
	for _, m := range of {
		sum += m[name]
	}
	return sum
}

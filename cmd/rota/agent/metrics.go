package agent

import (
	"fmt"
	"net/http"
	"strings"
)

// metrics serves this node's figures in the Prometheus text format. They are
// read when asked for, so that an idle node does nothing for them.
func (a *Agent) metrics() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		var b strings.Builder
		gauge := func(name, help string, value float64) {
			fmt.Fprintf(&b, "# HELP %s %s\n# TYPE %s gauge\n%s %g\n", name, help, name, name, value)
		}
		counter := func(name, help string, value uint64) {
			fmt.Fprintf(&b, "# HELP %s %s\n# TYPE %s counter\n%s %d\n", name, help, name, name, value)
		}
		leading := 0.0
		if a.IsLeader() {
			leading = 1
		}
		held, pending := 0, 0
		v := a.store.Read()
		for range v.HeldBy(a.self.ID) {
			held++
		}
		for range v.Pending() {
			pending++
		}
		stats := a.raft.Stats()
		gauge("rota_leader", "1 if this node leads.", leading)
		gauge("rota_raft_applied_index", "Index of the last applied log entry.", float64(a.raft.AppliedIndex()))
		gauge("rota_raft_commit_index", "Index of the last committed log entry known here.", float64(a.raft.CommitIndex()))
		gauge("rota_log_write_p99_seconds", "99th percentile of the last writes to the log, fsync included.", stats.P99.Seconds())
		gauge("rota_attempts_held", "Attempts that the log binds to this node.", float64(held))
		gauge("rota_shards_pending", "Shards in the cluster that wait for a place.", float64(pending))
		gauge("rota_load", "Weight of what runs on this node.", float64(a.executor.Load()))
		told := v.NotifyStats()
		gauge("rota_notifications_pending", "Notifications in the cluster that wait to be delivered.", float64(told.Pending))
		counter("rota_notifications_delivered_total", "Notifications that were delivered.", told.Delivered)
		counter("rota_notifications_retried_total", "Tries to deliver a notification that failed and were followed by another.", told.Retried)
		counter("rota_notifications_failed_total", "Notifications that were given up after their last try.", told.Failed)
		counter("rota_notifications_dropped_total", "Notifications that were dropped because too many waited.", told.Dropped)
		gauge("rota_clock_offset_seconds", "This machine's wall clock less cluster time.", a.clock.WallOffset().Seconds())
		w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		_, _ = w.Write([]byte(b.String())) // the caller is gone: nobody to tell
	})
}

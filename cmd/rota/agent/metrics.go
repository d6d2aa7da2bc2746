package agent

import (
	"context"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"time"

	"github.com/rota-scheduler/rota/cmd/rota/agent/raftnode"
	"github.com/rota-scheduler/rota/scheduling/executor/supervisor"
)

// metrics serves this node's figures in the Prometheus text format. They are
// read when asked for, so that an idle node does nothing for them.
func (a *Agent) metrics() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var e exposition
		stats := a.raft.Stats()
		a.exposeState(&e, stats)
		a.exposeTraffic(&e, stats)
		exposeUsage(&e, "", "this agent", supervisor.OwnUsage())
		if used, ok := a.supervisorUsage(r.Context()); ok {
			exposeUsage(&e, "rota_supervisor_", "the supervisor", used)
		}
		e.gauge("go_goroutines", "Goroutines of this agent.", float64(runtime.NumGoroutine()))
		w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		_, _ = w.Write([]byte(e.text.String())) // the caller is gone: nobody to tell
	})
}

// exposeState adds what the node is at and what the cluster has before it.
func (a *Agent) exposeState(e *exposition, stats raftnode.Stats) {
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
	e.gauge("rota_leader", "1 if this node leads.", leading)
	e.gauge("rota_raft_applied_index", "Index of the last applied log entry.", float64(a.raft.AppliedIndex()))
	e.gauge("rota_raft_commit_index", "Index of the last committed log entry known here.", float64(a.raft.CommitIndex()))
	e.gauge("rota_log_write_p99_seconds", "99th percentile of the last writes to the log, fsync included.", stats.P99.Seconds())
	e.gauge("rota_attempts_held", "Attempts that the log binds to this node.", float64(held))
	e.gauge("rota_shards_pending", "Shards in the cluster that wait for a place.", float64(pending))
	e.gauge("rota_load", "Weight of what runs on this node.", float64(a.executor.Load()))
	told := v.NotifyStats()
	e.gauge("rota_notifications_pending", "Notifications in the cluster that wait to be delivered.", float64(told.Pending))
	e.counter("rota_notifications_delivered_total", "Notifications that were delivered.", told.Delivered)
	e.counter("rota_notifications_retried_total", "Tries to deliver a notification that failed and were followed by another.", told.Retried)
	e.counter("rota_notifications_failed_total", "Notifications that were given up after their last try.", told.Failed)
	e.counter("rota_notifications_dropped_total", "Notifications that were dropped because too many waited.", told.Dropped)
	e.gauge("rota_clock_offset_seconds", "This machine's wall clock less cluster time.", a.clock.WallOffset().Seconds())
}

// exposeTraffic adds what this agent has written to its log and sent to others.
func (a *Agent) exposeTraffic(e *exposition, stats raftnode.Stats) {
	e.counter("rota_log_entries_total", "Entries written to the log.", stats.Entries)
	e.counter("rota_log_bytes_total", "Bytes of the entries written to the log, without what the store adds.", stats.Bytes)
	e.counter("rota_log_syncs_total", "Calls of fdatasync for writes to the log: two for each, and one write may hold several entries.", stats.Syncs)
	packets, streams := a.gossip.Sent()
	forwarded := uint64(0)
	for _, f := range a.forwarders {
		forwarded += f.Tries()
	}
	sent := []labelled{
		{"raft_append", stats.Sent.Appends}, {"raft_commit", stats.Sent.Commits}, {"raft_heartbeat", stats.Sent.Heartbeats},
		{"raft_vote", stats.Sent.Votes}, {"raft_snapshot", stats.Sent.Snapshots},
		{"http_call", a.caller.Calls()}, {"http_forward", forwarded},
		{"gossip_packet", packets}, {"gossip_stream", streams},
	}
	if p, ok := a.processes.(interface{ Sent() uint64 }); ok {
		sent = append(sent, labelled{"supervisor", p.Sent()})
	}
	e.counters("rota_messages_sent_total", "Requests and packets to other nodes and requests to the supervisor, answers not counted.", "kind", sent)
}

// usagePatience bounds the question to the supervisor.
const usagePatience = time.Second

// supervisorUsage asks the supervisor what it has used; false if there is none, if
// it is older than the question, or if it does not answer.
func (a *Agent) supervisorUsage(ctx context.Context) (supervisor.Usage, bool) {
	p, ok := a.processes.(interface {
		Usage(ctx context.Context) (supervisor.Usage, error)
	})
	if !ok {
		return supervisor.Usage{}, false
	}
	ctx, cancel := context.WithTimeout(ctx, usagePatience)
	defer cancel()
	u, err := p.Usage(ctx)
	return u, err == nil
}

// exposeUsage adds what a process has used, by the names that Prometheus' own
// client for Go gives to such figures.
func exposeUsage(e *exposition, prefix, whose string, u supervisor.Usage) {
	e.value(prefix+"process_cpu_seconds_total", "Processor time of "+whose+", without its children's.", "counter", u.CPU.Seconds())
	e.counter(prefix+"go_memstats_alloc_bytes_total", "Bytes allocated by "+whose+" since it started.", u.Bytes)
	e.counter(prefix+"go_memstats_mallocs_total", "Objects allocated by "+whose+" since it started.", u.Objects)
	e.counter(prefix+"go_gc_cycles_total", "Garbage collections of "+whose+" since it started.", u.Collections)
	if u.Frames > 0 {
		e.counter(prefix+"messages_sent_total", "Answers and notices from "+whose+" to this agent.", u.Frames)
	}
}

// exposition is a page in the Prometheus text format.
type exposition struct{ text strings.Builder }

// labelled is one series of a counter.
type labelled struct {
	label string
	value uint64
}

func (e *exposition) gauge(name, help string, value float64) { e.value(name, help, "gauge", value) }

func (e *exposition) value(name, help, kind string, value float64) {
	e.head(name, help, kind)
	fmt.Fprintf(&e.text, "%s %g\n", name, value)
}

func (e *exposition) counter(name, help string, value uint64) {
	e.head(name, help, "counter")
	fmt.Fprintf(&e.text, "%s %d\n", name, value)
}

// counters adds a counter with a series for each value of a label.
func (e *exposition) counters(name, help, label string, series []labelled) {
	e.head(name, help, "counter")
	for _, s := range series {
		fmt.Fprintf(&e.text, "%s{%s=%q} %d\n", name, label, s.label, s.value)
	}
}

func (e *exposition) head(name, help, kind string) {
	fmt.Fprintf(&e.text, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind)
}

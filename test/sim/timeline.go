package sim

import (
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/go-msgpack/v2/codec"
	"github.com/hashicorp/raft"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/test/check"
)

// traceHandler puts an agent's warnings into the trace, besides what logHandler
// does with them.
type traceHandler struct {
	logHandler
	trace *Trace
}

func (h *traceHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn || h.logHandler.Enabled(ctx, level)
}

func (h *traceHandler) Handle(ctx context.Context, r slog.Record) error {
	if r.Level >= slog.LevelWarn {
		text := r.Message
		r.Attrs(func(a slog.Attr) bool { text += fmt.Sprintf(" %s=%v", a.Key, a.Value); return true })
		h.trace.Note(h.node, "log: %s", text)
	}
	if h.logHandler.Enabled(ctx, r.Level) {
		return h.logHandler.Handle(ctx, r)
	}
	return nil
}

func (h *traceHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	with := *h
	with.logHandler.attrs = append(slices.Clone(h.logHandler.attrs), attrs...)
	return &with
}

func (h *traceHandler) WithGroup(string) slog.Handler { return h }

// timeline returns every event, the entries of the log among them.
func (t *Trace) timeline(c *Cluster) []check.Event {
	t.mu.Lock()
	defer t.mu.Unlock()
	list := slices.Clone(t.events)
	stored := map[uint64][]string{}
	first := map[uint64]time.Time{}
	for _, w := range t.writes {
		for i := w.first; i <= w.last; i++ {
			if _, ok := first[i]; !ok {
				first[i] = w.at
			}
			stored[i] = append(stored[i], fmt.Sprintf("%s %s", w.node, w.at.UTC().Format("05.000000")))
		}
	}
	best := c.nodes[0]
	for _, n := range c.nodes {
		if n.store.Index() > best.store.Index() {
			best = n
		}
	}
	last, _ := best.logs.LastIndex()
	for i := uint64(1); i <= last; i++ {
		var entry raft.Log
		if best.logs.GetLog(i, &entry) != nil || entry.Type != raft.LogCommand {
			continue
		}
		for _, e := range commandsOf(entry.Data) {
			e.At = first[i]
			e.Text = fmt.Sprintf("log %d (on disk: %s): %s", i, strings.Join(stored[i], ", "), e.Text)
			list = append(list, e)
		}
	}
	return list
}

// envelope is how long what comes before a command's body is; the opcode ends it.
const envelope = 6

// commandsOf describes the commands of an entry.
func commandsOf(data []byte) []check.Event {
	if len(data) < envelope {
		return nil
	}
	op, body := fsm.Opcode(binary.BigEndian.Uint16(data[envelope-2:])), data[envelope:]
	switch op {
	case fsm.OpBatch:
		var list []check.Event
		for _, one := range decoded[fsm.Batch](body).Commands {
			list = append(list, commandsOf(one)...)
		}
		return list
	case fsm.OpDecideFires:
		var list []check.Event
		for _, d := range decoded[fsm.DecideFires](body).Decisions {
			text := fmt.Sprintf("decide %s at %s skip=%q version %d next %s", d.Job, d.Instant, d.Skip, d.Version, d.Next)
			if d.Arm != nil {
				text += fmt.Sprintf(" arm on %.8s/%d", d.Arm.Node, d.Arm.Incarnation)
			}
			list = append(list, check.Event{Job: d.Job, Text: text})
		}
		return list
	case fsm.OpArmShards:
		var list []check.Event
		for _, a := range decoded[fsm.ArmShards](body).Placements {
			list = append(list, check.Event{Runs: []string{a.RunID}, Text: fmt.Sprintf("arm %s on %.8s/%d", a.AttemptRef, a.Node, a.Incarnation)})
		}
		return list
	case fsm.OpReportAttempts:
		cmd := decoded[fsm.ReportAttempts](body)
		var list []check.Event
		for _, r := range cmd.Reports {
			list = append(list, check.Event{Runs: []string{r.RunID}, Text: fmt.Sprintf("report of %.8s/%d: %s %s %s", cmd.Node, cmd.Incarnation, r.AttemptRef, r.Kind, r.Outcome)})
		}
		return list
	case fsm.OpDisplaceShards:
		cmd := decoded[fsm.DisplaceShards](body)
		var list []check.Event
		for _, ref := range cmd.Items {
			list = append(list, check.Event{Runs: []string{ref.RunID}, Text: fmt.Sprintf("displace %s: %s (%s)", ref, cmd.Kind, cmd.Reason)})
		}
		return list
	}
	return other(op, body)
}

// other describes the commands that concern one thing.
func other(op fsm.Opcode, body []byte) []check.Event {
	switch op {
	case fsm.OpPutJobs:
		var list []check.Event
		for _, j := range decoded[fsm.PutJobs](body).Jobs {
			list = append(list, check.Event{Job: j.Spec.Key(), Text: "put " + j.Spec.Description})
		}
		return list
	case fsm.OpDeleteJob:
		cmd := decoded[fsm.DeleteJob](body)
		return []check.Event{{Job: cmd.Job, Text: "delete " + cmd.Job.Name}}
	case fsm.OpSetPaused:
		cmd := decoded[fsm.SetPaused](body)
		return []check.Event{{Job: cmd.Job, Text: fmt.Sprintf("paused %v", cmd.Paused)}}
	case fsm.OpStartRun:
		cmd := decoded[fsm.StartRun](body)
		return []check.Event{{Job: cmd.Job, Text: "start run " + cmd.ID}}
	case fsm.OpCancelRun:
		cmd := decoded[fsm.CancelRun](body)
		return []check.Event{{Runs: []string{cmd.ID}, Text: "cancel run"}}
	case fsm.OpRetryRun:
		cmd := decoded[fsm.RetryRun](body)
		return []check.Event{{Runs: []string{cmd.ID}, Text: "retry run"}}
	case fsm.OpRegisterNode:
		cmd := decoded[fsm.RegisterNode](body)
		return []check.Event{{Text: fmt.Sprintf("register %s = %.8s/%d", cmd.Node.Name, cmd.Node.ID, cmd.Node.Incarnation)}}
	case fsm.OpSetNodeStatus:
		cmd := decoded[fsm.SetNodeStatus](body)
		return []check.Event{{Text: fmt.Sprintf("node %.8s is %s, says %s", cmd.ID, cmd.Status, cmd.By)}}
	}
	return nil
}

func decoded[T any](body []byte) T {
	var cmd T
	_ = codec.NewDecoderBytes(body, &codec.MsgpackHandle{WriteExt: true}).Decode(&cmd) // it was applied, so it can be read
	return cmd
}

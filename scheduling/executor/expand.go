package executor

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/rota-scheduler/rota/fsm"
)

const (
	// maxExpanded bounds all the texts of an attempt together, after expansion.
	maxExpanded = 1 << 20
	// maxWord is what the kernel takes as one argument or one variable.
	maxWord = 128<<10 - 1
)

// scope is what an attempt's references can mean.
type scope struct {
	view  *fsm.View
	run   *fsm.Run
	shard *fsm.Shard
	slice fsm.Slice
	node  fsm.Node
}

// scopeOf gathers what an attempt on this node knows.
func (e *Executor) scopeOf(v *fsm.View, run *fsm.Run, s *fsm.Shard) *scope {
	sc := &scope{view: v, run: run, shard: s, slice: v.Slice(s), node: fsm.Node{ID: e.cfg.NodeID, Name: e.cfg.NodeName}}
	if n := v.Node(e.cfg.NodeID); n != nil {
		sc.node = *n
		sc.node.Name = e.cfg.NodeName
	}
	return sc
}

// value returns what a reference stands for.
func (sc *scope) value(name string) (string, error) {
	switch name {
	case "run.id":
		return sc.run.ID, nil
	case "run.job":
		return sc.run.Job, nil
	case "run.namespace":
		return sc.run.Namespace, nil
	case "run.version":
		return strconv.FormatUint(sc.run.Version, 10), nil
	case "run.scheduled_at":
		return sc.run.ScheduledAt.String(), nil
	case "run.trigger":
		return sc.run.Trigger, nil
	case "run.upstream_id":
		return sc.run.UpstreamRunID, nil
	case "run.attempt":
		return strconv.Itoa(sc.shard.Current.Number), nil
	case "shard.index":
		return strconv.Itoa(sc.slice.Index), nil
	case "shard.count":
		return strconv.Itoa(sc.slice.Count), nil
	case "shard.start":
		return strconv.FormatInt(sc.slice.Start, 10), nil
	case "shard.end":
		return strconv.FormatInt(sc.slice.End, 10), nil
	case "shard.items":
		return sc.items()
	case "node.id":
		return sc.node.ID, nil
	case "node.name":
		return sc.node.Name, nil
	case "node.region":
		return sc.node.Region, nil
	case "node.zone":
		return sc.node.Zone, nil
	}
	return sc.named(name)
}

// named returns the value of a reference whose name holds another.
func (sc *scope) named(name string) (string, error) {
	if key, ok := strings.CutPrefix(name, "node.labels."); ok {
		return sc.node.Labels[key], nil
	}
	if p, ok := fsm.ParamReference(name); ok {
		if value, ok := sc.run.Params[p]; ok {
			return value, nil
		}
		return "", fmt.Errorf("${%s}: the run has no such param", name)
	}
	if task, ok := fsm.OutputReference(name); ok {
		if rt := sc.view.Task(sc.run.ID, task); rt != nil {
			return rt.Output, nil
		}
		return "", fmt.Errorf("${%s}: the run has no such task", name)
	}
	return "", fsm.CheckReference(name)
}

// items returns the shard's items as a JSON array.
func (sc *scope) items() (string, error) {
	list := sc.slice.Items
	if list == nil {
		list = []string{}
	}
	b, err := json.Marshal(list)
	if err != nil {
		return "", fmt.Errorf("writing the shard's items: %w", err)
	}
	return string(b), nil
}

// expandTask returns the task with every reference in its texts replaced. The
// error says which text is at fault.
func expandTask(t *fsm.Task, value func(name string) (string, error)) (*fsm.Task, error) {
	left := maxExpanded
	return t.MapTexts(func(field, text string) (string, error) {
		out, err := expandText(text, value, left)
		if err != nil {
			return "", fmt.Errorf("%s: %w", field, err)
		}
		left -= len(out)
		return out, nil
	})
}

// expandText replaces the references of one text, to at most limit bytes.
func expandText(text string, value func(name string) (string, error), limit int) (string, error) {
	spans, err := fsm.ScanText(text)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for _, sp := range spans {
		s := sp.Text
		if sp.Ref {
			if s, err = value(sp.Text); err != nil {
				return "", err
			}
		}
		if b.Len()+len(s) > limit {
			return "", fmt.Errorf("with its references replaced it takes more than %d bytes, together with what stands before it", maxExpanded)
		}
		b.WriteString(s)
	}
	return b.String(), nil
}

// checkWords refuses what the kernel would: its own error names nothing.
func checkWords(what string, words []string) error {
	for _, w := range words {
		if len(w) > maxWord {
			name, _, _ := strings.Cut(w[:64], "=")
			return fmt.Errorf("%s %q... takes %d bytes, at most %d are possible: cut the task into more shards, or hand it over in a file", what, name, len(w), maxWord)
		}
	}
	return nil
}

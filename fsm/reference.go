package fsm

import (
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
)

// Texts of a task may hold references to what is known only when an attempt
// starts: "${run.id}". They stand in the spec as they are written; "$${" is a
// literal "${", and every other dollar is itself. The node that starts an
// attempt expands them.

// Span is a piece of a text: literal text or a reference's name.
type Span struct {
	Text string
	Ref  bool
}

// maxReference bounds a reference's name.
const maxReference = 2 * MaxNameLength

// ScanText cuts a text into its pieces. It fails on a reference that is not
// closed or is no name; whether the name means something it does not ask.
func ScanText(s string) ([]Span, error) {
	var spans []Span
	for s != "" {
		i := strings.Index(s, "${")
		if i < 0 {
			return append(spans, Span{Text: s}), nil
		}
		if i > 0 && s[i-1] == '$' {
			spans = append(spans, Span{Text: s[:i-1]}, Span{Text: "${"})
			s = s[i+2:]
			continue
		}
		if i > 0 {
			spans = append(spans, Span{Text: s[:i]})
		}
		name, rest, closed := strings.Cut(s[i+2:], "}")
		if !closed || !referenceForm(name) {
			return nil, fmt.Errorf("%w: %q: want a reference such as ${run.id}, or $${ for the text itself", ErrInvalid, clip(s[i:], 64))
		}
		spans = append(spans, Span{Text: name, Ref: true})
		s = rest
	}
	return spans, nil
}

// referenceForm says whether s is words of letters, digits, '_' and '-' with
// dots between them.
func referenceForm(s string) bool {
	if len(s) > maxReference || s == "" || s[0] == '.' || s[len(s)-1] == '.' {
		return false
	}
	for i := range len(s) {
		c := s[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '_', c == '-', c == '/':
		case c == '.' && s[i-1] != '.':
		default:
			return false
		}
	}
	return true
}

// EscapeText returns the text that stands for s itself.
func EscapeText(s string) string { return strings.ReplaceAll(s, "${", "$${") }

// References returns the names that a text refers to, in their order.
func References(s string) ([]string, error) {
	if !strings.Contains(s, "${") {
		return nil, nil
	}
	spans, err := ScanText(s)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, sp := range spans {
		if sp.Ref {
			names = append(names, sp.Text)
		}
	}
	return names, nil
}

// fixedReferences are the names that every attempt has a value for.
var fixedReferences = map[string]bool{
	"run.id": true, "run.job": true, "run.namespace": true, "run.version": true, "run.scheduled_at": true,
	"run.trigger": true, "run.upstream_id": true, "run.attempt": true,
	"shard.index": true, "shard.count": true, "shard.start": true, "shard.end": true, "shard.items": true,
	"node.name": true, "node.id": true, "node.region": true, "node.zone": true,
}

// CheckReference says whether a name can mean something. Whether the job has the
// parameter or the task that it names is checked by Validate.
func CheckReference(name string) error {
	if fixedReferences[name] {
		return nil
	}
	if key, ok := strings.CutPrefix(name, "node.labels."); ok && key != "" {
		return nil
	}
	if _, ok := ParamReference(name); ok {
		return nil
	}
	if _, ok := OutputReference(name); ok {
		return nil
	}
	return fmt.Errorf("%w: ${%s}: there is no such value; want run.id, run.job, run.namespace, run.version, run.scheduled_at, run.trigger, "+
		"run.upstream_id, run.attempt, shard.index, shard.count, shard.start, shard.end, shard.items, "+
		"node.name, node.id, node.region, node.zone, node.labels.KEY, params.NAME or tasks.NAME.output", ErrInvalid, name)
}

// ParamReference returns the parameter that a reference names.
func ParamReference(name string) (string, bool) {
	p, ok := strings.CutPrefix(name, "params.")
	return p, ok && p != "" && !strings.Contains(p, ".")
}

// OutputReference returns the task whose output a reference names.
func OutputReference(name string) (string, bool) {
	t, ok := strings.CutPrefix(name, "tasks.")
	if !ok {
		return "", false
	}
	t, ok = strings.CutSuffix(t, ".output")
	return t, ok && t != ""
}

// Texts yields every text of the task that may hold references, behind the name
// of its field.
func (t *Task) Texts() iter.Seq2[string, string] {
	return func(yield func(field, text string) bool) {
		_, err := t.MapTexts(func(field, text string) (string, error) {
			if !yield(field, text) {
				return "", errStop
			}
			return text, nil
		})
		_ = err // there is no other than errStop
	}
}

var errStop = errors.New("stop")

// MapTexts returns a copy of the task in which f has replaced every text that may
// hold references. It stops at f's first error.
func (t *Task) MapTexts(f func(field, text string) (string, error)) (*Task, error) {
	m := textMapper{f: f}
	out := *t
	out.Command = m.text("command", t.Command)
	out.Args = make([]string, len(t.Args))
	for i, a := range t.Args {
		out.Args[i] = m.text("args", a)
	}
	out.Env = m.table("env", t.Env)
	out.Dir = m.text("dir", t.Dir)
	if t.HTTP != nil {
		call := *t.HTTP
		call.URL = m.text("url", call.URL)
		call.Headers = m.table("headers", call.Headers)
		call.Body = m.text("body", call.Body)
		out.HTTP = &call
	}
	return &out, m.err
}

// textMapper remembers the first error, after which it maps nothing.
type textMapper struct {
	f   func(field, text string) (string, error)
	err error
}

func (m *textMapper) text(field, s string) string {
	if m.err != nil || s == "" {
		return s
	}
	s, m.err = m.f(field, s)
	return s
}

func (m *textMapper) table(field string, t map[string]string) map[string]string {
	if len(t) == 0 {
		return t
	}
	out := make(map[string]string, len(t))
	for _, k := range slices.Sorted(maps.Keys(t)) {
		out[k] = m.text(field, t[k])
	}
	return out
}

// readsOf finds out whose output the tasks of a job read.
func readsOf(spec *JobSpec) Reads {
	var r Reads
	for i := range spec.Tasks {
		t := &spec.Tasks[i]
		if t.Shards != nil && t.Shards.ItemsFrom != "" {
			r.Lists = append(r.Lists, t.Shards.ItemsFrom)
		}
		for _, s := range t.Texts() {
			names, _ := References(s) // it was checked before
			for _, name := range names {
				if task, ok := OutputReference(name); ok {
					r.Lines = append(r.Lines, task)
				}
			}
		}
	}
	slices.Sort(r.Lines)
	slices.Sort(r.Lists)
	r.Lines, r.Lists = slices.Compact(r.Lines), slices.Compact(r.Lists)
	return r
}

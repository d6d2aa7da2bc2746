package executor

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rota-scheduler/rota/fsm"
)

func testScope() *scope {
	return &scope{
		view:  fsm.NewStore(nil).Read(),
		run:   &fsm.Run{ID: "R", Job: "j", Namespace: "ns", Version: 3, ScheduledAt: 1e9, Trigger: "after", UpstreamRunID: "U", Params: map[string]string{"day": "${run.id}"}},
		shard: &fsm.Shard{RunID: "R", Task: "t", Index: 1, Current: fsm.Attempt{Number: 4}},
		slice: fsm.Slice{Index: 1, Count: 3, Start: -5, End: 7, Items: []string{"a", `b"`}},
		node:  fsm.Node{ID: "id", Name: "n1", Region: "cn", Zone: "z", Labels: map[string]string{"disk.type": "ssd"}},
	}
}

// TestExpand: what each reference becomes. What a value holds is not expanded
// again.
func TestExpand(t *testing.T) {
	for in, want := range map[string]string{
		"":                         "",
		"plain $HOME $ $$ %{x}":    "plain $HOME $ $$ %{x}",
		"$${run.id}":               "${run.id}",
		"$$${run.id}":              "$${run.id}",
		"${run.id}${run.job}":      "Rj",
		"<${run.namespace}>":       "<ns>",
		"${run.version}":           "3",
		"${run.scheduled_at}":      "1970-01-01T00:00:01Z",
		"${run.trigger}":           "after",
		"${run.upstream_id}":       "U",
		"${run.attempt}":           "4",
		"${shard.index}":           "1",
		"${shard.count}":           "3",
		"${shard.start}":           "-5",
		"${shard.end}":             "7",
		"${shard.items}":           `["a","b\""]`,
		"${node.id}${node.name}":   "idn1",
		"${node.region}":           "cn",
		"${node.zone}":             "z",
		"${node.labels.disk.type}": "ssd",
		"${node.labels.none}":      "",
		"${params.day}":            "${run.id}",
	} {
		got, err := expandText(in, testScope().value, maxExpanded)
		if err != nil || got != want {
			t.Errorf("%q: %q, %v; want %q", in, got, err, want)
		}
	}
	for in, want := range map[string]string{
		"${run.what}":        "there is no such value",
		"${}":                "want a reference",
		"${ run.id }":        "want a reference",
		"${run.id":           "want a reference",
		"${params.no}":       "no such param",
		"${tasks.no.output}": "no such task",
		"${a..b}":            "want a reference",
	} {
		if _, err := expandText(in, testScope().value, maxExpanded); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", in, err, want)
		}
	}
}

// TestExpandIsBounded: references that repeat a long value end at the bound, over
// all texts of the task together.
func TestExpandIsBounded(t *testing.T) {
	long := strings.Repeat("x", maxExpanded/2)
	value := func(string) (string, error) { return long, nil }
	if _, err := expandTask(&fsm.Task{Args: []string{"${run.id}", "${run.id}"}}, value); err != nil {
		t.Errorf("at the bound: %v", err)
	}
	_, err := expandTask(&fsm.Task{Args: []string{"${run.id}", "${run.id}"}, Env: map[string]string{"A": "y"}}, value)
	if err == nil || !strings.Contains(err.Error(), "env: ") {
		t.Errorf("past the bound: %v", err)
	}
	if err := checkWords("argument", []string{"ok", strings.Repeat("x", maxWord+1)}); err == nil {
		t.Error("an argument that the kernel refuses was taken")
	}
}

// TestExpandTaskLeavesTheSpecAlone: the task belongs to the replicated state.
func TestExpandTaskLeavesTheSpecAlone(t *testing.T) {
	task := &fsm.Task{
		Command: "${run.id}", Args: []string{"${run.id}"}, Env: map[string]string{"A": "${run.id}"}, Dir: "${run.id}",
		HTTP: &fsm.HTTPCall{URL: "${run.id}", Headers: map[string]string{"H": "${run.id}"}, Body: "${run.id}"},
	}
	before := fmt.Sprintf("%+v %+v", *task, *task.HTTP)
	got, err := expandTask(task, testScope().value)
	if err != nil {
		t.Fatal(err)
	}
	if after := fmt.Sprintf("%+v %+v", *task, *task.HTTP); after != before {
		t.Errorf("the spec changed: %s", after)
	}
	want := &fsm.Task{
		Command: "R", Args: []string{"R"}, Env: map[string]string{"A": "R"}, Dir: "R",
		HTTP: &fsm.HTTPCall{URL: "R", Headers: map[string]string{"H": "R"}, Body: "R"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// FuzzExpand: no text makes it panic or pass its bound, and an escaped text
// comes back as itself.
func FuzzExpand(f *testing.F) {
	for _, s := range []string{"", "${run.id}", "$${", "$$${x}", "${node.labels.a.b}", "${", "a${shard.items}b", "${params.day}$"} {
		f.Add(s)
	}
	const limit = 1000
	f.Fuzz(func(t *testing.T, s string) {
		if got, err := expandText(s, testScope().value, limit); err == nil && len(got) > limit {
			t.Errorf("%q: %d bytes", s, len(got))
		}
		if strings.HasSuffix(s, "$") || len(s) > limit/2 {
			return
		}
		if got, err := expandText(fsm.EscapeText(s), testScope().value, limit); err != nil || got != s {
			t.Errorf("%q escaped comes back as %q, %v", s, got, err)
		}
	})
}

func TestParseItems(t *testing.T) {
	for in, want := range map[string][]string{
		"[]":                               {},
		` ["a", "b\n", 1.0, true] ` + "\n": {"a", "b\n", "1.0", "true"},
		`[null, {"a" : [1, 2]}]`:           {"null", `{"a":[1,2]}`},
	} {
		got, err := parseItems([]byte(in))
		if err != nil || cmp.Diff(want, got) != "" {
			t.Errorf("%s: %q, %v", in, got, err)
		}
	}
	for in, want := range map[string]string{
		"":                 "want one JSON array",
		"null":             "found null",
		`{"a":1}`:          "want one JSON array",
		`["a"] ["b"]`:      "want one JSON array",
		`loading` + "\n[]": "want one JSON array",
		"[" + strings.Repeat("1,", fsm.MaxItems) + "1]": "10001 items",
	} {
		if _, err := parseItems([]byte(in)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40s: %v, want %q", in, err, want)
		}
	}
}

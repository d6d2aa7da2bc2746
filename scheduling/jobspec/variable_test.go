package jobspec

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const noopTask = "  task \"t\" { driver = \"noop\" }\n"

// The files of one call share their variables and local values, whatever order
// they stand in; a file may hold nothing else.
func TestSourcesShareVariables(t *testing.T) {
	sources := []Source{
		{Name: "job.hcl", Bytes: []byte("job \"a\" {\n  description = \"${var.x} ${local.y}\"\n" + noopTask + "}\n")},
		{Name: "locals.hcl", Bytes: []byte("locals {\n  y = upper(var.x)\n}\n")},
		{Name: "variables.hcl", Bytes: []byte("variable \"x\" { default = \"v\" }\n")},
	}
	content, diags := Decode(sources, Options{})
	specs := content.Jobs
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	if got := specs[0].Description; got != "v V" {
		t.Errorf("description %q", got)
	}
	_, diags = Decode(sources[1:], Options{})
	want := []Problem{{
		Severity: "error", Summary: "No jobs", File: "locals.hcl", Line: 1, Column: 1,
		Detail: "There is no job in the files, so there is nothing to apply. A job is a block that begins with: job \"name\" {",
	}}
	if diff := cmp.Diff(want, Problems(diags)); diff != "" {
		t.Error(diff)
	}
	_, diags = Decode(append(sources, Source{Name: "twice.hcl", Bytes: sources[2].Bytes}), Options{})
	if got := Problems(diags); len(got) != 1 || got[0].Summary != "Duplicate variable" || got[0].File != "twice.hcl" {
		t.Errorf("twice: %v", got)
	}
}

func TestInputs(t *testing.T) {
	const file = `variable "text" { default = "d" }
variable "bare" {}
variable "typed" {
  type    = number
  default = 1
}
variable "guess" { default = 1 }
variable "list" {
  type    = list(number)
  default = []
}
variable "object" {
  type    = object({ a = string, b = bool })
  default = null
}
variable "any" { default = ["x"] }
job "a" {
  description = jsonencode([var.text, var.bare, var.typed, var.guess, var.list, var.object, var.any])
  task "t" { driver = "noop" }
}
`
	one := func(name, value string) Input {
		return Input{Source: Source{Name: "--var " + name, Bytes: []byte(value)}, Variable: name}
	}
	bare := one("bare", "b")
	for name, c := range map[string]struct {
		inputs []Input
		want   string // the description, or the beginning of the first problem
	}{
		"defaults":       {[]Input{bare}, `["d","b",1,1,[],null,["x"]]`},
		"texts":          {[]Input{bare, one("text", "5"), one("bare", "[1]")}, `["5","[1]",1,1,[],null,["x"]]`},
		"numbers":        {[]Input{bare, one("typed", "2"), one("guess", `"3"`)}, `["d","b",2,3,[],null,["x"]]`},
		"lists":          {[]Input{bare, one("list", `[1, "2"]`), one("any", `{ a = upper("x") }`)}, `["d","b",1,1,[1,2],null,{"a":"X"}]`},
		"object":         {[]Input{bare, one("object", `{ a = 1, b = "true" }`)}, `["d","b",1,1,[],{"a":"1","b":true},["x"]]`},
		"last wins":      {[]Input{bare, one("text", "1"), one("text", "2")}, `["2","b",1,1,[],null,["x"]]`},
		"missing":        {nil, `file.hcl:2,1 Missing value`},
		"wrong type":     {[]Input{bare, one("typed", `"two"`)}, `--var typed:1,1 Wrong type`},
		"wrong guess":    {[]Input{bare, one("guess", `[1]`)}, `--var guess:1,1 Wrong type`},
		"wrong element":  {[]Input{bare, one("list", `["x"]`)}, `--var list:1,1 Wrong type`},
		"wrong object":   {[]Input{bare, one("object", `{ a = 1 }`)}, `--var object:1,1 Wrong type`},
		"reference":      {[]Input{bare, one("list", `[var.typed]`)}, `--var list:1,2 Reference not allowed`},
		"run":            {[]Input{bare, one("list", `[run.id]`)}, `--var list:1,2 Reference not allowed`},
		"syntax":         {[]Input{bare, one("list", `[1`)}, `--var list:1,1 Invalid value`},
		"empty":          {[]Input{bare, one("typed", ``)}, `--var typed:1,1 Invalid value`},
		"rest":           {[]Input{bare, one("typed", `1 2`)}, `--var typed:1,3 Invalid value`},
		"deep":           {[]Input{bare, one("any", strings.Repeat("[", 5000))}, `--var any:1,201 Too complex`},
		"encoding":       {[]Input{bare, one("text", "\xff")}, `--var text:1,1 Invalid value`},
		"huge":           {[]Input{bare, one("text", strings.Repeat("x", maxValueBytes+1))}, `--var text:1,1 Too much to evaluate`},
		"digits":         {[]Input{bare, one("typed", `"`+strings.Repeat("9", 100_000)+`"`)}, `--var typed:1,1 Wrong type`},
		"unknown":        {[]Input{bare, one("texd", "x")}, `--var texd:1,1 Unknown variable`},
		"block in file":  {[]Input{bare, {Source: Source{Name: "f", Bytes: []byte("typed = 2\nvariable \"x\" {}\n")}}}, `f:2,1 Unexpected "variable" block`},
		"unknown in one": {[]Input{bare, {Source: Source{Name: "f", Bytes: []byte("typed = 2\ntipped = 3\n")}}}, `f:2,1 Unknown variable`},
	} {
		t.Run(name, func(t *testing.T) {
			content, diags := Decode([]Source{{Name: "file.hcl", Bytes: []byte(file)}}, Options{Inputs: c.inputs})
			specs := content.Jobs
			got := ""
			if diags.HasErrors() {
				p := Problems(diags)[0]
				got = fmt.Sprintf("%s:%d,%d %s", p.File, p.Line, p.Column, p.Summary)
			} else {
				got = specs[0].Description
			}
			if got != c.want {
				t.Errorf("got %s, want %s; %v", got, c.want, diags)
			}
		})
	}
}

// What stands in a text comes out of it, to the byte, when an attempt starts.
func TestTextsAreEscaped(t *testing.T) {
	for text, want := range map[string]string{
		`a$${x}b`:             "a${x}b",
		`$HOME and $${HOME}`:  "$HOME and ${HOME}",
		`${"$$"}{x}`:          "$${x}",
		`${"$"}${"{"}x}`:      "${x}",
		`${run.id}$${run.id}`: "ID${run.id}",
		`${"$"} ${run.id}`:    "$ ID",
	} {
		src := Source{Name: "x", Bytes: []byte("job \"a\" {\n  task \"t\" {\n    command = \"" + text + "\"\n  }\n}\n")}
		content, diags := Decode([]Source{src}, Options{})
		specs := content.Jobs
		if diags.HasErrors() {
			t.Errorf("%s: %v", text, diags)
			continue
		}
		if got := started(t, specs[0].Tasks[0].Command); got != want {
			t.Errorf("%s becomes %q, want %q", text, got, want)
		}
	}
	src := Source{Name: "x", Bytes: []byte("job \"a\" {\n  task \"t\" {\n    command = \"${\"$\"}${run.id}\"\n  }\n}\n")}
	if _, diags := Decode([]Source{src}, Options{}); len(diags) != 1 || diags[0].Summary != "Invalid reference" {
		t.Errorf("a dollar before a reference: %v", diags)
	}
}

// Ten thousand jobs may come from one block.
func TestDynamicJobs(t *testing.T) {
	src := Source{Name: "x", Bytes: []byte(`locals {
  ids = flatten([for i in range(100) : [for j in range(100) : "${i}-${j}"]])
}
dynamic "job" {
  for_each = local.ids
  labels   = ["job-${job.value}"]
  content {
    description = "job ${job.key}, ${upper(job.value)}"
    labels      = { id = job.value, number = job.key % 10 }
    schedule {
      cron     = "${job.key % 60} * * * *"
      timezone = "Europe/Berlin"
    }
    task "t" {
      command = "/bin/${job.value}"
      args    = ["--id=${job.value}", "--run=${run.id}", job.key > 10 ? "--large" : "--small"]
      env     = { ID = job.value, N = format("%05d", job.key) }
    }
  }
}
`)}
	content, diags := Decode([]Source{src}, Options{})
	specs := content.Jobs
	if diags.HasErrors() || len(specs) != MaxJobs {
		t.Fatalf("%d jobs, %v", len(specs), diags)
	}
	last := specs[MaxJobs-1]
	if last.Name != "job-99-99" || last.Tasks[0].Env["N"] != "09999" || last.Tasks[0].Args[1] != "--run=${run.id}" {
		t.Errorf("the last is %+v", last)
	}
}

package jobspec

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
)

// misused are the blocks of the job file: where each stands, and what makes it a
// legal one.
var misused = map[string]struct {
	schema *hcl.BodySchema
	parent string
	header string
	legal  map[string]string
}{
	"variable":   {variableSchema, "", `variable "v"`, map[string]string{"default": `"x"`}},
	"validation": {validationSchema, "variable", `validation`, map[string]string{"condition": "true", "error_message": `"x"`}},
	"pool":       {poolSchema, "", `pool "p"`, map[string]string{"limit": "1"}},
	"job":        {jobSchema, "", `job "j"`, nil},
	"history":    {historySchema, "job", `history`, nil},
	"schedule":   {scheduleSchema, "job", `schedule`, map[string]string{"cron": `"@daily"`}},
	"blackout":   {blackoutSchema, "schedule", `blackout`, map[string]string{"cron": `"@weekly"`, "duration": `"1h"`}},
	"param":      {paramSchema, "job", `param "p"`, map[string]string{"default": `"x"`}},
	"notify":     {notifySchema, "job", `notify "webhook"`, map[string]string{"on": `["failure"]`, "url": `"http://host/"`}},
	"constraint": {constraintSchema, "job", `constraint`, map[string]string{"attribute": `"region"`, "value": `"x"`}},
	"affinity":   {affinitySchema, "job", `affinity`, map[string]string{"attribute": `"region"`, "value": `"x"`}},
	"spread":     {spreadSchema, "job", `spread`, map[string]string{"attribute": `"region"`}},
	"task":       {taskSchema, "job", `task "t"`, map[string]string{"command": `"/bin/true"`}},
	"retry":      {retrySchema, "task", `retry`, map[string]string{"attempts": "2"}},
	"shards":     {shardsSchema, "task", `shards`, map[string]string{"count": "2"}},
	"dynamic":    {dynamicSchema, "job", `dynamic "param"`, map[string]string{"for_each": `["a"]`, "labels": `["a"]`}},
}

// misuse returns a file with one block of a kind, in which extra stands beside
// what makes the block legal, less the attribute of that name.
func misuse(kind, header, less string, extra ...string) string {
	b := misused[kind]
	lines := extra
	names := make([]string, 0, len(b.legal))
	for name := range b.legal {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if name != less {
			lines = append(lines, name+" = "+b.legal[name])
		}
	}
	if kind == "job" {
		lines = append(lines, "task \"other\" {\n  command = \"/bin/true\"\n}")
	}
	if kind == "dynamic" {
		lines = append(lines, "content {}")
	}
	text := header + " {\n" + indent(strings.Join(lines, "\n")) + "}\n"
	switch {
	case b.parent != "":
		return misuse(b.parent, misused[b.parent].header, "", strings.TrimSuffix(text, "\n"))
	case kind == "job":
		return text
	}
	return text + "job \"j\" {\n  task \"t\" {\n    command = \"/bin/true\"\n  }\n}\n"
}

func indent(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text + "\n") {
		if strings.TrimSpace(line) != "" {
			b.WriteString("  " + line)
		}
	}
	return b.String()
}

// TestLegalBlocks: what the misuses begin with is right, so that they show what
// they are meant to.
func TestLegalBlocks(t *testing.T) {
	for kind, b := range misused {
		src := Source{Name: kind + ".hcl", Bytes: []byte(misuse(kind, b.header, ""))}
		if _, diags := Decode([]Source{src}, Options{}); len(diags) > 0 {
			t.Errorf("a legal %s is refused:\n%s%s", kind, src.Bytes, printed(t, diags, src))
		}
	}
}

// TestMisuse: every attribute of every block with a value of no use, and every
// block with what does not belong there: each is refused where it stands. The
// golden file has what is said.
func TestMisuse(t *testing.T) {
	var golden strings.Builder
	kinds := make([]string, 0, len(misused))
	for kind := range misused {
		kinds = append(kinds, kind)
	}
	slices.Sort(kinds)
	for _, kind := range kinds {
		b := misused[kind]
		for _, a := range b.schema.Attributes {
			value := "{ x = {} }"
			if kind == "variable" && a.Name == "default" {
				value = "var.other" // any value would do
			}
			if kind == "dynamic" && a.Name == "for_each" {
				value = "5"
			}
			refusedAt(t, &golden, kind+" "+a.Name, misuse(kind, b.header, a.Name, a.Name+" = "+value), value)
		}
		refusedAt(t, &golden, kind+", unknown attribute", misuse(kind, b.header, "", "surprise = 1"), "surprise")
		refusedAt(t, &golden, kind+", unknown block", misuse(kind, b.header, "", "surprise {}"), "surprise")
		word, label, labelled := strings.Cut(b.header, " ")
		if labelled && kind != "dynamic" {
			refusedAt(t, &golden, kind+", no label", misuse(kind, word, ""), word+" {")
			refusedAt(t, &golden, kind+", two labels", misuse(kind, word+" "+label+` "two"`, ""), `"two"`)
		} else if !labelled {
			refusedAt(t, &golden, kind+", a label", misuse(kind, word+` "one"`, ""), `"one"`)
		}
	}
	checkGolden(t, "testdata/misuse.txt", []byte(golden.String()))
}

// refusedAt checks that a file is refused within the first place where the text
// stands in it, and notes everything that is said.
func refusedAt(t *testing.T, golden *strings.Builder, what, file, text string) {
	t.Helper()
	_, diags := Decode([]Source{{Name: "f.hcl", Bytes: []byte(file)}}, Options{})
	fmt.Fprintf(golden, "== %s\n", what)
	line, column := placeOf(file, text)
	found := false
	for _, p := range Problems(diags) {
		fmt.Fprintf(golden, "%d:%d %s: %s\n", p.Line, p.Column, p.Summary, p.Detail)
		found = found || p.Line == line && p.Column >= column && p.Column < column+len(text)
	}
	if !found {
		t.Errorf("%s: no problem at %d:%d:\n%s\n%v", what, line, column, file, diags)
	}
}

func placeOf(file, text string) (line, column int) {
	before, _, _ := strings.Cut(file, text)
	return strings.Count(before, "\n") + 1, len(before) - strings.LastIndexByte(before, '\n')
}

// TestMisuseIsComplete: every block that a schema names is misused.
func TestMisuseIsComplete(t *testing.T) {
	schemas := []*hcl.BodySchema{fileSchema}
	for _, b := range misused {
		schemas = append(schemas, b.schema)
	}
	for _, schema := range schemas {
		for _, b := range schema.Blocks {
			if _, known := misused[b.Type]; !known && b.Type != "locals" && b.Type != "content" {
				t.Errorf("the block %s is not misused", b.Type)
			}
		}
	}
}

package jobspec

import (
	"os"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"

	"github.com/rota-scheduler/rota/fsm"
)

func readReference(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/jobfile.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Every example of the reference can be applied, and is formatted.
func TestReferenceExamples(t *testing.T) {
	_, rest, found := strings.Cut(readReference(t), "```hcl\n")
	if !found {
		t.Fatal("the reference has no example")
	}
	for found {
		var example string
		example, rest, _ = strings.Cut(rest, "```\n")
		src := Source{Name: "jobfile.md", Bytes: []byte(example)}
		if _, diags := Decode([]Source{src}, Options{}); len(diags) > 0 {
			t.Errorf("an example does not decode:\n%s", printed(t, diags, src))
		}
		if got, _ := Format(src); string(got) != example {
			t.Errorf("an example is not formatted; it should be:\n%s", got)
		}
		_, rest, found = strings.Cut(rest, "```hcl\n")
	}
}

// The reference has a row for every attribute and names every block; what is not
// built stands in its own section.
func TestReferenceIsComplete(t *testing.T) {
	built, missing, found := strings.Cut(readReference(t), "## Not in this version")
	if !found {
		t.Fatal("the reference has no section on what is not built")
	}
	for _, schema := range []*hcl.BodySchema{fileSchema, jobSchema, scheduleSchema, blackoutSchema, historySchema, taskSchema, retrySchema,
		paramSchema, shardsSchema, notifySchema, constraintSchema, affinitySchema, spreadSchema, poolSchema, variableSchema, validationSchema, dynamicSchema} {
		for _, a := range schema.Attributes {
			if !strings.Contains(built, "| `"+a.Name+"`") && !strings.Contains(built, ", `"+a.Name+"` |") {
				t.Errorf("no row for the attribute %s", a.Name)
			}
		}
		for _, b := range schema.Blocks {
			if !strings.Contains(built, "`"+b.Type+"`") && !strings.Contains(built, "`"+b.Type+" ") {
				t.Errorf("no word on the block %s", b.Type)
			}
		}
	}
	for _, names := range notYetNames {
		for _, name := range names {
			if !strings.Contains(missing, "`"+name+"`") {
				t.Errorf("%s is not built, and the reference does not say so", name)
			}
		}
	}
}

// A name cannot be both built and not.
func TestNotYetIsNotBuilt(t *testing.T) {
	for kind, schema := range map[string]*hcl.BodySchema{
		"": fileSchema, "job": jobSchema, "schedule": scheduleSchema,
		"blackout": blackoutSchema, "history": historySchema, "task": taskSchema, "retry": retrySchema,
		"param": paramSchema, "shards": shardsSchema, "notify": notifySchema, "constraint": constraintSchema, "affinity": affinitySchema, "spread": spreadSchema,
	} {
		for _, a := range schema.Attributes {
			if isNotYetName(kind, a.Name) {
				t.Errorf("%s has %s in its schema and in the list of what is not built", kind, a.Name)
			}
		}
		for _, b := range schema.Blocks {
			if isNotYetName(kind, b.Type) {
				t.Errorf("%s has %s in its schema and in the list of what is not built", kind, b.Type)
			}
		}
	}
}

// Every function is named, and every one that is named exists.
func TestReferenceNamesTheFunctions(t *testing.T) {
	_, rest, _ := strings.Cut(readReference(t), "The functions:")
	table, _, found := strings.Cut(rest, "They do what")
	if !found {
		t.Fatal("the reference has no table of functions")
	}
	for _, name := range functionNames() {
		if !strings.Contains(table, "`"+name+"`") {
			t.Errorf("no word on %s", name)
		}
	}
	if named := strings.Count(table, "`") / 2; named != len(functions) {
		t.Errorf("the table names %d functions, and there are %d", named, len(functions))
	}
}

// Every reference to a run is named, and those that are named are right.
func TestReferenceNamesTheRun(t *testing.T) {
	for _, name := range fixedNames {
		if err := fsm.CheckReference(name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if !strings.Contains(readReference(t), "`"+name+"`") {
			t.Errorf("no word on %s", name)
		}
	}
}

package jobspec

import (
	"fmt"
	"strings"
	"testing"
)

// wrap puts an expression into an otherwise good job.
func wrap(expr string) Source {
	return Source{Name: "x", Bytes: []byte("job \"a\" {\n  task \"t\" {\n    command = \"/bin/true\"\n    args = [" + expr + "]\n  }\n}\n")}
}

// Each of these makes the HCL parser or evaluator recurse once per repetition,
// or grow a value without bound.
func TestHostileShapes(t *testing.T) {
	const many = 8_000
	rep := strings.Repeat
	cases := map[string]Source{
		"brackets":         wrap(rep("[", many) + rep("]", many)),
		"open brackets":    wrap(rep("[", many)),
		"mixed brackets":   wrap(rep("[(", many)),
		"parentheses":      wrap(rep("(", many) + "1" + rep(")", many)),
		"objects":          wrap(rep("{a=", many) + "1" + rep("}", many)),
		"not":              wrap(rep("!", many) + "true"),
		"minus":            wrap(rep("-", many) + "1"),
		"sum":              wrap("1" + rep("+1", many)),
		"sum over lines":   wrap("1" + rep("+\n1", many)),
		"conditional":      wrap(rep("true?1:", many) + "1"),
		"quotient":         wrap(`"${1e-20` + rep("/1e20", maxProducts+1) + `}"`),
		"conditional left": wrap(rep("true?", many) + "1" + rep(":1", many)),
		"index":            wrap("a" + rep("[0]", many)),
		"traversal":        wrap("a" + rep(".b", many)),
		"splat":            wrap("a" + rep("[*]", many)),
		"templates":        wrap(rep(`"${`, many) + "1" + rep(`}"`, many)),
		"directives":       wrap(`"` + rep("%{if true}", many) + rep("%{endif}", many) + `"`),
		"for":              wrap(rep("[for x in [1,2]:", many) + "1" + rep("]", many)),
		"calls":            wrap(rep("f(", many) + "1" + rep(")", many)),
		"exponent":         wrap(`"${1e999999999}"`),
		"digits":           wrap(rep("9", many)),
		"product":          wrap(`"${1e20` + rep("*1e20", many) + `}"`),
		"blocks":           {Name: "x", Bytes: []byte(rep("job \"a\" {\n", many))},
		"wrong closers":    {Name: "x", Bytes: []byte("a = " + rep("[}", many))},
		"heredoc":          {Name: "x", Bytes: []byte("a = <<E\n" + rep("%{if true}", many) + "\nE\n")},
		"comment lines":    wrap("(1" + rep("+ # c\n1", many) + ")"),
	}
	for name, src := range cases {
		t.Run(name, func(t *testing.T) {
			content, diags := Decode([]Source{src}, Options{})
			specs := content.Jobs
			if specs != nil || !diags.HasErrors() {
				t.Fatal("accepted")
			}
			if got := diags[0].Summary; got != "Too complex" {
				t.Errorf("refused as %q (%s), want the guard", got, diags[0].Detail)
			}
			if _, diags := Format(src); !diags.HasErrors() {
				t.Error("Format took it")
			}
		})
	}
}

// What stays just within the limits must not crash either, and is accepted where
// it means something.
func TestShapesWithinTheLimits(t *testing.T) {
	rep := strings.Repeat
	const deep, long = maxNesting - 10, maxOperators - 10
	for name, c := range map[string]struct {
		expr string
		good bool
	}{
		"parentheses":         {rep("(", deep) + "1" + rep(")", deep), true},
		"brackets":            {rep("[", deep) + rep("]", deep), false},
		"objects":             {rep("{a=", deep) + "1" + rep("}", deep), false},
		"not":                 {rep("!", long) + "true", true},
		"sum":                 {"1" + rep("+1", long), true},
		"conditional":         {rep("true?1:", long) + "1", true},
		"templates":           {rep(`"${`, deep) + "1" + rep(`}"`, deep), true},
		"directives":          {`"` + rep("%{if true}", deep) + rep("%{endif}", deep) + `"`, true},
		"product":             {`"${1e20` + rep("*1e20", maxProducts) + `}"`, true},
		"quotient":            {`"${1e-20` + rep("/1e20", maxProducts) + `}"`, true},
		"nested for":          {rep("[for x in [1,2]:", 60) + "1" + rep("]", 60), false},
		"division by zero":    {"1/0", false},
		"infinity":            {"0/0", false},
		"modulo zero":         {"1%0", false},
		"infinity in text":    {`"${1/0 - 1/0}"`, false},
		"comparison of types": {`"${[1] == {}}"`, true},
	} {
		t.Run(name, func(t *testing.T) {
			_, diags := Decode([]Source{wrap(c.expr)}, Options{})
			if diags.HasErrors() == c.good {
				t.Errorf("good %v, and the diagnostics are %v", c.good, diags)
			}
			for _, d := range diags {
				if d.Summary == "Unreadable file" {
					t.Errorf("the HCL library panicked: %s", d.Detail)
				}
			}
		})
	}
}

// A long file is no deep expression: the count starts anew at each attribute.
func TestOperatorsCountPerAttribute(t *testing.T) {
	var b strings.Builder
	for i := range 120 {
		fmt.Fprintf(&b, "job \"j%d\" {\n  task \"t\" { # a comment to the end of the line\n    driver = \"noop\" # and one more\n    args = [%s0]\n  }\n}\n",
			i, strings.Repeat("-1, ", 50))
	}
	content, diags := Decode([]Source{{Name: "x", Bytes: []byte(b.String())}}, Options{})
	specs := content.Jobs
	if diags.HasErrors() || len(specs) != 120 {
		t.Fatalf("%d jobs, %v", len(specs), diags)
	}
}

func TestLimits(t *testing.T) {
	noop := func(name string) string {
		return fmt.Sprintf("job %q {\n  task \"t\" { driver = \"noop\" }\n}\n", name)
	}
	var jobs strings.Builder
	for i := range MaxJobs + 1 {
		jobs.WriteString(noop(fmt.Sprintf("j%d", i)))
	}
	long := strings.Repeat("x", 1<<20)
	var total []Source
	for i := range MaxTotalBytes/MaxSourceBytes + 1 {
		total = append(total, Source{Name: fmt.Sprint(i), Bytes: make([]byte, MaxSourceBytes)})
	}
	for name, c := range map[string]struct {
		sources []Source
		want    string
	}{
		"jobs":   {[]Source{{Name: "x", Bytes: []byte(jobs.String())}}, "Too many jobs"},
		"source": {[]Source{{Name: "x", Bytes: make([]byte, MaxSourceBytes+1)}}, "File too large"},
		"tokens": {[]Source{{Name: "x", Bytes: []byte(strings.Repeat("[,", maxTokens))}}, "File too large"},
		"total":  {total, "Files too large"},
		"files":  {make([]Source, MaxFiles+1), "Too many files"},
		"job":    {[]Source{wrap(`"` + long + `"`)}, "Job too large"},
	} {
		t.Run(name, func(t *testing.T) {
			content, diags := Decode(c.sources, Options{})
			specs := content.Jobs
			if specs != nil || len(diags) != 1 || diags[0].Summary != c.want {
				t.Errorf("%d jobs, %v", len(specs), diags)
			}
		})
	}
}

func TestProblemsAreBounded(t *testing.T) {
	src := Source{Name: "x", Bytes: []byte(strings.Repeat("job \"a\" {}\n", 5000))}
	_, diags := Decode([]Source{src}, Options{})
	if len(diags) != maxDiagnostics+1 {
		t.Fatalf("%d problems", len(diags))
	}
	// Each job lacks a task, and each but the first has a name that is taken.
	if got, want := diags[maxDiagnostics].Detail, "There are 9899 problems more. Correct those above first."; got != want {
		t.Errorf("ends with %q, want %q", got, want)
	}
}

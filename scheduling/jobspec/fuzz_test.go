package jobspec

import (
	"strings"
	"testing"
	"time"

	"github.com/zclconf/go-cty/cty"

	"github.com/rota-scheduler/rota/fsm"
)

// maxDecodeTime is far more than the work that evaluation is limited to takes,
// on a busy machine too.
const maxDecodeTime = time.Minute

// Any text is either jobs or problems, never both, neither or a panic; the
// fuzzer itself reports a hang.
func FuzzDecode(f *testing.F) {
	for _, pattern := range []string{"testdata/good/*.hcl", "testdata/bad/*.hcl"} {
		for _, path := range glob(f, pattern) {
			f.Add(readSource(f, path).Bytes)
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		src := Source{Name: "fuzz.hcl", Bytes: text}
		start := time.Now()
		content, diags := decode([]Source{src}, Options{}, testWork)
		specs := content.Jobs
		if took := time.Since(start); took > maxDecodeTime {
			t.Errorf("took %s", took)
		}
		if diags.HasErrors() == (len(specs)+len(content.Pools) > 0) {
			t.Fatalf("%d jobs beside %v", len(specs), diags)
		}
		for _, d := range diags {
			if d.Summary == "Unreadable file" {
				t.Errorf("the HCL library panicked: %s", d.Detail)
			}
		}
		for i := range specs {
			if broken := specs[i].Validate(); len(broken) > 0 {
				t.Errorf("an invalid job came out: %v", broken[0])
			}
		}
		_ = printed(t, diags, src)
		formatted, formatDiags := Format(src)
		if len(specs) == 0 || formatDiags.HasErrors() {
			return
		}
		if _, diags := Decode([]Source{{Name: src.Name, Bytes: formatted}}, Options{}); diags.HasErrors() {
			t.Errorf("formatting broke the file: %v", diags)
		}
	})
}

// Whatever is given to a variable: it is taken or refused, and a text that is
// taken is what the program is started with, to the byte, beside the references.
func FuzzVars(f *testing.F) {
	for _, value := range []string{
		"", "x", "a b", "$", "$$", "${", "$${", "$$${", "${run.id}", "$${run.id}", "%{if}", "\x00", "é", "e\u0301", "\xff",
		"5", "[1, 2]", "[", `["a", "b"]`, `{ a = 1 }`, "1e999999999", "upper(\"a\")", "var.x", "run.id", "[for x in range(1000) : [for y in range(1000) : x]]",
	} {
		f.Add(value, "list = "+value)
	}
	f.Add("x", "text = \"a\"\nlist = [\"a\"]\nnumber = 1")
	const file = `variable "text" { type = string }
variable "plain" { default = "x" }
variable "number" {
  type    = number
  default = 1
}
variable "list" {
  type    = list(string)
  default = []
  validation {
    condition     = length(var.list) < 10
    error_message = "too many"
  }
}
locals {
  both = "${var.text}${var.plain}"
}
job "a" {
  task "t" {
    command = "/bin/echo"
    args    = [var.text, "a${run.id}${var.text}", local.both, "${run.id}${join(",", concat([], var.list))}"]
    env     = { NUMBER = var.number }
  }
}
`
	f.Fuzz(func(t *testing.T, value, varFile string) {
		start := time.Now()
		inputs := []Input{
			{Source: Source{Name: "vars", Bytes: []byte(varFile)}},
			{Source: Source{Name: "undeclared", Bytes: []byte(value)}, Variable: "undeclared", Optional: true},
			{Source: Source{Name: "text", Bytes: []byte(value)}, Variable: "text"},
			{Source: Source{Name: "plain", Bytes: []byte(value)}, Variable: "plain"},
		}
		content, diags := decode([]Source{{Name: "fuzz.hcl", Bytes: []byte(file)}}, Options{Inputs: inputs}, testWork)
		specs := content.Jobs
		if took := time.Since(start); took > maxDecodeTime {
			t.Errorf("took %s", took)
		}
		if diags.HasErrors() == (len(specs)+len(content.Pools) > 0) {
			t.Fatalf("%d jobs beside %v", len(specs), diags)
		}
		for _, d := range diags {
			if d.Summary == unreadable {
				t.Errorf("the HCL library panicked: %s", d.Detail)
			}
		}
		if len(specs) == 0 {
			return
		}
		text := cty.StringVal(value).AsString() // which has one form for é
		args := specs[0].Tasks[0].Args
		for i, want := range []string{text, "aID" + text, text + text} {
			if got := started(t, args[i]); got != want {
				t.Errorf("argument %d is %q, want %q", i, got, want)
			}
		}
	})
}

// started returns what a program is started with.
func started(t *testing.T, text string) string {
	t.Helper()
	spans, err := fsm.ScanText(text)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, s := range spans {
		if s.Ref {
			s.Text = "ID"
		}
		b.WriteString(s.Text)
	}
	return b.String()
}

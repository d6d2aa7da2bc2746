package jobspec

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"

	"github.com/rota-scheduler/rota/fsm"
)

var update = flag.Bool("update", false, "write the golden files anew")

func readSource(t testing.TB, path string) Source {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return Source{Name: filepath.Base(path), Bytes: text}
}

func glob(t testing.TB, pattern string) []string {
	t.Helper()
	paths, err := filepath.Glob(pattern)
	if err != nil || len(paths) == 0 {
		t.Fatalf("no files %s: %v", pattern, err)
	}
	return paths
}

func checkGolden(t *testing.T, path string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s differs (-want +got):\n%s", path, diff)
	}
}

func printed(t testing.TB, diags hcl.Diagnostics, sources ...Source) string {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, diags, sources, 0, false); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestDecodeGood(t *testing.T) {
	for _, path := range glob(t, "testdata/good/*.hcl") {
		t.Run(filepath.Base(path), func(t *testing.T) {
			src := readSource(t, path)
			content, diags := Decode([]Source{src}, Options{})
			specs := content.Jobs
			if len(diags) > 0 {
				t.Fatal(printed(t, diags, src))
			}
			got, err := json.MarshalIndent(specs, "", "  ")
			if len(content.Pools) > 0 {
				got, err = json.MarshalIndent(map[string]any{"jobs": specs, "pools": content.Pools}, "", "  ")
			}
			if err != nil {
				t.Fatal(err)
			}
			checkGolden(t, strings.TrimSuffix(path, ".hcl")+".json", append(got, '\n'))
		})
	}
}

func TestDecodeBad(t *testing.T) {
	for _, path := range glob(t, "testdata/bad/*.hcl") {
		t.Run(filepath.Base(path), func(t *testing.T) {
			src := readSource(t, path)
			content, diags := decode([]Source{src}, Options{}, maxWork/4)
			specs := content.Jobs
			if specs != nil || !diags.HasErrors() {
				t.Fatalf("accepted as %v", specs)
			}
			checkGolden(t, strings.TrimSuffix(path, ".hcl")+".txt", []byte(printed(t, diags, src)))
			for _, p := range Problems(diags) {
				if p.Severity != "error" || p.Summary == "" || p.Detail == "" || p.File != src.Name || p.Line == 0 || p.Column == 0 {
					t.Errorf("a problem that does not say what and where: %+v", p)
				}
			}
		})
	}
}

// The HCL library walks maps; what a person reads must not change between runs.
func TestDiagnosticsAreInOrder(t *testing.T) {
	src := readSource(t, "testdata/bad/not_yet.hcl")
	_, first := Decode([]Source{src}, Options{})
	for range 5 {
		_, again := Decode([]Source{src}, Options{})
		if diff := cmp.Diff(printed(t, first, src), printed(t, again, src)); diff != "" {
			t.Fatal(diff)
		}
	}
}

func TestDuplicateJobAcrossSources(t *testing.T) {
	sources, err := ReadFiles([]string{"testdata/several"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, diags := Decode(sources, Options{})
	got := Problems(diags)
	want := []Problem{{
		Severity: "error",
		Summary:  "Duplicate job",
		Detail: `There is already a job "same", at testdata/several/a.hcl:1,1. ` +
			`A name may stand once in all the files that are applied together.`,
		File: "testdata/several/b.hcl", Line: 1, Column: 1,
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestNamespaceOption(t *testing.T) {
	src := Source{Name: "x", Bytes: []byte(`job "a" {
		task "t" { driver = "noop" }
	}
	job "b" {
		namespace = "own"
		task "t" { driver = "noop" }
	}`)}
	for _, c := range []struct{ option, want string }{{"", fsm.DefaultNamespace}, {"team", "team"}} {
		content, diags := Decode([]Source{src}, Options{Namespace: c.option})
		specs := content.Jobs
		if diags.HasErrors() {
			t.Fatal(diags)
		}
		if specs[0].Namespace != c.want || specs[1].Namespace != "own" {
			t.Errorf("namespaces %q and %q, want %q and own", specs[0].Namespace, specs[1].Namespace, c.want)
		}
	}
	if _, diags := Decode([]Source{src}, Options{Namespace: "no/slash"}); !diags.HasErrors() {
		t.Error("took a bad default namespace")
	}
}

// One file's problem leaves no job of the other files.
func TestAllOrNothing(t *testing.T) {
	sources := []Source{readSource(t, "testdata/good/minimal.hcl"), readSource(t, "testdata/bad/cycle.hcl"), readSource(t, "testdata/bad/zone.hcl")}
	content, diags := Decode(sources, Options{})
	specs := content.Jobs
	if specs != nil {
		t.Errorf("returned %d jobs beside errors", len(specs))
	}
	files := map[string]bool{}
	for _, p := range Problems(diags) {
		files[p.File] = true
	}
	if !files["cycle.hcl"] || !files["zone.hcl"] || files["minimal.hcl"] {
		t.Errorf("problems are in %v", files)
	}
}

// A cron error in a plain literal points at the part of the expression.
func TestCronErrorPointsIntoTheLiteral(t *testing.T) {
	src := Source{Name: "x", Bytes: []byte("job \"a\" {\n  schedule {\n    cron = \"0 2,99 * * *\"\n  }\n  task \"t\" { driver = \"noop\" }\n}\n")}
	_, diags := Decode([]Source{src}, Options{})
	if len(diags) != 1 {
		t.Fatal(diags)
	}
	if got := string(diags[0].Subject.SliceBytes(src.Bytes)); got != "99" {
		t.Errorf("points at %q", got)
	}
	if got := *diags[0].Subject; got.Start.Line != 3 || got.Start.Column != 17 || got.End.Column != 19 {
		t.Errorf("at %v", got)
	}
}

func TestProblemsOfNoFile(t *testing.T) {
	_, diags := Decode(nil, Options{})
	want := []Problem{{Severity: "error", Summary: "No jobs", Detail: "No job file is given."}}
	if diff := cmp.Diff(want, Problems(diags)); diff != "" {
		t.Error(diff)
	}
	warning := hcl.Diagnostics{{Severity: hcl.DiagWarning, Summary: "s"}}
	if got := Problems(warning)[0].Severity; got != "warning" {
		t.Errorf("severity %q", got)
	}
}

func TestWriteColorAndWidth(t *testing.T) {
	src := readSource(t, "testdata/bad/zone.hcl")
	_, diags := Decode([]Source{src}, Options{})
	var b bytes.Buffer
	if err := Write(&b, diags, []Source{src}, 40, true); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(b.String(), "\x1b[31mError") || !strings.Contains(b.String(), `, in job "a"`) {
		t.Errorf("no colour or no block in:\n%s", b.String())
	}
}

// Printing reads the file again for each problem; its work must not grow with
// their product.
func TestWriteIsBounded(t *testing.T) {
	text := strings.Repeat("# a comment that makes the file long\n", 20_000) + strings.Repeat("a = 1\n", 200)
	src := Source{Name: "x", Bytes: []byte(text)}
	_, diags := Decode([]Source{src}, Options{})
	if len(diags) != maxDiagnostics+1 {
		t.Fatalf("%d problems", len(diags))
	}
	got := printed(t, diags, src)
	shown := strings.Count(got, ": a = 1\n")
	if want := maxScanned / len(text); shown != want {
		t.Errorf("shows the lines of %d problems, want %d", shown, want)
	}
	if n := strings.Count(got, "(source code not available)"); n != maxDiagnostics-shown {
		t.Errorf("names the place only of %d problems", n)
	}
}

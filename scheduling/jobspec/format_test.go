package jobspec

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFormat(t *testing.T) {
	src := Source{Name: "x", Bytes: []byte("job   \"a\"   {\n# why\ntask \"t\" {\n  command=\"/bin/true\"\n      args=[ \"a\",\"b\" ]\n}\n}\n")}
	want := "job \"a\" {\n  # why\n  task \"t\" {\n    command = \"/bin/true\"\n    args    = [\"a\", \"b\"]\n  }\n}\n"
	got, diags := Format(src)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Error(diff)
	}
}

// The examples of this package are formatted, and formatting them changes
// neither them nor what they mean.
func TestFormatLeavesFormattedFiles(t *testing.T) {
	for _, path := range glob(t, "testdata/good/*.hcl") {
		src := readSource(t, path)
		got, diags := Format(src)
		if diags.HasErrors() {
			t.Fatal(diags)
		}
		if diff := cmp.Diff(string(src.Bytes), string(got)); diff != "" {
			t.Errorf("%s:\n%s", path, diff)
		}
	}
}

func TestFormatRefusesBadSyntax(t *testing.T) {
	src := readSource(t, "testdata/bad/syntax.hcl")
	got, diags := Format(src)
	if got != nil || !diags.HasErrors() || diags[0].Subject.Filename != src.Name {
		t.Errorf("%q, %v", got, diags)
	}
}

package jobspec

import (
	"testing"
)

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
		specs, diags := Decode([]Source{src}, Options{})
		if diags.HasErrors() == (len(specs) > 0) {
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

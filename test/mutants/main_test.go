package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
)

var patchedFile = regexp.MustCompile(`(?m)^\+\+\+ b/(.+)$`)

// TestPatchesApply: a change of the code that a patch breaks must change the patch
// as well. Whether each is caught takes long, and is told by make mutants.
func TestPatchesApply(t *testing.T) {
	patches, err := filepath.Glob("*.patch")
	if err != nil || len(patches) == 0 {
		t.Fatalf("%d patches: %v", len(patches), err)
	}
	for _, patch := range patches {
		touch(t, patch)
		check := exec.Command("git", "apply", "--check", filepath.Join("test", "mutants", patch))
		check.Dir = filepath.Join("..", "..")
		if out, err := check.CombinedOutput(); err != nil {
			t.Errorf("%s does not apply: %s", patch, out)
		}
	}
}

// touch opens what a patch changes. The cache of test results knows only the files
// that the test itself has opened, not those that git reads.
func touch(t *testing.T, patch string) {
	text, err := os.ReadFile(patch)
	if err != nil {
		t.Fatal(err)
	}
	for _, match := range patchedFile.FindAllSubmatch(text, -1) {
		f, err := os.Open(filepath.Join("..", "..", string(match[1])))
		if err != nil {
			t.Error(err)
			continue
		}
		f.Close()
	}
}

package main

import (
	"os/exec"
	"path/filepath"
	"testing"
)

// TestPatchesApply: a change of the code that a patch breaks must change the patch
// as well. Whether each is caught takes long, and is told by make mutants.
func TestPatchesApply(t *testing.T) {
	patches, err := filepath.Glob("*.patch")
	if err != nil || len(patches) == 0 {
		t.Fatalf("%d patches: %v", len(patches), err)
	}
	for _, patch := range patches {
		check := exec.Command("git", "apply", "--check", filepath.Join("test", "mutants", patch))
		check.Dir = filepath.Join("..", "..")
		if out, err := check.CombinedOutput(); err != nil {
			t.Errorf("%s does not apply: %s", patch, out)
		}
	}
}

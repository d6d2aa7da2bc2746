package arch

import (
	"os"
	"slices"
	"testing"
)

// topLevel is everything that may stand in the repository's first folder.
var topLevel = []string{
	"cmd", "docs", "fsm", "membership", "scheduling", "test", "transport", ".ci",
	"go.mod", "go.sum", "LICENSE", "README.md", "CHANGELOG.md", "CONTRIBUTING.md",
	"Makefile", ".gitignore", ".golangci.yml",
	".git",        // a folder, or a file in a worktree
	"bin", "dist", // what the Makefile makes; not in git
}

func TestTopLevel(t *testing.T) {
	entries, err := os.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !slices.Contains(topLevel, e.Name()) {
			t.Errorf("%s has no place at the top level", e.Name())
		}
	}
}

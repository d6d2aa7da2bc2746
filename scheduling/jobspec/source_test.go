package jobspec

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

func write(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestReadFiles(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"b.hcl", "a.hcl", ".hidden.hcl", "notes.txt"} {
		write(t, filepath.Join(dir, name), name)
	}
	if err := os.Mkdir(filepath.Join(dir, "folder.hcl"), 0o700); err != nil {
		t.Fatal(err)
	}
	single := write(t, filepath.Join(t.TempDir(), "any.name"), "single")

	got, err := ReadFiles([]string{single, "-", dir}, strings.NewReader("piped"))
	if err != nil {
		t.Fatal(err)
	}
	want := []Source{
		{single, []byte("single")},
		{StdinName, []byte("piped")},
		{filepath.Join(dir, "a.hcl"), []byte("a.hcl")},
		{filepath.Join(dir, "b.hcl"), []byte("b.hcl")},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestReadFilesRefuses(t *testing.T) {
	dir := t.TempDir()
	large := write(t, filepath.Join(t.TempDir(), "large.hcl"), strings.Repeat("x", MaxFileBytes+1))
	full := write(t, filepath.Join(t.TempDir(), "full.hcl"), strings.Repeat("x", MaxFileBytes))
	broken := errors.New("broken pipe")
	crowded := t.TempDir()
	for i := range MaxFiles + 1 {
		write(t, filepath.Join(crowded, fmt.Sprintf("%d.hcl", i)), "")
	}
	for name, c := range map[string]struct {
		paths []string
		stdin io.Reader
		want  error
	}{
		"missing":      {[]string{filepath.Join(dir, "no.hcl")}, nil, fs.ErrNotExist},
		"empty folder": {[]string{dir}, nil, ErrNoFiles},
		"nothing":      {nil, nil, ErrNoFiles},
		"large file":   {[]string{large}, nil, ErrTooLarge},
		"large stdin":  {[]string{"-"}, strings.NewReader(strings.Repeat("x", MaxSourceBytes+1)), ErrTooLarge},
		"broken stdin": {[]string{"-"}, iotest.ErrReader(broken), broken},
		"many files":   {[]string{crowded}, nil, ErrTooManyFiles},
		"large total":  {repeat(full, MaxTotalBytes/MaxFileBytes+1), nil, ErrTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := ReadFiles(c.paths, c.stdin); got != nil || !errors.Is(err, c.want) {
				t.Errorf("%d files, error %v, want %v", len(got), err, c.want)
			}
		})
	}
	if _, err := ReadFiles([]string{"-", "-"}, strings.NewReader("")); err == nil || !strings.Contains(err.Error(), "twice") {
		t.Errorf("stdin twice: %v", err)
	}
	if got, err := ReadFiles([]string{full}, nil); err != nil || len(got) != 1 {
		t.Errorf("a file of exactly the limit: %v", err)
	}
}

func repeat(path string, n int) []string {
	paths := make([]string, n)
	for i := range paths {
		paths[i] = path
	}
	return paths
}

package e2e

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rota-scheduler/rota/test/cluster"
	"github.com/rota-scheduler/rota/transport/api"
)

const exitUsage = 2

const goodFile = `
job "good" {
  task "main" { driver = "noop" }
}
`

// badFiles has one file for each kind of mistake.
const badFiles = "../../scheduling/jobspec/testdata/bad/*.hcl"

// TestApplyBadFiles applies each bad file together with a good one. The command
// line and the API both refuse them, and say where the mistake is; nothing is
// applied.
func TestApplyBadFiles(t *testing.T) {
	files, err := filepath.Glob(badFiles)
	if err != nil || len(files) < 10 {
		t.Fatalf("found %d bad files: %v", len(files), err)
	}
	c := cluster.Start(t, cluster.Options{Nodes: 1})
	apply(t, c, strings.Replace(goodFile, "good", "kept", 1))
	want := jobNames(t, c)
	good := writeFile(t, goodFile)
	for _, file := range files {
		name := filepath.Base(file)
		r := c.CLI(c.Nodes[0], "apply", good, file)
		place := regexp.MustCompile(`on \S*` + regexp.QuoteMeta(name) + ` line \d+`)
		if r.Code != exitUsage || !place.MatchString(r.Stderr) {
			t.Errorf("apply %s: exit code %d, want %d, with its name and a line in:\n%s%s", name, r.Code, exitUsage, r.Stdout, r.Stderr)
		}
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		checkRefusal(t, c, name, src)
		if bytes.Contains(src, []byte("task")) { // else the good job alone makes it good
			checkRefusal(t, c, name, append([]byte(goodFile), src...))
		}
	}
	for _, args := range [][]string{{"apply"}, {"apply", "no-such-file.hcl"}, {"apply", t.TempDir()}, {"apply", "--no-such-flag", good}} {
		if r := c.CLI(c.Nodes[0], args...); r.Code != exitUsage || r.Stderr == "" {
			t.Errorf("%q: exit code %d, want %d and a reason:\n%s", args, r.Code, exitUsage, r.Stderr)
		}
	}
	if diff := cmp.Diff(want, jobNames(t, c)); diff != "" {
		t.Errorf("jobs (-before +after):\n%s", diff)
	}
}

// checkRefusal puts a file as it is: the answer names file, line and column.
func checkRefusal(t *testing.T, c *cluster.Cluster, name string, src []byte) {
	t.Helper()
	_, err := c.Client(0).PutFile(t.Context(), name, src, "", false)
	var status *api.StatusError
	if !errors.As(err, &status) || status.Code != api.CodeInvalid || len(status.Diagnostics) == 0 {
		t.Errorf("PUT %s: got %v, want %s with diagnostics", name, err, api.CodeInvalid)
		return
	}
	for _, d := range status.Diagnostics {
		if d.File != name || d.Line == 0 || d.Column == 0 || d.Summary == "" {
			t.Errorf("PUT %s: a diagnostic lacks its place: %+v", name, d)
		}
	}
}

func jobNames(t *testing.T, c *cluster.Cluster) []string {
	t.Helper()
	list, err := c.Client(0).Jobs(t.Context(), api.AllNamespaces, api.Page{}, api.Read{Consistent: true})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, j := range list.Items {
		names = append(names, j.Name)
	}
	return names
}

// apply applies a job file through the command line, on standard input.
func apply(t *testing.T, c *cluster.Cluster, file string) {
	t.Helper()
	if r := c.StartCLI(c.Up()[0], file, "apply", "-").Wait(); r.Code != 0 {
		t.Fatalf("apply: exit code %d\n%s%s", r.Code, r.Stdout, r.Stderr)
	}
}

func writeFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "good.hcl")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

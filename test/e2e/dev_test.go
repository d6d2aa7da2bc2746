package e2e

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rota-scheduler/rota/test/cluster"
)

var runLine = regexp.MustCompile(`(?m)^\d\d:\d\d:\d\d\.\d{3}  tick +[0-9A-Z]{26} +succeeded +n[123] `)

// TestDev: a whole cluster by one command, in a pipe. It prints its runs, ends
// by itself, and leaves no process and no file behind.
func TestDev(t *testing.T) {
	t.Parallel()
	temp := t.TempDir()
	dev := cluster.StartProgram(t, []string{"TMPDIR=" + temp},
		"dev", "--nodes", "3", "--for", "10s", "../../docs/examples/hello.hcl")
	cluster.Eventually(t, settleWithin, "the agents of rota dev", func() error {
		if found := processesIn(temp, "cmdline"); len(found) < 3 {
			return errCount{len(found), 3}
		}
		return nil
	})
	r := dev.Wait()
	if r.Code != 0 {
		t.Errorf("exit code %d\n%s", r.Code, r.Stderr)
	}
	if n := len(runLine.FindAllString(r.Stdout, -1)); n < 5 {
		t.Errorf("%d runs of the job tick are shown as succeeded, want at least 5:\n%s\n%s", n, r.Stdout, r.Stderr)
	}
	for _, left := range append(processesIn(temp, "cmdline"), processesIn(temp, "environ")...) {
		t.Errorf("left behind: %s", left)
	}
	files, err := os.ReadDir(temp)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		t.Errorf("left behind: %s", f.Name())
	}
}

// processesIn returns the processes whose command line (or environment) names
// the folder.
func processesIn(dir, file string) []string {
	all, _ := filepath.Glob("/proc/[0-9]*/" + file) // the pattern is right
	var found []string
	for _, path := range all {
		text, err := os.ReadFile(path)
		if err != nil || !bytes.Contains(text, []byte(dir)) {
			continue // ended meanwhile, or another's
		}
		found = append(found, fmt.Sprintf("%s: %s", path, strings.ReplaceAll(string(text), "\x00", " ")))
	}
	return found
}

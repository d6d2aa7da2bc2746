package bench

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rota-scheduler/rota/test/cluster"
)

// TestApplyFiles: what a person waits for who applies a folder of job files, until
// every job of it is committed.
func TestApplyFiles(t *testing.T) {
	jobs := size(10_000, 200)
	files := writeJobs(t, jobs)
	c := cluster.Start(t, cluster.Options{})
	floor := perSecond(syncRate(t), 1) + roundTrip(t)
	var agents usage
	var command, took time.Duration
	// On a machine that does other things the leader may change, and nothing is
	// applied: the try that succeeds is the one that counts.
	cluster.Eventually(t, time.Minute, "the jobs are applied", func() error {
		agents, command = used(t, c), withChildren(t)
		start := time.Now()
		if r := c.CLI(c.Nodes[0], append([]string{"apply"}, files...)...); r.Code != 0 {
			return fmt.Errorf("rota apply: status %d: %s", r.Code, r.Stderr)
		}
		took = time.Since(start)
		return nil
	})
	result(t, row{
		what: fmt.Sprintf("%d jobs applied from %d files", jobs, len(files)), bar: "10,000 in 5 s", measured: took.Round(time.Millisecond).String(),
		floor: "a sync and a round trip: " + floor.Round(10*time.Microsecond).String(), ratio: times(took, floor),
	})
	t.Logf("processor time: rota apply %s, agents %s", (withChildren(t) - command).Round(time.Millisecond), used(t, c).sub(agents).agents().Round(time.Millisecond))
}

// writeJobs writes so many jobs, a hundred to a file, and returns the files.
func writeJobs(t *testing.T, jobs int) (files []string) {
	t.Helper()
	const perFile = 100
	dir := t.TempDir()
	for first := 0; first < jobs; first += perFile {
		var text strings.Builder
		for i := first; i < first+perFile; i++ {
			fmt.Fprintf(&text, "job \"nightly-%06d\" {\n  schedule {\n    cron     = \"0 2 * * *\"\n    timezone = \"Asia/Shanghai\"\n  }\n"+
				"  task \"extract\" {\n    command = \"/usr/local/bin/extract\"\n    args    = [\"--day\", \"${run.scheduled_at}\"]\n  }\n}\n", i)
		}
		path := filepath.Join(dir, fmt.Sprintf("jobs-%06d.hcl", first))
		if err := os.WriteFile(path, []byte(text.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		files = append(files, path)
	}
	return files
}

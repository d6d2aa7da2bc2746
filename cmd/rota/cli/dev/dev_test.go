package dev

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/transport/api"
)

// output is a writer that can be read while it is written to.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// options for a cluster of the test binary.
func testOptions(t *testing.T, role string) (options, *output, *output) {
	t.Helper()
	t.Setenv(roleVariable, role)
	t.Setenv("TMPDIR", t.TempDir())
	var stdout, stderr output
	return options{nodes: 3, program: os.Args[0], jobs: api.PutJobs{Jobs: make([]fsm.JobSpec, 2)}, stdout: &stdout, stderr: &stderr}, &stdout, &stderr
}

// left lists the folders that were not removed.
func left(t *testing.T) []string {
	t.Helper()
	dirs, err := filepath.Glob(filepath.Join(os.Getenv("TMPDIR"), "*"))
	if err != nil {
		t.Fatal(err)
	}
	return dirs
}

func TestDev(t *testing.T) {
	o, stdout, stderr := testOptions(t, roleAgent)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, o) }()
	for _, pattern := range []string{
		`# n1 serves http://127\.0\.0\.1:\d+0\n`,
		`# export ROTA_ADDR=http://127\.0\.0\.1:\d+0 makes`,
		`# 2 jobs applied\.`,
		`# n1 leads\. To kill it: kill -9 \d+\n`,
		`  tick              RUN1                        running    n2        1ms\n`,
		`  tick              RUN1                        succeeded  n2        1ms\n`,
	} {
		eventually(t, pattern, func() bool { return regexp.MustCompile(pattern).MatchString(stdout.String()) })
	}
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("asked to end: %v", err)
	}
	if !strings.HasPrefix(stderr.String(), "Stopped: 0 running, 1 succeeded, 0 failed, late:") {
		t.Errorf("said %q", stderr)
	}
	if dirs := left(t); len(dirs) > 0 {
		t.Errorf("left behind: %v", dirs)
	}
}

func TestDevForATime(t *testing.T) {
	o, stdout, _ := testOptions(t, roleAgent)
	o.until, o.keep, o.jobs = time.Millisecond, true, api.PutJobs{}
	if err := run(t.Context(), o); err != nil {
		t.Error(err)
	}
	if !strings.Contains(stdout.String(), "There are no jobs yet") {
		t.Errorf("said %q", stdout)
	}
	if dirs := left(t); len(dirs) != 1 {
		t.Errorf("kept %v", dirs)
	}
}

func TestDevThatCannotStart(t *testing.T) {
	o, _, stderr := testOptions(t, roleBroken)
	if err := run(t.Context(), o); !errors.Is(err, errAgent) {
		t.Errorf("got %v", err)
	}
	if !strings.Contains(stderr.String(), "cannot open the data dir") {
		t.Errorf("the log is not shown: %q", stderr)
	}
	if dirs := left(t); len(dirs) > 0 {
		t.Errorf("left behind: %v", dirs)
	}
}

// brokenPipe is a reader that went away.
type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, syscall.EPIPE }

// TestDevIntoABrokenPipe: "rota dev | head" ends, and cleans up.
func TestDevIntoABrokenPipe(t *testing.T) {
	o, _, _ := testOptions(t, roleAgent)
	o.stdout = brokenPipe{}
	if err := run(t.Context(), o); err != nil {
		t.Errorf("got %v", err)
	}
	if dirs := left(t); len(dirs) > 0 {
		t.Errorf("left behind: %v", dirs)
	}
}

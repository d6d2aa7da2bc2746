package proc

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rota-scheduler/rota/scheduling/executor/proc/pidns"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

// patience is how long a test waits for what must happen.
const patience = 10 * time.Second

type harness struct {
	*Manager
	t       testing.TB
	results chan Result
	// isolation is that of requests that name none.
	isolation string
}

// bothWays runs a test with attempts as they are and with isolated ones.
func bothWays(t *testing.T, test func(t *testing.T, h *harness)) {
	t.Helper()
	for _, isolation := range []string{"", IsolationPidns} {
		t.Run(cmp.Or(isolation, "host"), func(t *testing.T) { test(t, isolatedHarness(t, isolation)) })
	}
}

// isolatedHarness returns a Manager whose attempts are isolated, if asked for.
func isolatedHarness(t testing.TB, isolation string) *harness {
	t.Helper()
	h := newHarness(t, Options{HasInit: isolation != ""})
	if isolation != "" && h.Isolation() != nil {
		t.Skipf("this host cannot isolate: %v", h.Isolation())
	}
	h.isolation = isolation
	return h
}

// newHarness returns a Manager whose end leaves no goroutine and no process.
func newHarness(t testing.TB, o Options) *harness {
	t.Helper()
	ignore := goleak.IgnoreCurrent()
	h := &harness{t: t, results: make(chan Result, 4096)}
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	if o.OnEnd == nil {
		o.OnEnd = func(r Result) { h.results <- r }
	}
	m, err := New(t.Context(), o)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	h.Manager = m
	t.Cleanup(func() {
		h.stop()
		goleak.VerifyNone(t, ignore)
		if pids := ownChildren(t); len(pids) > 0 {
			t.Errorf("children left behind: %+v", pids)
		}
	})
	return h
}

// stop closes the Manager unless the test has done so.
func (h *harness) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	if err := h.Close(ctx); err != nil && err != ErrClosed {
		h.t.Errorf("Close: %v", err)
	}
}

func (h *harness) start(req StartRequest) {
	h.t.Helper()
	req.Isolation = cmp.Or(req.Isolation, h.isolation)
	if err := h.Start(h.t.Context(), req); err != nil {
		h.t.Fatalf("Start %s: %v", req.ID, err)
	}
}

func (h *harness) result() Result {
	h.t.Helper()
	select {
	case r := <-h.results:
		return r
	case <-time.After(patience):
		h.t.Fatal("no result")
		return Result{}
	}
}

func (h *harness) run(req StartRequest) Result {
	h.t.Helper()
	h.start(req)
	return h.result()
}

func shell(id, script string) StartRequest {
	return StartRequest{ID: id, Argv: []string{"/bin/sh", "-c", script}, Env: os.Environ()}
}

// eventually waits for a condition.
func eventually(t testing.TB, what string, cond func() bool) {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !cond() {
		select {
		case <-deadline.C:
			t.Fatalf("never happened: %s", what)
		case <-tick.C:
		}
	}
}

// pidFrom waits for a script to write a pid into a file and returns it.
func pidFrom(t testing.TB, file string) int {
	t.Helper()
	var pid int
	eventually(t, "pid in "+filepath.Base(file), func() bool {
		b, err := os.ReadFile(file)
		if err != nil || !strings.HasSuffix(string(b), "\n") {
			return false
		}
		pid, err = strconv.Atoi(strings.TrimSpace(string(b)))
		return err == nil
	})
	return pid
}

func isAlive(pid int) bool {
	p, ok := readStat(pid)
	return ok && !p.dead()
}

func ownChildren(t testing.TB) (left []procStat) {
	t.Helper()
	all, err := processes()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range all {
		if p.ppid == os.Getpid() {
			left = append(left, p)
		}
	}
	return left
}

// openFDs counts this process's descriptors but those of the control groups that are
// kept for the next attempts.
func openFDs(t testing.TB) (n int) {
	t.Helper()
	names, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if path, _ := os.Readlink("/proc/self/fd/" + name.Name()); !strings.Contains(path, "/plain/") {
			n++
		}
	}
	return n
}

func readAll(t testing.TB, dir string, s Stream) string {
	t.Helper()
	var b strings.Builder
	ended := func() bool { return true }
	err := OpenLogs(dir).Follow(t.Context(), s, 0, ended, func(c Chunk) error {
		b.Write(c.Data)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func dirBytes(t testing.TB, dir string) (n int64) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	for _, e := range entries {
		if info, err := e.Info(); err == nil {
			n += info.Size()
		}
	}
	return n
}

// TestMain lets the test binary play a process that holds a Manager and dies.
func TestMain(m *testing.M) {
	if pidns.Wanted(os.Args) {
		os.Exit(pidns.Main())
	}
	if dir := os.Getenv("PROC_TEST_HOLDER"); dir != "" {
		if err := hold(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// hold starts one attempt that double-forks and one that has ended, tells that
// it is ready, and waits to be killed.
func hold(dir string) error {
	ctx := context.Background()
	isolation := os.Getenv("PROC_TEST_ISOLATION")
	m, err := New(ctx, Options{Dir: dir, HasInit: isolation != "", OnEnd: func(Result) {
		if err := os.WriteFile(filepath.Join(dir, "ready"), nil, 0o600); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}})
	if err != nil {
		return err
	}
	script := fmt.Sprintf(`echo printed; echo $$ > %[1]s/main; (setsid sleep 300 & echo $! > %[1]s/daemon); (env -i setsid sh -c 'echo $$ > %[1]s/hidden; exec sleep 300' &); sleep 300 & echo $! > %[1]s/child; wait`, dir)
	req := shell("held", script)
	req.OutputDir, req.User, req.Isolation = filepath.Join(dir, "held"), os.Getenv("PROC_TEST_USER"), isolation
	if err := m.Start(ctx, req); err != nil {
		return err
	}
	if err := m.Decline(ctx, "declined", []byte("overlap")); err != nil {
		return err
	}
	if err := m.Start(ctx, shell("over", "exit 3")); err != nil {
		return err
	}
	return unix.Pause()
}

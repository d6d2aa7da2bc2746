package proc

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rota-scheduler/rota/scheduling/executor/proc/cgroup"
)

func (h *harness) needLimits(controllers ...string) {
	h.t.Helper()
	for _, c := range controllers {
		if !slices.Contains(h.Capabilities().Controllers, c) {
			h.t.Skipf("this host cannot limit %s: %s", c, h.Capabilities().Reason)
		}
	}
}

// warmUp has more attempts at a time than control groups are kept open.
func (h *harness) warmUp() {
	h.t.Helper()
	const n = 40
	for i := range n {
		h.start(shell(fmt.Sprint("warm-up-", i), "exec sleep 300"))
	}
	for i := range n {
		if err := h.Kill(ctx, fmt.Sprint("warm-up-", i), ReasonCancelled); err != nil {
			h.t.Fatal(err)
		}
	}
	for range n {
		if err := h.Forget(ctx, h.result().ID); err != nil {
			h.t.Fatal(err)
		}
	}
}

// ownGroups lists the directories of this process's Managers' control groups.
func ownGroups(t testing.TB, h *harness) (dirs []string) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(filepath.Dir(h.journal.path), "cgroups"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	for _, base := range strings.Split(string(b), "\n")[min(1, len(b)):] {
		if base == "" {
			continue
		}
		_ = filepath.WalkDir(base, func(path string, e fs.DirEntry, err error) error {
			if err == nil && e.IsDir() {
				dirs = append(dirs, path)
			}
			return nil // it may be removed in the middle of this
		})
	}
	return dirs
}

// fileOf finds a file of an attempt's control group.
func fileOf(t testing.TB, h *harness, id, name string) string {
	t.Helper()
	for _, d := range ownGroups(t, h) {
		if !strings.HasSuffix(d, "-"+id) {
			continue
		}
		if b, err := os.ReadFile(filepath.Join(d, name)); err == nil {
			return string(b)
		}
	}
	return ""
}

func TestForkBombIsContained(t *testing.T) {
	bothWays(t, testForkBombIsContained)
}

func testForkBombIsContained(t *testing.T, h *harness) {
	h.needLimits("pids")
	req := shell("bomb", `echo up; b() { b & b & while :; do :; done; }; b 2>/dev/null`)
	req.Pids, req.Grace = 40, 50*time.Millisecond
	h.start(req)
	most := 0
	eventually(t, "a fork is refused", func() bool {
		most = max(most, len(strings.Fields(fileOf(t, h, "bomb", "cgroup.procs"))))
		return strings.Contains(fileOf(t, h, "bomb", "pids.events"), "max ") && !strings.Contains(fileOf(t, h, "bomb", "pids.events"), "max 0")
	})
	if most > 40 {
		t.Errorf("%d processes, limit 40", most)
	}
	if r := h.run(shell("neighbour", "exit 0")); r.Outcome != Succeeded {
		t.Errorf("beside it: %+v", r)
	}
	if err := h.Kill(ctx, "bomb", ReasonCancelled); err != nil {
		t.Fatal(err)
	}
	r := h.result()
	if r.Outcome != Cancelled || !strings.Contains(r.Error, "too many processes (limit 40)") {
		t.Errorf("result %+v", r)
	}
	if left := ownChildren(t); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

func TestOutOfMemory(t *testing.T) {
	bothWays(t, testOutOfMemory)
}

func testOutOfMemory(t *testing.T, h *harness) {
	h.needLimits("memory")
	tests := []struct {
		name    string
		argv    []string
		oom     bool
		outcome Outcome
		text    string
	}{
		{"the program", []string{"/usr/bin/tail", "/dev/zero"}, true, Failed, "killed: out of memory (limit 16 MiB)"},
		{"a child of it", []string{"/bin/sh", "-c", "tail /dev/zero; exit 7"}, true, Failed, "a process was killed: out of memory (limit 16 MiB)"},
		{"a child it does not need", []string{"/bin/sh", "-c", "tail /dev/zero; exit 0"}, false, Succeeded, ""},
		{"another SIGKILL", []string{"/bin/sh", "-c", "kill -KILL $$"}, false, Failed, ""},
		{"enough", []string{"/bin/true"}, false, Succeeded, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := h.run(StartRequest{ID: tt.name, Argv: tt.argv, Memory: 16 << 20})
			if r.OOM != tt.oom || r.Outcome != tt.outcome || r.Error != tt.text {
				t.Errorf("result %+v, want %+v", r, tt)
			}
		})
	}
}

func TestCPULimit(t *testing.T) {
	bothWays(t, testCPULimit)
}

func testCPULimit(t *testing.T, h *harness) {
	h.needLimits("cpu")
	req := shell("busy", "while :; do :; done")
	req.CPU, req.Grace = 0.1, time.Nanosecond
	h.start(req)
	list, err := h.List(ctx)
	if err != nil || len(list) != 1 {
		t.Fatalf("List: %+v, %v", list, err)
	}
	begin := time.Now()
	eventually(t, "five periods of it were cut short", func() bool {
		f := strings.Fields(fileOf(t, h, "busy", "cpu.stat"))
		i := slices.Index(f, "nr_throttled")
		if i < 0 {
			return false
		}
		n, err := strconv.Atoi(f[i+1])
		return err == nil && n >= 5 && time.Since(begin) > time.Second
	})
	used, passed := cpuTime(t, list[0].PID), time.Since(begin)
	if used > passed/5 {
		t.Errorf("used %s in %s with a limit of a tenth of a core", used, passed)
	}
	if err := h.Kill(ctx, "busy", ReasonCancelled); err != nil {
		t.Fatal(err)
	}
	h.result()
}

// cpuTime is what a process has used, user and system.
func cpuTime(t testing.TB, pid int) time.Duration {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	f := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
	user, uerr := strconv.Atoi(f[11])
	system, serr := strconv.Atoi(f[12])
	if uerr != nil || serr != nil {
		t.Fatal(string(b))
	}
	return time.Duration(user+system) * time.Second / ticksPerSecond
}

func TestLimitsThatCannotBeKept(t *testing.T) {
	h := newHarness(t, Options{})
	h.groups.Close()
	h.groups = cgroup.None(slog.New(slog.DiscardHandler))
	if r := h.run(shell("without", "exit 0")); r.Outcome != Succeeded {
		t.Errorf("without limits: %+v", r)
	}
	for name, req := range map[string]StartRequest{"cpu": {CPU: 1}, "memory": {Memory: 1 << 30}, "pids": {Pids: 3}} {
		req.ID, req.Argv = name, []string{"/bin/true"}
		r := h.run(req)
		if r.Outcome != StartFailed || r.StartedAt != 0 || !strings.HasPrefix(r.Error, "cannot limit "+name+": ") {
			t.Errorf("%s: %+v, want a start failure", name, r)
		}
	}
	for _, req := range []StartRequest{{CPU: -1}, {Memory: 7}, {Pids: -1}, {Umask: new(-1)}, {Umask: new(0o1000)}} {
		req.ID, req.Argv = "bad", []string{"/bin/true"}
		if err := h.Start(ctx, req); !errors.Is(err, ErrInvalid) {
			t.Errorf("%+v: %v, want ErrInvalid", req, err)
		}
	}
}

// Nothing is left of many attempts: ROTA_TEST_ATTEMPTS says of how many.
func TestAttemptsLeaveNothing(t *testing.T) {
	n := 1000
	if s := os.Getenv("ROTA_TEST_ATTEMPTS"); s != "" {
		var err error
		if n, err = strconv.Atoi(s); err != nil {
			t.Fatal(err)
		}
	}
	h := newHarness(t, Options{})
	limits := len(h.Capabilities().Controllers) == 3
	h.warmUp()
	fds, groups := openFDs(t), len(ownGroups(t, h))
	gate := make(chan struct{}, 16)
	go func() {
		for i := range n {
			gate <- struct{}{}
			req := shell(fmt.Sprint(i), []string{"exit 0", "(setsid sleep 300 &)", "exit 1", "kill -9 $$"}[i%4])
			req.Grace = time.Millisecond
			if i%5 == 0 && limits {
				req.CPU, req.Memory, req.Pids = 1, 64<<20, 20
			}
			if i%7 == 0 {
				req.Argv = []string{"/no/such/program"}
			}
			if err := h.Start(ctx, req); err != nil {
				t.Error(err)
			}
		}
	}()
	for range n {
		if err := h.Forget(ctx, h.result().ID); err != nil {
			t.Error(err)
		}
		<-gate
	}
	eventually(t, "no process is left", func() bool {
		h.orphans.reap()
		return len(ownChildren(t)) == 0
	})
	eventually(t, "no file is left open", func() bool { return openFDs(t) <= fds })
	h.groups.Retry()
	if left := ownGroups(t, h); len(left) > groups {
		t.Errorf("%d control groups are left, %d were there before: %v", len(left), groups, left)
	}
	h.stop()
	if left := ownGroups(t, h); len(left) > 0 {
		t.Errorf("left after Close: %v", left)
	}
}

// Two nodes on one host: what one leaves behind when it is killed is swept by
// its own successor, a hidden daemon included, and the other one's jobs go on.
func TestTwoManagersSideBySide(t *testing.T) {
	mine := newHarness(t, Options{})
	mine.start(shell("mine", "exec sleep 300"))
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "PROC_TEST_HOLDER="+dir)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // where the test has stopped early
		_ = cmd.Wait()
	})
	hidden, main := pidFrom(t, filepath.Join(dir, "hidden")), pidFrom(t, filepath.Join(dir, "main"))
	if r := mine.run(shell("short", "exit 0")); r.Outcome != Succeeded || !isAlive(main) || !isAlive(hidden) {
		t.Errorf("beside another Manager: %+v", r)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	if mine.Capabilities().Tracking == "none" {
		t.Skipf("without control groups a hidden daemon escapes: %s", mine.Capabilities().Reason)
	}
	next, err := New(t.Context(), Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if isAlive(hidden) || isAlive(main) {
		t.Error("the successor has left something alive")
	}
	if list, err := mine.List(ctx); err != nil || list[0].State != Running {
		t.Errorf("the other Manager's attempt: %+v, %v", list, err)
	}
	if err := next.Close(ctx); err != nil {
		t.Error(err)
	}
}

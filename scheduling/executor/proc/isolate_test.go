package proc

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// namespaceOf names the namespace of pids that an attempt's init is the first of.
func (h *harness) namespaceOf(id string) string {
	h.t.Helper()
	return namespace(h.t, h.pid(id))
}

func namespace(t testing.TB, pid int) string {
	t.Helper()
	link, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/pid", pid))
	if err != nil {
		t.Fatal(err)
	}
	return link
}

// inNamespace returns who lives in a namespace of pids, by the host's numbers.
func inNamespace(t testing.TB, name string) (pids []int) {
	t.Helper()
	all, err := processes()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range all {
		link, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/pid", p.pid))
		if err == nil && link == name && !p.dead() {
			pids = append(pids, p.pid)
		}
	}
	return pids
}

// pid is that of a live attempt.
func (h *harness) pid(id string) int {
	h.t.Helper()
	list, err := h.List(ctx)
	if err != nil {
		h.t.Fatal(err)
	}
	for _, s := range list {
		if s.ID == id && s.State == Running {
			return s.PID
		}
	}
	h.t.Fatalf("%s does not run: %+v", id, list)
	return 0
}

func TestIsolated(t *testing.T) {
	h := isolatedHarness(t, IsolationPidns)
	const script = `
		[ "$(head -c 9 /proc/1/environ)" = ROTA_MARK ] || echo "the init's environment: $(tr '\0' ' ' < /proc/1/environ)"
		[ -d /proc/$HOST ] && [ "$(cat /proc/$HOST/comm)" = "$COMM" ] && echo "it sees the host's processes"
		[ $$ -lt 100 ] || echo "its pid is $$"
		[ "$ROTA_JOB" = nightly ] && [ -n "$ROTA_MARK" ] || echo "environment: $(env)"
		for pid in /proc/[0-9]*; do echo $(basename $pid); done | sort -n | head -1
		mount -t tmpfs none /mnt && [ -d /mnt ] || echo "no mount of its own"
		ps -o pgid=,sid= -p $$ | grep -q "$$ *$$" || echo "it leads no session"`
	comm, err := os.ReadFile("/proc/self/comm")
	if err != nil {
		t.Fatal(err)
	}
	req := shell("a", script)
	req.Env = append(req.Env, "ROTA_JOB=nightly", "HOST="+strconv.Itoa(os.Getpid()), "COMM="+strings.TrimSpace(string(comm)))
	if os.Geteuid() != 0 {
		req.Argv[2] = strings.Replace(script, "mount -t", "true -t", 1)
	}
	r := h.run(req)
	if string(r.Tail) != "1\n" || r.Outcome != Succeeded {
		t.Errorf("result %+v: %s", r, r.Tail)
	}
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil || bytes.Contains(mounts, []byte(" /mnt tmpfs")) {
		t.Errorf("the host sees its mount, %v:\n%s", err, mounts)
	}
}

// Nothing of a namespace outlives its attempt, even what only the kernel knows of;
// and what hears a SIGTERM has its grace.
func TestNothingSurvivesIsolated(t *testing.T) {
	scripts := map[string]string{
		"scrubbed daemon": `(env -i F=$F setsid sh -c 'trap "" TERM; echo $$ > $F; while :; do sleep 300; done' &) ; while [ ! -s $F ]; do :; done`,
	}
	for name, script := range leavings {
		scripts[name] = script
	}
	for name, script := range scripts {
		for last, want := range map[string]Outcome{"read go < $F.go; exit 0": Succeeded, "while :; do sleep 300; done": Cancelled} {
			t.Run(name+", "+string(want), func(t *testing.T) {
				h := isolatedHarness(t, IsolationPidns)
				file := filepath.Join(t.TempDir(), "pid")
				if err := unix.Mkfifo(file+".go", 0o600); err != nil {
					t.Fatal(err)
				}
				req := shell("a", script+"\n"+last)
				req.Env = append(req.Env, "F="+file)
				req.Grace = 100 * time.Millisecond
				h.start(req)
				pidFrom(t, file)
				ns := h.namespaceOf("a")
				if n := len(inNamespace(t, ns)); n < 3 {
					t.Errorf("%d processes in the namespace, want init, program and what it leaves", n)
				}
				if want == Cancelled {
					if err := h.Kill(ctx, "a", ReasonCancelled); err != nil {
						t.Fatal(err)
					}
				} else if err := os.WriteFile(file+".go", []byte("go\n"), 0); err != nil {
					t.Fatal(err)
				}
				r := h.result()
				if left := inNamespace(t, ns); len(left) > 0 || r.Outcome != want {
					t.Errorf("%v outlived its attempt (%+v)", left, r)
				}
			})
		}
	}
}

// What is left behind by the main process hears a SIGTERM and has its grace, and
// what the main process came to stays what it was.
func TestLeftoversOfIsolatedHaveTheirGrace(t *testing.T) {
	h := isolatedHarness(t, IsolationPidns)
	file := filepath.Join(t.TempDir(), "f")
	req := shell("a", `(setsid sh -c 'trap "echo heard > $F.heard; exit" TERM; echo $$ > $F; while :; do sleep 0.01; done' &)
		while [ ! -s $F ]; do :; done; kill -USR1 $$`)
	req.Env, req.Grace = append(req.Env, "F="+file), time.Hour
	r := h.run(req)
	if _, err := os.Stat(file + ".heard"); err != nil || r.Signal != "SIGUSR1" || r.Outcome != Failed {
		t.Errorf("result %+v, %v", r, err)
	}
}

func TestParentDeathIsolated(t *testing.T) {
	isolatedHarness(t, IsolationPidns).stop()
	dir := t.TempDir()
	cmd := startHolder(t, "PROC_TEST_HOLDER="+dir, "PROC_TEST_ISOLATION="+IsolationPidns)
	for _, name := range []string{"main", "daemon", "child", "hidden"} {
		pidFrom(t, filepath.Join(dir, name))
	}
	eventually(t, "holder is ready", func() bool {
		_, err := os.Stat(filepath.Join(dir, "ready"))
		return err == nil && dirBytes(t, filepath.Join(dir, "held")) > 0
	})
	ns := namespace(t, initOf(t, cmd.Process.Pid))
	if n := len(inNamespace(t, ns)); n < 5 {
		t.Errorf("%d processes in the namespace, want an init and what it holds", n)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	eventually(t, "the kernel has killed all of them", func() bool { return len(inNamespace(t, ns)) == 0 })
	checkInherited(t, newHarness(t, Options{Dir: dir}))
}

// initOf finds the init that a process has started.
func initOf(t testing.TB, parent int) int {
	t.Helper()
	all, err := processes()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range all {
		if p.ppid == parent && namespace(t, p.pid) != namespace(t, parent) {
			return p.pid
		}
	}
	t.Fatalf("no init below %d", parent)
	return 0
}

// The supervisor may be killed in the instant before an init has asked for the
// parent-death signal: it finds its socket closed.
func TestInitEndsWithItsSocket(t *testing.T) {
	h := isolatedHarness(t, IsolationPidns)
	h.start(shell("a", "trap '' TERM; while :; do sleep 300; done"))
	h.mu.Lock()
	a := h.attempts["a"]
	h.mu.Unlock()
	ns := h.namespaceOf("a")
	a.mu.Lock()
	a.box.Close()
	a.mu.Unlock()
	r := h.result()
	if left := inNamespace(t, ns); len(left) > 0 || r.Outcome != Failed {
		t.Errorf("%v live, result %+v", left, r)
	}
}

// An init that is killed from outside takes all with it, which is no success.
func TestInitKilled(t *testing.T) {
	h := isolatedHarness(t, IsolationPidns)
	h.start(shell("a", "trap '' TERM; while :; do sleep 300; done"))
	if err := syscall.Kill(h.pid("a"), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if r := h.result(); r.Outcome != Failed || r.Signal != "SIGKILL" || r.ExitCode != -1 {
		t.Errorf("result %+v", r)
	}
}

// Limits are for the program: its init is not counted against them.
func TestInitIsOutsideOfLimits(t *testing.T) {
	h := isolatedHarness(t, IsolationPidns)
	h.needLimits("pids", "memory")
	req := shell("a", "exit 0")
	req.Pids, req.Memory = 1, 4<<20
	if r := h.run(req); r.Outcome != Succeeded {
		t.Errorf("result %+v", r)
	}
	for i := range 8 { // on every thread that forks
		req := StartRequest{ID: fmt.Sprint(i), Argv: []string{"/bin/sh", "-c", "cat /proc/self/cgroup"}, Pids: 10}
		if r := h.run(req); r.Outcome != Succeeded || !bytes.Contains(r.Tail, []byte("rota-")) {
			t.Errorf("result %+v: %s", r, r.Tail)
		}
	}
}

func TestCannotIsolate(t *testing.T) {
	h := newHarness(t, Options{})
	req := shell("a", "exit 0")
	req.Isolation = IsolationPidns
	const want = `isolation "pidns" is not available on this node: this program brings no init`
	if r := h.run(req); r.Outcome != StartFailed || r.Error != want {
		t.Errorf("result %+v", r)
	}
	req.ID, req.Isolation = "b", "jail"
	if err := h.Start(ctx, req); !errors.Is(err, ErrInvalid) {
		t.Errorf("Start: %v, want ErrInvalid", err)
	}
}

// A user that is not root isolates its jobs by a namespace of users, where the
// kernel lets it.
func TestIsolationWithoutRoot(t *testing.T) {
	needRoot(t)
	dir := t.TempDir()
	for _, d := range []string{dir, filepath.Dir(dir)} {
		if err := os.Chmod(d, 0o777); err != nil { //nolint:gosec // it is to write a pid there
			t.Fatal(err)
		}
	}
	cmd := holderCommand("PROC_TEST_HOLDER="+dir, "PROC_TEST_ISOLATION="+IsolationPidns)
	cmd.Path = "/proc/self/exe" // its folder is root's
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	startHolding(t, cmd)
	for _, name := range []string{"main", "hidden"} {
		pidFrom(t, filepath.Join(dir, name))
	}
	ns := namespace(t, initOf(t, cmd.Process.Pid))
	for _, pid := range inNamespace(t, ns) {
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if err != nil {
			t.Fatal(err)
		}
		isInit := pid == initOf(t, cmd.Process.Pid)
		if !bytes.Contains(status, []byte("Uid:\t65534")) || !isInit && !bytes.Contains(status, []byte("CapPrm:\t0000000000000000")) {
			t.Errorf("pid %d:\n%s", pid, status)
		}
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	eventually(t, "the kernel has killed all of them", func() bool { return len(inNamespace(t, ns)) == 0 })
}

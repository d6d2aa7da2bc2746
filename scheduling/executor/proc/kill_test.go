package proc

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestTimeout(t *testing.T) {
	bothWays(t, testTimeout)
}

func testTimeout(t *testing.T, h *harness) {
	req := shell("a", "exec sleep 300")
	req.Timeout = 150 * time.Millisecond
	r := h.run(req)
	if r.Outcome != Timeout || r.Reason != ReasonTimeout || r.Signal != "SIGTERM" {
		t.Errorf("result %+v, want timeout", r)
	}
	if took := time.Duration(r.EndedMono - r.StartedMono); took < req.Timeout {
		t.Errorf("ended after %s, before its timeout", took)
	}
}

func TestTimeoutGrace(t *testing.T) {
	bothWays(t, testTimeoutGrace)
}

func testTimeoutGrace(t *testing.T, h *harness) {
	tests := []struct {
		name, script string
		grace        time.Duration
		code         int
		signal       string
	}{
		{"dies of TERM", "echo up; exec sleep 300", time.Hour, -1, "SIGTERM"},
		{"ends by itself on TERM", "trap 'exit 0' TERM; echo up; sleep 300 & wait", 3 * time.Second, 0, ""},
		{"ignores TERM", "trap '' TERM; echo up; while :; do sleep 300; done", 100 * time.Millisecond, -1, "SIGKILL"},
		{"stopped", "echo up; kill -STOP $$; sleep 300", time.Hour, -1, "SIGTERM"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			req := shell(tt.name, tt.script)
			req.Timeout, req.Grace = time.Hour, tt.grace
			h.start(req)
			eventually(t, "program is up", func() bool { return tailOf(h, tt.name) == "up\n" })
			before := Mono()
			h.timeOutNow(tt.name)
			r := h.result()
			if r.Outcome != Timeout || r.Reason != ReasonTimeout || r.ExitCode != tt.code || r.Signal != tt.signal {
				t.Errorf("result %+v, want timeout with code %d, signal %q", r, tt.code, tt.signal)
			}
			if took := time.Duration(r.EndedMono - before); r.Signal == "SIGKILL" && took < tt.grace {
				t.Errorf("killed after %s, before its grace of %s was over", took, tt.grace)
			}
		})
	}
}

// timeOutNow moves the deadline of a live attempt to this instant.
func (h *harness) timeOutNow(id string) {
	h.mu.Lock()
	a := h.attempts[id]
	h.mu.Unlock()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.timeout.Reset(0)
}

func TestKill(t *testing.T) {
	bothWays(t, testKill)
}

func testKill(t *testing.T, h *harness) {
	for reason, want := range map[string]Outcome{
		ReasonCancelled: Cancelled, ReasonLost: Killed, ReasonTimeout: Timeout, "disk-on-fire": Killed,
	} {
		h.start(shell(reason, "exec sleep 300"))
		if err := h.Kill(ctx, reason, reason); err != nil {
			t.Fatal(err)
		}
		if err := h.Kill(ctx, reason, "a later one"); err != nil {
			t.Fatal(err)
		}
		if r := h.result(); r.Outcome != want || r.Reason != reason {
			t.Errorf("result %+v, want %s because %s", r, want, reason)
		}
	}
}

// leavings are scripts that leave a process behind, and write its pid.
var leavings = map[string]string{
	"child":                 `sleep 300 & echo $! > $F`,
	"other group":           `set -m; sleep 300 & echo $! > $F`,
	"double fork":           `(sleep 300 & echo $! > $F)`,
	"own session":           `setsid sh -c 'echo $$ > $F; exec sleep 300' & while [ ! -s $F ]; do :; done`,
	"daemon":                `(setsid sh -c 'echo $$ > $F; exec sleep 300' &) ; while [ ! -s $F ]; do :; done`,
	"daemon that ends TERM": `(setsid sh -c 'trap "" TERM; echo $$ > $F; while :; do sleep 300; done' &) ; while [ ! -s $F ]; do :; done`,
	"scrubbed, in session":  `(env -i sleep 300 & echo $! > $F)`,
	"below a daemon, deaf":  `(setsid sh -c 'env -i F=$F setsid sh -c "trap \"\" TERM; echo \$\$ > \$F; while :; do sleep 300; done" & wait' &) ; while [ ! -s $F ]; do :; done`,
	"below a daemon":        `(setsid sh -c 'env -i F=$F setsid sh -c "echo \$\$ > \$F; exec sleep 300" & wait' &) ; while [ ! -s $F ]; do :; done`,
}

// What a program leaves behind dies with it, however far it has run.
func TestNothingSurvives(t *testing.T) {
	for name, script := range leavings {
		t.Run(name, func(t *testing.T) {
			for _, end := range []string{"by itself", "killed"} {
				t.Run(end, func(t *testing.T) {
					h := newHarness(t, Options{})
					file := filepath.Join(t.TempDir(), "pid")
					last := map[string]string{"by itself": "exit 0", "killed": "while :; do sleep 300; done"}[end]
					req := shell("a", script+"\n"+last)
					req.Env = append(req.Env, "F="+file)
					req.Grace = 100 * time.Millisecond
					h.start(req)
					pid := pidFrom(t, file)
					if end == "killed" {
						if err := h.Kill(ctx, "a", ReasonCancelled); err != nil {
							t.Fatal(err)
						}
					}
					r := h.result()
					if isAlive(pid) {
						t.Errorf("pid %d outlived its attempt (%+v)", pid, r)
						_ = syscall.Kill(pid, syscall.SIGKILL)
					}
					if want := map[string]Outcome{"by itself": Succeeded, "killed": Cancelled}[end]; r.Outcome != want {
						t.Errorf("outcome %s, want %s", r.Outcome, want)
					}
				})
			}
		})
	}
}

func TestFiftyChildren(t *testing.T) {
	h := newHarness(t, Options{})
	file := filepath.Join(t.TempDir(), "pids")
	req := shell("a", `for i in $(seq 50); do (trap '' TERM; sleep 300) & echo $! >> `+file+`; done; echo up; wait`)
	req.Grace = 100 * time.Millisecond
	h.start(req)
	eventually(t, "fifty children", func() bool { return tailOf(h, "a") == "up\n" })
	if err := h.Kill(ctx, "a", ReasonCancelled); err != nil {
		t.Fatal(err)
	}
	h.result()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	pids := strings.Fields(string(b))
	if len(pids) != 50 {
		t.Fatalf("%d children, want 50", len(pids))
	}
	for _, pid := range pids {
		if _, err := os.Stat("/proc/" + pid); err == nil {
			t.Errorf("child %s is still there", pid)
		}
	}
}

// One attempt's daemon is not another attempt's leftover.
func TestNeighboursAreLeftAlone(t *testing.T) {
	h := newHarness(t, Options{})
	file := filepath.Join(t.TempDir(), "pid")
	long := shell("long", `(setsid sh -c 'echo $$ > $F; exec sleep 300' &) ; exec sleep 300`)
	long.Env = append(long.Env, "F="+file)
	h.start(long)
	daemon := pidFrom(t, file)
	mine := exec.Command("/bin/sleep", "300")
	if err := mine.Start(); err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		if r := h.run(shell(fmt.Sprint("short", i), "(sleep 300 &); exit 0")); r.Outcome != Succeeded {
			t.Errorf("result %+v", r)
		}
	}
	if !isAlive(daemon) || !isAlive(mine.Process.Pid) {
		t.Error("a stranger was killed")
	}
	// Its exit status is its parent's, even while orphans are collected.
	if err := mine.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "zombie", func() bool { return !isAlive(mine.Process.Pid) })
	h.orphans.reap()
	if err := mine.Wait(); err == nil || err.Error() != "signal: killed" {
		t.Errorf("Wait: %v, want its own status", err)
	}
}

// A daemon that leaves its session, erases its environment and outlives its
// parents is known only to its control group. Without one it escapes, until
// Close: that much the documentation says.
func TestScrubbedDaemon(t *testing.T) {
	for _, end := range []string{"by itself", "killed"} {
		t.Run(end, func(t *testing.T) {
			h := newHarness(t, Options{})
			file := filepath.Join(t.TempDir(), "pid")
			last := map[string]string{"by itself": "exit 0", "killed": "exec sleep 300"}[end]
			h.start(shell("a", `(env -i setsid sh -c 'trap "" TERM; echo $$ > `+file+`; while :; do sleep 300; done' &)
				while [ ! -s `+file+` ]; do :; done; `+last))
			pid := pidFrom(t, file)
			if end == "killed" {
				if err := h.Kill(ctx, "a", ReasonCancelled); err != nil {
					t.Fatal(err)
				}
			}
			h.hurryNow("a")
			h.result()
			tracked := h.Capabilities().Tracking != "none"
			if alive := isAlive(pid); alive == tracked {
				t.Errorf("it lives: %v, with %+v", alive, h.Capabilities())
			}
			h.stop()
			if isAlive(pid) {
				t.Error("it lives on after Close")
			}
		})
	}
}

// hurryNow cuts the grace of a live attempt short.
func (h *harness) hurryNow(id string) {
	h.mu.Lock()
	a := h.attempts[id]
	h.mu.Unlock()
	a.hurry()
}

func TestDeadOrphansAreReaped(t *testing.T) {
	h := newHarness(t, Options{})
	h.start(shell("a", `for i in 1 2 3; do (setsid true &); done; echo up; exec sleep 300`))
	eventually(t, "up", func() bool { return tailOf(h, "a") == "up\n" })
	eventually(t, "only the attempt is left", func() bool {
		h.orphans.reap()
		return len(ownChildren(t)) == 1
	})
}

// The tick alone must do it, at the latest a second after the lapse began.
func TestFence(t *testing.T) {
	h := newHarness(t, Options{StopAfter: 200 * time.Millisecond})
	fenced, free := shell("fenced", "exec sleep 300"), shell("free", "exec sleep 300")
	base := Mono()
	fenced.ContactBase = base
	h.start(free)
	h.start(fenced)
	r := h.result()
	if r.ID != "fenced" || r.Outcome != Killed || r.Reason != ReasonFenced {
		t.Errorf("result %+v, want fenced", r)
	}
	if after := time.Duration(r.EndedMono - base); after < 200*time.Millisecond {
		t.Errorf("fenced after %s, too early", after)
	}
}

// Each attempt has a lapse of its own, also one that starts when a later one is known.
func TestEarliestLapse(t *testing.T) {
	h := newHarness(t, Options{})
	for id, stopAfter := range map[string]time.Duration{"long": time.Hour, "longer": 2 * time.Hour} {
		req := shell(id, "exec sleep 300")
		req.ContactBase, req.StopAfter = Mono(), stopAfter
		h.start(req)
	}
	if err := h.Contact(ctx, Mono()); err != nil { // has the next lapse looked for
		t.Fatal(err)
	}
	req := shell("short", "exec sleep 300")
	req.ContactBase, req.StopAfter = Mono(), 100*time.Millisecond
	h.start(req)
	if r := h.result(); r.ID != "short" || r.Reason != ReasonFenced {
		t.Errorf("result %+v, want the short one fenced", r)
	}
}

func TestLapseIsLatched(t *testing.T) {
	h := newHarness(t, Options{StopAfter: time.Hour})
	req := shell("a", "exec sleep 300")
	req.ContactBase = Mono()
	h.start(req)
	h.mu.Lock()
	h.contact, h.lapse = Mono()-int64(time.Hour), 0 // a lapse that nobody has noticed yet
	h.mu.Unlock()
	if err := h.Contact(ctx, Mono()); err != nil {
		t.Fatal(err)
	}
	if r := h.result(); r.Reason != ReasonFenced {
		t.Errorf("result %+v, want fenced though contact is back", r)
	}
	req.ID, req.ContactBase = "b", Mono()
	h.start(req)
	for range 3 {
		if err := h.Contact(ctx, Mono()); err != nil {
			t.Fatal(err)
		}
	}
	if list, _ := h.List(ctx); len(list) != 2 || list[1].State != Running {
		t.Errorf("list %+v, want b running under the new contact", list)
	}
}

func TestContactNeverMovesBack(t *testing.T) {
	h := newHarness(t, Options{StopAfter: time.Hour})
	now := Mono()
	for _, base := range []int64{now, now - 5, 0, now + int64(time.Hour)} {
		if err := h.Contact(ctx, base); err != nil {
			t.Fatal(err)
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.contact < now || h.contact > Mono() {
		t.Errorf("contact %d, want one between %d and now", h.contact, now)
	}
}

func TestParentDeath(t *testing.T) {
	dir := t.TempDir()
	cmd := startHolder(t, "PROC_TEST_HOLDER="+dir)
	pids := map[string]int{}
	for _, name := range []string{"main", "daemon", "child"} {
		pids[name] = pidFrom(t, filepath.Join(dir, name))
	}
	eventually(t, "holder is ready", func() bool {
		_, err := os.Stat(filepath.Join(dir, "ready"))
		return err == nil && dirBytes(t, filepath.Join(dir, "held")) > 0
	})
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	eventually(t, "main process dies with its parent", func() bool { return !isAlive(pids["main"]) })

	h := newHarness(t, Options{Dir: dir})
	for name, pid := range pids {
		if isAlive(pid) {
			p, _ := readStat(pid)
			mark, blank := markerOf(pid, make([]byte, maxEnvironBytes))
			t.Errorf("%s lives after the restart: %+v, marker %q, blank %v", name, p, mark, blank)
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
	checkInherited(t, h)
}

// startHolder starts this program as one that holds a Manager; see hold.
func startHolder(t *testing.T, env ...string) *exec.Cmd {
	t.Helper()
	cmd := holderCommand(env...)
	startHolding(t, cmd)
	return cmd
}

func holderCommand(env ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), env...)
	cmd.Stderr = os.Stderr
	return cmd
}

func startHolding(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // where the test has stopped early
		_ = cmd.Wait()
	})
}

// checkInherited: the successor of a holder that was killed knows its attempts.
func checkInherited(t *testing.T, h *harness) {
	t.Helper()
	list, err := h.List(ctx)
	if err != nil || len(list) != 3 {
		t.Fatalf("List: %+v, %v; want three", list, err)
	}
	if s := list[0]; s.State != Declined || string(s.Note) != "overlap" {
		t.Errorf("declined: %+v", s)
	}
	if r := list[1].Result; r == nil || r.Outcome != Killed || r.Reason != ReasonRestarted || string(r.Tail) != "printed\n" || r.StartedAt == 0 {
		t.Errorf("held: %+v", r)
	}
	if r := list[2].Result; r == nil || r.Outcome != Failed || r.ExitCode != 3 {
		t.Errorf("over: %+v", r)
	}
}

package proc

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skipf("needs root, and runs as uid %d", os.Geteuid())
	}
}

func TestUser(t *testing.T) {
	needRoot(t)
	bothWays(t, testUser)
}

func testUser(t *testing.T, h *harness) {
	const who = `id -u; id -g; id -G; echo $HOME $USER $LOGNAME $SHELL $KEPT; cat /proc/self/status | grep CapEff`
	const noCaps = "CapEff:\t0000000000000000\n"
	tests := map[string]string{
		"nobody":      "65534\n65534\n65534\n/nonexistent nobody nobody /usr/sbin/nologin kept\n" + noCaps,
		"65534":       "65534\n65534\n65534\n/nonexistent nobody nobody /usr/sbin/nologin kept\n" + noCaps,
		"nobody:1234": "65534\n1234\n1234\n/nonexistent nobody nobody /usr/sbin/nologin kept\n" + noCaps,
		"54321:1234":  "54321\n1234\n1234\n/ 54321 54321 /bin/sh kept\n" + noCaps,
	}
	if _, err := findUser("54321"); err == nil {
		t.Skip("this host has a user 54321")
	}
	for user, want := range tests {
		t.Run(user, func(t *testing.T) {
			req := shell(user, who+"; echo direct > /dev/stderr")
			req.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=/root", "USER=root", "KEPT=kept"}
			req.User, req.OutputDir = user, filepath.Join(t.TempDir(), "out")
			r := h.run(req)
			if diff := cmp.Diff(want, readAll(t, req.OutputDir, Stdout)); diff != "" || r.Outcome != Succeeded {
				t.Errorf("%s\nresult %+v: %s", diff, r, r.Tail)
			}
			if readAll(t, req.OutputDir, Stderr) != "direct\n" {
				t.Errorf("its own /dev/stderr: %s", r.Tail)
			}
			if st, err := os.Stat(req.OutputDir); err != nil || st.Mode().Perm()&0o007 != 0 {
				t.Errorf("output directory: %v, %v", st, err)
			}
		})
	}
}

func TestUserFailures(t *testing.T) {
	needRoot(t)
	bothWays(t, testUserFailures)
}

func testUserFailures(t *testing.T, h *harness) {
	locked := filepath.Join(t.TempDir(), "locked")
	if err := os.Mkdir(locked, 0o700); err != nil {
		t.Fatal(err)
	}
	tests := []struct{ user, dir, want string }{
		{"no-such-user", "", `user "no-such-user" does not exist on this node`},
		{"54321", "", `uid 54321 has no entry on this node`},
		{"nobody:staff", "", `group "staff" is not a number`},
		{"4294967295:0", "", `does not exist`},
		{"-1", "", `does not exist`},
		{"nobody", locked, "as user nobody: permission denied"},
		{"nobody", "/no/such/dir", "working directory /no/such/dir: "},
		{"", "/etc/passwd", "working directory /etc/passwd: not a directory"},
	}
	for _, tt := range tests {
		t.Run(tt.user+tt.dir, func(t *testing.T) {
			req := shell(tt.user+tt.dir+"x", "exit 0")
			req.User, req.Dir = tt.user, tt.dir
			r := h.run(req)
			if r.Outcome != StartFailed || !strings.Contains(r.Error, tt.want) {
				t.Errorf("result %+v, want a start failure with %q", r, tt.want)
			}
		})
	}
}

// The rules of an agent that is not root.
func TestCredential(t *testing.T) {
	id := &identity{name: "deploy", uid: 1000, gid: 100, groups: []uint32{27}}
	if c, err := id.credential(0, 0); err != nil || c.Uid != 1000 || c.Gid != 100 || !slices.Equal(c.Groups, id.groups) {
		t.Errorf("root: %+v, %v", c, err)
	}
	if c, err := id.credential(1000, 100); c != nil || err != nil {
		t.Errorf("the same user: %+v, %v", c, err)
	}
	for _, other := range [][2]int{{1001, 100}, {1000, 101}} {
		if c, err := id.credential(other[0], other[1]); c != nil || err == nil || !strings.Contains(err.Error(), "only root can") {
			t.Errorf("%v: %+v, %v", other, c, err)
		}
	}
}

func TestUmask(t *testing.T) {
	bothWays(t, testUmask)
}

func testUmask(t *testing.T, h *harness) {
	before := h.run(shell("before", "umask"))
	for id, mask := range map[string]int{"0077\n": 0o077, "0000\n": 0, "0222\n": 0o222} {
		req := shell(id[:4], "umask")
		req.Umask = &mask
		if r := h.run(req); r.Outcome != Succeeded || string(r.Tail) != id {
			t.Errorf("result %+v (%s), want %s", r, r.Tail, id)
		}
	}
	for i := range 8 { // on every thread that forks
		if r := h.run(shell(string(rune('a'+i)), "umask")); string(r.Tail) != string(before.Tail) {
			t.Errorf("umask %s, before it was %s", r.Tail, before.Tail)
		}
	}
}

// Becoming another user must not lose the parent-death signal.
func TestParentDeathOfAnotherUser(t *testing.T) {
	needRoot(t)
	dir := t.TempDir()
	for _, d := range []string{dir, filepath.Dir(dir)} {
		if err := os.Chmod(d, 0o777); err != nil { //nolint:gosec // it is to write a pid there
			t.Fatal(err)
		}
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "PROC_TEST_HOLDER="+dir, "PROC_TEST_USER=nobody")
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	pid := pidFrom(t, filepath.Join(dir, "main"))
	if b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid)); err != nil || !strings.Contains(string(b), "Uid:\t65534") {
		t.Errorf("it runs as somebody else: %v\n%s", err, b)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	eventually(t, "it dies with its parent", func() bool { return !isAlive(pid) })
	newHarness(t, Options{Dir: dir})
}

package cgroup

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParseMounts(t *testing.T) {
	tests := map[string]struct {
		mountinfo, unified string
		own                map[string]string
		want               mounts
	}{
		"version 2": {
			mountinfo: "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n",
			unified:   "/system.slice/rota.service",
			want:      mounts{v2: &mount{"/sys/fs/cgroup", "/sys/fs/cgroup/system.slice/rota.service"}},
		},
		"hybrid, two controllers in one": {
			mountinfo: "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n" +
				"32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n" +
				"41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n",
			unified: "/", own: map[string]string{"cpu": "/a", "cpuacct": "/a"},
			want: mounts{
				v2: &mount{"/sys/fs/cgroup/unified", "/sys/fs/cgroup/unified"},
				v1: map[string]mount{
					"cpu":     {"/sys/fs/cgroup/cpu,cpuacct", "/sys/fs/cgroup/cpu,cpuacct/a"},
					"cpuacct": {"/sys/fs/cgroup/cpu,cpuacct", "/sys/fs/cgroup/cpu,cpuacct/a"},
				},
			},
		},
		"a container's part of a hierarchy": {
			mountinfo: "32 31 0:29 /docker/c1 /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n",
			own:       map[string]string{"pids": "/docker/c1/x"},
			want:      mounts{v1: map[string]mount{"pids": {"/sys/fs/cgroup/pids", "/sys/fs/cgroup/pids/x"}}},
		},
		"outside of what is mounted": {
			mountinfo: "32 31 0:29 /docker/c1 /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n" +
				"41 31 0:38 /docker/c1 /cg rw - cgroup2 cgroup2 rw\n",
			own: map[string]string{"pids": "/docker/c10"}, unified: "/",
		},
		"nonsense": {mountinfo: "\n - \n1 2 3 - cgroup2\n"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := parseMounts(strings.NewReader(tt.mountinfo), tt.own, tt.unified)
			if err != nil {
				t.Fatal(err)
			}
			if tt.want.v1 == nil {
				tt.want.v1 = map[string]mount{}
			}
			if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(mounts{}, mount{})); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestSettings(t *testing.T) {
	l := Limits{CPU: 0.5, Memory: 64 << 20, Pids: 10}
	got := map[string][]setting{}
	for _, c := range l.controllers() {
		got[c+" v1"], got[c+" v2"] = l.settings(c, 1), l.settings(c, 2)
	}
	want := map[string][]setting{
		"cpu v1":    {{file: "cpu.cfs_period_us", value: "100000"}, {file: "cpu.cfs_quota_us", value: "50000"}},
		"cpu v2":    {{file: "cpu.max", value: "50000 100000"}},
		"memory v1": {{file: "memory.limit_in_bytes", value: "67108864"}, {file: "memory.memsw.limit_in_bytes", value: "67108864", optional: true}},
		"memory v2": {{file: "memory.max", value: "67108864"}, {file: "memory.swap.max", value: "0", optional: true}},
		"pids v1":   {{file: "pids.max", value: "11"}},
		"pids v2":   {{file: "pids.max", value: "10"}},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(setting{})); diff != "" {
		t.Error(diff)
	}
}

func TestLimitsCheck(t *testing.T) {
	good := []Limits{{}, {CPU: 0.01}, {CPU: 200}, {Memory: MinMemory}, {Pids: 1}}
	bad := []Limits{{CPU: -1}, {CPU: 0.001}, {CPU: math.NaN()}, {CPU: math.Inf(1)}, {Memory: 1}, {Memory: -1}, {Pids: -1}}
	for _, l := range good {
		if err := l.Check(); err != nil {
			t.Errorf("%+v: %v", l, err)
		}
	}
	for _, l := range bad {
		if err := l.Check(); !errors.Is(err, ErrInvalid) {
			t.Errorf("%+v: %v, want ErrInvalid", l, err)
		}
	}
}

func TestCounter(t *testing.T) {
	content := "low 0\noom 3\noom_kill 2\nbroken\noom_group_kill"
	for key, want := range map[string]int64{"low": 0, "oom_kill": 2, "absent": 0, "oom_group_kill": 0, "broken": 0} {
		if got := counter(content, key); got != want {
			t.Errorf("%s: %d, want %d", key, got, want)
		}
	}
}

func TestHostWithout(t *testing.T) {
	tree := openTree(t, t.TempDir(), mounts{})
	if diff := cmp.Diff(Capabilities{Cgroup: "none", Tracking: "none", Reason: "no control groups are mounted"}, tree.Capabilities()); diff != "" {
		t.Error(diff)
	}
	if g, err := tree.New("a", Limits{}); g != nil || err != nil {
		t.Errorf("New: %v, %v; want nothing, and no error", g, err)
	}
	if _, err := tree.New("a", Limits{Pids: 3}); !errors.Is(err, ErrNoLimit) {
		t.Errorf("New with a limit: %v, want ErrNoLimit", err)
	}
	var g *Group // as an attempt there has it
	g.Kill()
	g.Signal(nil)
	if err := errors.Join(g.Enter(nil), g.Leave()); err != nil || !g.Remove() || g.Verdict() != (Verdict{}) {
		t.Error("a group that is nil does something")
	}
}

// Whatever hides in a group dies with it, and leaves no directory.
func TestKill(t *testing.T) {
	for name, m := range flavours(t) {
		t.Run(name, func(t *testing.T) {
			tree := openTree(t, t.TempDir(), m)
			needTracking(t, tree)
			g, err := tree.New("a/b", Limits{})
			if err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(t.TempDir(), "pid")
			cmd := spawn(t, g, `(env -i setsid sh -c 'trap "" TERM; echo $$ > `+file+`; while :; do sleep 300; done' &); exec sleep 300`)
			eventually(t, "daemon is up", func() bool { return strings.HasSuffix(read(file), "\n") })
			pid, err := strconv.Atoi(strings.TrimSpace(read(file)))
			if err != nil {
				t.Fatal(err)
			}
			if in := members(g.dirs[0]); !slices.Contains(in, pid) || !slices.Contains(in, cmd.Process.Pid) || slices.Contains(in, os.Getpid()) {
				t.Fatalf("in the group: %v", in)
			}
			if g.Remove() {
				t.Fatal("a group with processes in it was removed")
			}
			g.Signal(func(pid int) bool { return pid != cmd.Process.Pid }, 15)
			if err := cmd.Wait(); err == nil || err.Error() != "signal: terminated" {
				t.Errorf("main process: %v", err)
			}
			g.Kill()
			eventually(t, "daemon is dead", func() bool { return !isAlive(pid) })
			eventually(t, "group is gone", g.Remove)
		})
	}
}

// A fork bomb stays within its limit, and is killed though it never stops.
func TestForkBomb(t *testing.T) {
	for name, m := range flavours(t) {
		t.Run(name, func(t *testing.T) {
			tree := openTree(t, t.TempDir(), m)
			needLimits(t, tree, "pids")
			g, err := tree.New("bomb", Limits{Pids: 30})
			if err != nil {
				t.Fatal(err)
			}
			spawn(t, g, `b() { b & b & while :; do :; done; }; b 2>/dev/null`)
			most := 0
			eventually(t, "a fork is refused", func() bool {
				most = max(most, len(members(g.dirs[0])))
				return g.Verdict().PidsRefused
			})
			if most > 30 {
				t.Errorf("%d processes, limit 30", most)
			}
			eventually(t, "it is gone", func() bool {
				g.Kill()
				return g.Remove()
			})
			if left := groupDirs(tree); tree.v2 == nil && len(left) > 0 {
				t.Errorf("left: %v", left)
			}
		})
	}
}

func TestOneProcessIsEnough(t *testing.T) {
	tree := openTree(t, t.TempDir(), flavours(t)["as it is"])
	needLimits(t, tree, "pids")
	g, err := tree.New("one", Limits{Pids: 1})
	if err != nil {
		t.Fatal(err)
	}
	if err := spawn(t, g, "exit 0").Wait(); err != nil {
		t.Error(err)
	}
	eventually(t, "group is gone", g.Remove)
}

// An empty group is used again, unless somebody has changed it.
func TestSlots(t *testing.T) {
	tree := openTree(t, t.TempDir(), flavours(t)["as it is"])
	if tree.v2 == nil {
		t.Skipf("this host has no version 2 tree to test: %s", tree.Capabilities().Reason)
	}
	take := func() *Group {
		g, err := tree.New("a", Limits{})
		if err != nil {
			t.Fatal(err)
		}
		return g
	}
	a, b := take(), take()
	first, second := a.dirs[0], b.dirs[0]
	if first == second {
		t.Fatal("two attempts share a group")
	}
	for range 2 { // the second time it is gone already
		if !a.Remove() {
			t.Fatal("an empty group is not gone")
		}
	}
	c := take()
	if c.dirs[0] != first {
		t.Errorf("took %s, want %s again", c.dirs[0], first)
	}
	if err := os.Mkdir(filepath.Join(first, "made-by-the-job"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := write(filepath.Join(second, "cgroup.freeze"), "1"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "changed groups are gone", func() bool { return c.Remove() && b.Remove() })
	if exists(first) || len(tree.v2.slots.free) > 1 {
		t.Errorf("a changed group is kept: %+v", tree.v2.slots.free)
	}
	for range 3 {
		d := take()
		if strings.Contains(read(filepath.Join(d.dirs[0], "cgroup.events")), "frozen 1") {
			t.Error("got a frozen group")
		}
		defer d.Remove()
	}
}

// A kept group that somebody else has removed or frozen is not handed out.
func TestKeptGroupsAreLookedAtAgain(t *testing.T) {
	tree := openTree(t, t.TempDir(), flavours(t)["as it is"])
	if tree.v2 == nil {
		t.Skipf("this host has no version 2 tree to test: %s", tree.Capabilities().Reason)
	}
	for what, change := range map[string]func(dir string) error{
		"removed": os.Remove,
		"frozen":  func(dir string) error { return write(filepath.Join(dir, "cgroup.freeze"), "1") },
	} {
		g, err := tree.New("a", Limits{})
		if err != nil {
			t.Fatal(err)
		}
		dir := g.dirs[0]
		if !g.Remove() {
			t.Fatal("an empty group is not gone")
		}
		if err := change(dir); err != nil {
			t.Fatal(err)
		}
		next, err := tree.New("b", Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if next.dirs[0] == dir {
			t.Errorf("got a group that somebody has %s", what)
		}
		if err := spawn(t, next, "exit 0").Wait(); err != nil {
			t.Errorf("start after a group was %s: %v", what, err)
		}
		eventually(t, "group is gone", next.Remove)
	}
}

// What is born in a group must not die of an earlier attempt's death.
func TestAKilledGroupIsNotUsedAgain(t *testing.T) {
	for name, m := range flavours(t) {
		t.Run(name, func(t *testing.T) {
			tree := openTree(t, t.TempDir(), m)
			needTracking(t, tree)
			for range 3 {
				g, err := tree.New("a", Limits{})
				if err != nil {
					t.Fatal(err)
				}
				cmd := spawn(t, g, "exec sleep 300")
				g.Kill()
				_ = cmd.Wait()
				eventually(t, "group is gone", g.Remove)
				next, err := tree.New("b", Limits{})
				if err != nil {
					t.Fatal(err)
				}
				if err := spawn(t, next, "exit 0").Wait(); err != nil {
					t.Errorf("the next one: %v", err)
				}
				eventually(t, "next group is gone", next.Remove)
			}
		})
	}
}

func TestStuckGroupsAreRetried(t *testing.T) {
	tree := openTree(t, t.TempDir(), flavours(t)["as it is"])
	needTracking(t, tree)
	g, err := tree.New("a", Limits{})
	if err != nil {
		t.Fatal(err)
	}
	cmd := spawn(t, g, "exec sleep 300")
	tree.Discard(g)
	if len(tree.stuck) != 1 {
		t.Fatal("a group with a process in it was removed")
	}
	eventually(t, "nothing is stuck", func() bool {
		tree.Retry()
		return len(tree.stuck) == 0
	})
	if err := cmd.Wait(); err == nil {
		t.Error("the process was not killed")
	}
}

// The next life of a node finds and kills its own, and only its own.
func TestSweep(t *testing.T) {
	for name, m := range flavours(t) {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			old, err := open(t.Context(), dir, m, slog.New(slog.DiscardHandler))
			if err != nil {
				t.Fatal(err)
			}
			needTracking(t, old)
			other := openTree(t, t.TempDir(), m)
			mine, err := old.New("mine", Limits{})
			if err != nil {
				t.Fatal(err)
			}
			theirs, err := other.New("theirs", Limits{})
			if err != nil {
				t.Fatal(err)
			}
			dead, alive := spawn(t, mine, "exec sleep 300"), spawn(t, theirs, "exec sleep 300")

			openTree(t, dir, m)
			if isAlive(dead.Process.Pid) {
				t.Error("a process of the predecessor is alive")
			}
			if !isAlive(alive.Process.Pid) {
				t.Error("another node's process was killed")
			}
			theirs.Kill()
			eventually(t, "the other group is gone", theirs.Remove)
		})
	}
}

// A damaged record must not lead to other people's directories.
func TestSweepOfADamagedRecord(t *testing.T) {
	for name, content := range map[string]string{
		"no control group": "ABCDEFGHIJKLMNOPQRSTUVWXYZ\n%s/rota-ABCDEFGHIJKLMNOPQRSTUVWXYZ\n",
		"not its name":     "ABCDEFGHIJKLMNOPQRSTUVWXYZ\n%s/else\n",
		"id is a path":     "../../..........................\n%s/rota-\n",
		"empty":            "",
	} {
		t.Run(name, func(t *testing.T) {
			dir, victim := t.TempDir(), t.TempDir()
			for _, d := range []string{"rota-ABCDEFGHIJKLMNOPQRSTUVWXYZ", "else", "rota-"} {
				if err := os.Mkdir(filepath.Join(victim, d), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			record := strings.ReplaceAll(content, "%s", victim)
			if err := os.WriteFile(filepath.Join(dir, placesName), []byte(record), 0o600); err != nil {
				t.Fatal(err)
			}
			openTree(t, dir, flavours(t)["as it is"])
			if left, _ := os.ReadDir(victim); len(left) != 3 {
				t.Errorf("left: %v", left)
			}
		})
	}
}

func TestSweepIsBounded(t *testing.T) {
	dir := t.TempDir()
	m := flavours(t)["as it is"]
	old, err := open(t.Context(), dir, m, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	needTracking(t, old)
	t.Cleanup(func() { openTree(t, dir, m) })
	g, err := old.New("a", Limits{})
	if err != nil {
		t.Fatal(err)
	}
	spawn(t, g, "exec sleep 300")
	over, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()
	if _, err := open(over, dir, m, slog.New(slog.DiscardHandler)); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Open: %v", err)
	}
}

// A process alone in its group makes room below it; one with company does not
// touch the others.
func TestEnable(t *testing.T) {
	m := flavours(t)["as it is"]
	if m.v2 == nil {
		t.Skip("this host has no version 2 tree")
	}
	root := m.v2.own
	there := strings.Fields(read(filepath.Join(root, "cgroup.controllers")))
	if len(there) == 0 {
		t.Skip("the version 2 tree of this host has no controller at all")
	}
	base := filepath.Join(root, "enable-"+strconv.Itoa(os.Getpid()))
	if err := os.Mkdir(base, 0o755); err != nil {
		t.Skipf("cannot make groups in %s: %v", root, err)
	}
	t.Cleanup(func() { eventually(t, "groups are gone", func() bool { return remove(base) }) })
	enabled := strings.Fields(read(filepath.Join(root, "cgroup.subtree_control")))
	if err := write(filepath.Join(root, "cgroup.subtree_control"), "+"+there[0]); err != nil {
		t.Skipf("cannot enable %s in %s: %v", there[0], root, err)
	}
	if !slices.Contains(enabled, there[0]) {
		t.Cleanup(func() { _ = write(filepath.Join(root, "cgroup.subtree_control"), "-"+there[0]) })
	}
	alone, shared := filepath.Join(base, "alone"), filepath.Join(base, "shared")
	for _, d := range []string{alone, shared} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := write(filepath.Join(base, "cgroup.subtree_control"), "+"+there[0]); err != nil {
		t.Fatal(err)
	}
	if got := enableIn(t, alone, there[0]); !strings.HasPrefix(got, "<nil>\n") || !strings.Contains(got, "/alone/"+leafName) {
		t.Errorf("alone: %s", got)
	}
	other := spawn(t, &Group{fd: -1}, "exec sleep 300")
	if err := write(filepath.Join(shared, "cgroup.procs"), strconv.Itoa(other.Process.Pid)); err != nil {
		t.Fatal(err)
	}
	got := enableIn(t, shared, there[0])
	if !strings.Contains(got, "also holds other processes (pid "+strconv.Itoa(other.Process.Pid)) || strings.Contains(got, leafName) {
		t.Errorf("with company: %s", got)
	}
	_ = other.Process.Kill()
	_ = other.Wait()
}

// What a node left that never comes back is cleared away by another one, unless
// there is life in it.
func TestAbandoned(t *testing.T) {
	for name, m := range flavours(t) {
		t.Run(name, func(t *testing.T) {
			var trees [3]*Tree
			dirs := [3]string{}
			for i := range trees {
				var err error
				dirs[i] = t.TempDir()
				if trees[i], err = open(t.Context(), dirs[i], m, slog.New(slog.DiscardHandler)); err != nil {
					t.Fatal(err)
				}
				needTracking(t, trees[i])
			}
			abandoned, held, inhabited := trees[0], trees[1], trees[2]
			g, err := inhabited.New("a", Limits{})
			if err != nil {
				t.Fatal(err)
			}
			spawn(t, g, "exec sleep 300")
			abandoned.at.release() // as when its process dies
			inhabited.at.release()
			foreign := filepath.Join(filepath.Dir(abandoned.at.dirs[0]), "rota-of-"+rand.Text())
			if err := os.Mkdir(foreign, 0o755); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { eventually(t, "the foreign group is gone", func() bool { return remove(foreign) }) })
			openTree(t, t.TempDir(), m)
			if !exists(foreign) {
				t.Errorf("%s is gone, which is somebody else's", foreign)
			}
			for _, d := range abandoned.at.dirs {
				// Another test's node may have been about to remove it: it does so then.
				eventually(t, "abandoned "+d+" is gone", func() bool { return !exists(d) })
			}
			for _, d := range held.at.dirs {
				if !exists(d) {
					t.Errorf("another node's %s is gone", d)
				}
			}
			if !exists(g.dirs[0]) {
				t.Error("a group with a process in it is gone")
			}
			for _, d := range dirs {
				openTree(t, d, m)
			}
		})
	}
}

package cgroup

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

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

// TestASlotThatCannotBeOpenedGoes: where descriptors are short, every start would
// leave a group behind.
func TestASlotThatCannotBeOpenedGoes(t *testing.T) {
	s := &slots{parent: t.TempDir()} // no control group: there are no events to open
	for range 3 {
		if taken, err := s.take(); err == nil {
			t.Fatalf("took %+v", taken)
		}
	}
	if left := directories(s.parent); len(left) != 1 {
		t.Errorf("left: %v", left)
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

package cgroup

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

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

package cgroup

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const patience = 10 * time.Second

func eventually(t *testing.T, what string, cond func() bool) {
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

// flavours of a host: what there is, and what there would be without version 2.
func flavours(t *testing.T) map[string]mounts {
	t.Helper()
	all, err := findMounts()
	if err != nil {
		t.Fatal(err)
	}
	return map[string]mounts{"as it is": all, "version 1 only": {v1: all.v1}}
}

// openTree returns a tree that must be empty at the end of the test.
func openTree(t *testing.T, dir string, m mounts) *Tree {
	t.Helper()
	tree, err := open(t.Context(), dir, m, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := tree.Close(); err != nil {
			t.Error(err)
		}
	})
	return tree
}

func needTracking(t *testing.T, tree *Tree) {
	t.Helper()
	if tree.Capabilities().Tracking == "none" {
		t.Skipf("this host has no control groups to test: %s", tree.Capabilities().Reason)
	}
}

func needLimits(t *testing.T, tree *Tree, controllers ...string) {
	t.Helper()
	for _, c := range controllers {
		if !slices.Contains(tree.Capabilities().Controllers, c) {
			t.Skipf("this host cannot limit %s: %s", c, tree.Capabilities().Reason)
		}
	}
}

// spawn starts a script in a group on a thread of its own, which ends with it.
func spawn(t *testing.T, g *Group, script string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("/bin/sh", "-c", script)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	started := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked
		err := g.Enter(cmd.SysProcAttr)
		if err == nil {
			err = cmd.Start()
		}
		if lerr := g.Leave(); err == nil {
			err = lerr
		}
		started <- err
	}()
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // where the test has stopped early
		_ = cmd.Wait()
	})
	return cmd
}

// groupDirs are all directories below the node's own.
func groupDirs(tree *Tree) (dirs []string) {
	for _, e := range tree.v1 {
		dirs = append(dirs, directories(e.Dir)[1:]...)
	}
	if tree.v2 != nil {
		dirs = append(dirs, directories(tree.v2.limited())[1:]...)
		dirs = append(dirs, directories(tree.v2.plain())[1:]...)
	}
	return dirs
}

// TestMain lets the test binary play a process that is alone in a group, or not,
// and wants controllers below it.
func TestMain(m *testing.M) {
	if dir := os.Getenv("CGROUP_TEST_ENABLE"); dir != "" {
		if err := write(filepath.Join(dir, "cgroup.procs"), "0"); err != nil {
			fmt.Println(err)
			return
		}
		err := enable(dir, os.Getenv("CGROUP_TEST_CONTROLLER"))
		fmt.Printf("%v\n%s", err, read("/proc/self/cgroup"))
		return
	}
	os.Exit(m.Run())
}

// enableIn plays that process and returns what it says.
func enableIn(t *testing.T, dir, controller string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), "CGROUP_TEST_ENABLE="+dir, "CGROUP_TEST_CONTROLLER="+controller)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v: %s", err, out.String())
	}
	return out.String()
}

// isAlive is false for zombies.
func isAlive(pid int) bool {
	stat := read(fmt.Sprintf("/proc/%d/stat", pid))
	_, state, ok := strings.Cut(stat, ") ")
	return ok && state[0] != 'Z' && unix.Kill(pid, 0) == nil
}

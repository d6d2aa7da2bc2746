package cgroup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// Group is the control group of one attempt: a directory in one or more
// hierarchies. A nil Group is an attempt without one; every method may be called
// on it. The methods of one Group must not be called concurrently.
type Group struct {
	limits Limits
	slots  *slots
	slot   *slot     // a group that is used again; nil: one of its own
	dirs   []string  // the first one is that by which it is tracked
	enter  []Passage // version 1, by thread
	fd     int       // version 2, by clone3; -1: none; the slot's, if there is one
	memory string    // the directory whose limit it is; empty: none
	pids   string
	pidsV1 bool // its limit still holds a place for the thread that forks
}

// open lets processes be born in a version 2 directory of the group.
func (g *Group) open(dir string) (err error) {
	g.fd, err = openFD(dir, unix.O_RDONLY|unix.O_DIRECTORY)
	return err
}

// openFD returns a descriptor, or -1 and an error.
func openFD(path string, flags int) (int, error) {
	fd, err := unix.Open(path, flags|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	return fd, nil
}

func (g *Group) add(dir string) error {
	if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	g.dirs = append(g.dirs, dir)
	return nil
}

// limit sets the limits of one controller.
func (g *Group) limit(controller, dir string, version int) error {
	for _, s := range g.limits.settings(controller, version) {
		err := write(filepath.Join(dir, s.file), s.value)
		if err != nil && !(s.optional && errors.Is(err, unix.ENOENT)) {
			return fmt.Errorf("set %s limit: %w", controller, err)
		}
	}
	switch controller {
	case "memory":
		g.memory = dir
	case "pids":
		g.pids, g.pidsV1 = dir, version == 1
	}
	return nil
}

// Enter makes the next fork of the calling thread, which must be locked, be
// born in the group. Leave must follow, whatever Enter returns.
func (g *Group) Enter(attr *syscall.SysProcAttr) error {
	if g == nil {
		return nil
	}
	if g.fd >= 0 {
		attr.UseCgroupFD, attr.CgroupFD = true, g.fd
	}
	for _, e := range g.enter {
		if err := write(filepath.Join(e.Dir, "tasks"), "0"); err != nil { // 0: the thread that writes
			return fmt.Errorf("enter control group: %w", err)
		}
	}
	return nil
}

// Leave takes the thread back to where it was.
func (g *Group) Leave() error {
	if g == nil {
		return nil
	}
	g.release()
	var errs error
	for _, e := range g.enter {
		if err := write(filepath.Join(e.Home, "tasks"), "0"); err != nil {
			errs = errors.Join(errs, fmt.Errorf("leave control group: %w", err))
		}
	}
	if g.pidsV1 {
		errs = errors.Join(errs, write(filepath.Join(g.pids, "pids.max"), strconv.FormatInt(g.limits.Pids, 10)))
	}
	return errs
}

func (g *Group) release() {
	if g.fd >= 0 && g.slot == nil {
		unix.Close(g.fd)
	}
	g.fd = -1
}

// Signal sends signals to everything in the group but the pids to skip.
func (g *Group) Signal(skip func(pid int) bool, sigs ...unix.Signal) {
	if g != nil && len(g.dirs) > 0 {
		signal(g.dirs[0], skip, sigs...)
	}
}

// Kill sends SIGKILL to everything in the group, and does not wait.
func (g *Group) Kill() {
	if g != nil && len(g.dirs) > 0 {
		if g.slot != nil {
			g.slot.killed = true
		}
		kill(g.dirs[0])
	}
}

// Verdict says what the limits have done so far.
func (g *Group) Verdict() (v Verdict) {
	if g == nil {
		return v
	}
	if g.memory != "" {
		v.OOM = counter(read(filepath.Join(g.memory, "memory.events")), "oom_kill") > 0 ||
			counter(read(filepath.Join(g.memory, "memory.oom_control")), "oom_kill") > 0
	}
	if g.pids != "" {
		v.PidsRefused = counter(read(filepath.Join(g.pids, "pids.events")), "max") > 0
	}
	return v
}

// Remove removes the group if nothing is in it any more, and says whether that
// is so. A Group that is nil is gone.
func (g *Group) Remove() (gone bool) {
	if g == nil {
		return true
	}
	g.release()
	if g.slot != nil {
		if !g.slots.give(g.slot) {
			return false
		}
		g.slot, g.dirs = nil, g.dirs[1:] // it may be another attempt's by now
	}
	for len(g.dirs) > 0 {
		if !remove(g.dirs[0]) {
			return false
		}
		g.dirs = g.dirs[1:]
	}
	return true
}

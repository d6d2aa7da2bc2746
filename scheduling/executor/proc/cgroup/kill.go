package cgroup

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// freezePatience bounds the wait until every process of a group stands still:
// one in the middle of a hung read never does.
const freezePatience = 20 * time.Millisecond

// write writes to a file of a group with one write, as the kernel wants it, and
// on the thread that calls.
func write(path, value string) error {
	fd, err := openFD(path, unix.O_WRONLY)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	for {
		_, err = unix.Write(fd, []byte(value))
		if err != unix.EINTR {
			break
		}
	}
	if err != nil {
		return &fs.PathError{Op: "write " + strconv.Quote(value) + " to", Path: path, Err: err}
	}
	return nil
}

// read returns the content of a small file, or nothing.
func read(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return string(b)
}

// directories lists a group and all below it, parents first.
func directories(dir string) (dirs []string) {
	_ = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && e.IsDir() {
			dirs = append(dirs, path)
		}
		return nil // what is gone meanwhile need not be listed
	})
	return dirs
}

// members lists the processes of a group and all below it. Never this process:
// one of its threads may be in a version 1 group.
func members(dir string) (pids []int) {
	self := os.Getpid()
	for _, d := range directories(dir) {
		for field := range strings.FieldsSeq(read(filepath.Join(d, "cgroup.procs"))) {
			if pid, err := strconv.Atoi(field); err == nil && pid > 0 && pid != self {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}

// signal sends signals to every process of a group that is not skipped, and to nobody who got the
// pid of one of them meanwhile: what was a member before its descriptor was
// opened and after is the member.
func signal(dir string, skip func(pid int) bool, sigs ...unix.Signal) {
	fds := make(map[int]int)
	for _, pid := range members(dir) {
		if _, open := fds[pid]; open || skip(pid) {
			continue
		}
		if fd, err := unix.PidfdOpen(pid, 0); err == nil {
			fds[pid] = fd
		}
	}
	if len(fds) == 0 {
		return
	}
	still := members(dir)
	for pid, fd := range fds {
		if slices.Contains(still, pid) {
			for _, sig := range sigs {
				_ = unix.PidfdSendSignal(fd, sig, nil, 0) // it can only be gone by now
			}
		}
		unix.Close(fd)
	}
}

// kill sends SIGKILL to everything in a group. It does not wait. What is forked
// while it looks is left for the next call, if the group cannot be frozen.
func kill(dir string) {
	err := write(filepath.Join(dir, "cgroup.kill"), "1")
	if err == nil || errors.Is(err, unix.ENODEV) || !exists(dir) {
		return
	}
	thaw := freeze(dir)
	signal(dir, func(int) bool { return false }, unix.SIGKILL)
	thaw()
}

// freeze stops everything in a group, where it can be stopped, so that a list
// of its processes is complete. The function it returns lets go again; it must
// be called, because a version 1 group dies only once it is thawed.
func freeze(dir string) (thaw func()) {
	for _, f := range []struct{ file, stop, is, in, run string }{
		{"cgroup.freeze", "1", "frozen 1", "cgroup.events", "0"},
		{"freezer.state", "FROZEN", "FROZEN", "freezer.state", "THAWED"},
	} {
		file := filepath.Join(dir, f.file)
		if write(file, f.stop) != nil {
			continue
		}
		for end := time.Now().Add(freezePatience); time.Now().Before(end); time.Sleep(time.Millisecond) {
			if strings.Contains(read(filepath.Join(dir, f.in)), f.is) {
				break
			}
		}
		return func() { _ = write(file, f.run) } // fails only where the group is gone
	}
	return func() {}
}

// remove removes a group and what an attempt has made below it. It says whether
// the group is gone; it is not as long as a process is in it.
func remove(dir string) bool {
	err := unix.Rmdir(dir)
	if err == nil || err == unix.ENOENT {
		return true
	}
	dirs := directories(dir)
	slices.Reverse(dirs)
	for _, d := range dirs {
		_ = unix.Rmdir(d) // the last one tells
	}
	return !exists(dir)
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

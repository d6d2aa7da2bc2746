package cgroup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// leafName is the group into which a process moves itself to make room.
const leafName = namePrefix + "supervisor"

// unified is the node's part of the version 2 tree.
type unified struct {
	base        string
	controllers []string // that limits can use
	slots       *slots   // for attempts without limits
}

func (u *unified) has(controller string) bool {
	return u != nil && slices.Contains(u.controllers, controller)
}

func (u *unified) plain() string   { return filepath.Join(u.base, "plain") }
func (u *unified) limited() string { return filepath.Join(u.base, "limited") }

// openUnified makes the node's directories in the place that gives it the most
// controllers. The error says what is missing, even where there is a result.
func openUnified(m mount, p *places) (best *unified, reason error) {
	for _, parent := range parents(m) {
		u, err := openBelow(parent, p)
		reason = errors.Join(reason, err)
		switch {
		case u == nil:
			continue
		case best == nil:
			best = u
		case len(u.controllers) > len(best.controllers):
			remove(best.base)
			best = u
		default:
			remove(u.base)
		}
		if len(best.controllers) == len(limitControllers) {
			return best, nil
		}
	}
	return best, reason
}

// parents are the groups below which the node may live, the best first: its
// own, so that what limits and stops it reaches its jobs too.
func parents(m mount) []string {
	own := m.own
	if filepath.Base(own) == leafName {
		own = filepath.Dir(own)
	}
	if own == m.point {
		return []string{own}
	}
	return []string{own, m.point}
}

// openBelow makes the node's directories in one place.
func openBelow(parent string, p *places) (*unified, error) {
	u := &unified{base: filepath.Join(parent, p.name())}
	if err := p.make(u.base); err != nil {
		return nil, err
	}
	u.slots = &slots{parent: u.plain()}
	for _, dir := range []string{u.plain(), u.limited()} {
		if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			remove(u.base)
			return nil, fmt.Errorf("make control group: %w", err)
		}
	}
	if err := probe(u.plain()); err != nil {
		remove(u.base)
		return nil, err
	}
	var errs error
	for _, name := range wanted(parent) {
		err := enable(parent, name)
		for _, dir := range []string{u.base, u.limited()} {
			if err == nil {
				err = write(filepath.Join(dir, "cgroup.subtree_control"), "+"+name)
			}
		}
		if err != nil {
			errs = errors.Join(errs, fmt.Errorf("enable the %s controller: %w", name, err))
			continue
		}
		u.controllers = append(u.controllers, name)
	}
	return u, errs
}

func wanted(parent string) (names []string) {
	there := strings.Fields(read(filepath.Join(parent, "cgroup.controllers")))
	for _, name := range limitControllers {
		if slices.Contains(there, name) {
			names = append(names, name)
		}
	}
	return names
}

// enable gives the children of a group a controller. If that takes moving this
// process out of the group, and nobody else is in it, it moves.
func enable(dir, name string) error {
	file := filepath.Join(dir, "cgroup.subtree_control")
	err := write(file, "+"+name)
	if !errors.Is(err, unix.EBUSY) {
		return err
	}
	if others := strangers(dir); len(others) > 0 {
		return fmt.Errorf("control group %s also holds other processes (pid %d): start this one as a service with Delegate=yes, or in a group of its own", dir, others[0])
	}
	leaf := filepath.Join(dir, leafName)
	if err := os.Mkdir(leaf, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if err := write(filepath.Join(leaf, "cgroup.procs"), strconv.Itoa(os.Getpid())); err != nil {
		return err
	}
	return write(file, "+"+name)
}

// strangers are the processes directly in a group other than this one.
func strangers(dir string) (pids []int) {
	for field := range strings.FieldsSeq(read(filepath.Join(dir, "cgroup.procs"))) {
		if pid, err := strconv.Atoi(field); err == nil && pid != os.Getpid() {
			pids = append(pids, pid)
		}
	}
	return pids
}

// probe finds out whether a process can be born in a group: it forks one there
// whose exec fails.
func probe(dir string) error {
	fd, err := openFD(dir, unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	pid, err := syscall.ForkExec(filepath.Join(dir, "no such program"), []string{"probe"},
		&syscall.ProcAttr{Sys: &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: fd}})
	if err == nil { // no exec, and no word of why: it was killed
		_, err = syscall.Wait4(pid, nil, 0, nil)
		return fmt.Errorf("start a process in control group %s: it dies at once (%v)", dir, err)
	}
	if err != syscall.ENOENT {
		return fmt.Errorf("start a process in control group %s: %w", dir, err)
	}
	return nil
}

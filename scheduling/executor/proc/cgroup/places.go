package cgroup

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const (
	placesName = "cgroups" // in the node's own directory
	namePrefix = "rota-"
	sweepPause = 5 * time.Millisecond
	holdTries  = 3
	idLength   = 26 // of rand.Text
)

// places is a file: the node's id, then every directory that it has made groups
// in, one a line. A node that is started elsewhere on the host the next time
// (by hand, by a service) still finds what its predecessor left.
type places struct {
	path string
	id   string
	dirs []string
	held []*os.File // the directories in use, locked: see clear
}

func openPlaces(path string) (*places, error) {
	b, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read places of control groups: %w", err)
	}
	p := &places{path: path}
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	if generated(lines[0]) { // a damaged file must not name other people's groups
		p.id, p.dirs = lines[0], lines[1:]
		return p, nil
	}
	p.id = rand.Text()
	return p, nil
}

// generated says whether an id has the form of those that are drawn here. A
// group of anybody else may well be called rota-something.
func generated(id string) bool {
	return len(id) == idLength && strings.Trim(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") == ""
}

func (p *places) name() string { return namePrefix + p.id }

// make makes a directory for groups, on record before it exists.
func (p *places) make(base string) error {
	known := false
	for _, d := range p.dirs {
		known = known || d == base
	}
	if !known {
		p.dirs = append(p.dirs, base)
		if err := p.save(); err != nil {
			return err
		}
	}
	for range holdTries {
		if err := os.Mkdir(base, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("make control group: %w", err)
		}
		if p.hold(base) {
			break
		}
	}
	p.clear(filepath.Dir(base))
	return nil
}

// hold keeps other nodes from taking a directory for abandoned. False: one of
// them was quicker.
func (p *places) hold(base string) bool {
	f, err := os.Open(base)
	if err != nil {
		return false
	}
	if unix.Flock(int(f.Fd()), unix.LOCK_SH) != nil || !exists(base) {
		f.Close()
		return false
	}
	p.held = append(p.held, f)
	return true
}

// clear removes what nodes have left that were killed and never came back, in
// the same group. It touches neither what a living node holds nor what holds a
// process.
func (p *places) clear(parent string) {
	names, err := filepath.Glob(filepath.Join(parent, namePrefix+"*"))
	if err != nil {
		return // not reached: the pattern is well formed
	}
	for _, dir := range names {
		id := strings.TrimPrefix(filepath.Base(dir), namePrefix)
		if id == p.id || !generated(id) || !isCgroup(dir) {
			continue
		}
		f, err := os.Open(dir)
		if err != nil {
			continue
		}
		if unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil && len(members(dir)) == 0 {
			remove(dir)
		}
		f.Close()
	}
}

func (p *places) release() {
	for _, f := range p.held {
		f.Close()
	}
	p.held = nil
}

func (p *places) save() error {
	content := p.id + "\n" + strings.Join(p.dirs, "\n") + "\n"
	if err := os.WriteFile(p.path+".new", []byte(content), 0o640); err != nil {
		return fmt.Errorf("record place of control groups: %w", err)
	}
	if err := os.Rename(p.path+".new", p.path); err != nil {
		return fmt.Errorf("record place of control groups: %w", err)
	}
	return nil
}

// sweep kills and removes everything that a predecessor left, until nothing is
// there or ctx ends.
func (p *places) sweep(ctx context.Context) error {
	t := time.NewTicker(sweepPause)
	defer t.Stop()
	for _, dir := range p.dirs {
		if filepath.Base(dir) != p.name() || !isCgroup(dir) {
			continue // gone, or damage
		}
		for !remove(dir) {
			kill(dir)
			select {
			case <-t.C:
			case <-ctx.Done():
				return fmt.Errorf("control group %s of an earlier life still has %d processes: %w", dir, len(members(dir)), ctx.Err())
			}
		}
	}
	return nil
}

// isCgroup says whether a directory is a control group and nothing else.
func isCgroup(dir string) bool {
	var st unix.Statfs_t
	if unix.Statfs(dir, &st) != nil {
		return false
	}
	return st.Type == unix.CGROUP2_SUPER_MAGIC || st.Type == unix.CGROUP_SUPER_MAGIC
}

package cgroup

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// maxSlots is how many empty groups are kept for the next attempts. Taking one
// costs a fraction of making and removing one.
const maxSlots = 32

// slot is a version 2 group without limits that is used again and again.
type slot struct {
	dir string
	// killed means that cgroup.kill was used. Some kernels (6.9 on) take what is
	// born in such a group for a late comer of the kill, and kill it.
	killed bool
}

// slots hands out groups that hold nobody. Nothing of an attempt stays in one: a
// group that is not exactly as it was made is not used again.
type slots struct {
	parent string

	mu   sync.Mutex
	free []*slot
	seq  int
}

func (s *slots) take() (*slot, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.free); n > 0 {
		taken := s.free[n-1]
		s.free = s.free[:n-1]
		return taken, nil
	}
	s.seq++
	dir := filepath.Join(s.parent, strconv.Itoa(s.seq))
	if err := os.MkdirAll(dir, 0o755); err != nil { // all: somebody may have cleaned up too much
		return nil, err
	}
	return &slot{dir: dir}, nil
}

// give takes back a group, unless something is still in it.
func (s *slots) give(used *slot) (gone bool) {
	populated, clean := used.look()
	if populated {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if clean && len(s.free) < maxSlots {
		s.free = append(s.free, used)
		return true
	}
	return remove(used.dir)
}

// look says whether a process is in the group or below it, and whether it is
// as it was made: thawed, and with no group below it.
func (s *slot) look() (populated, clean bool) {
	events := read(filepath.Join(s.dir, "cgroup.events"))
	if events == "" {
		return exists(s.dir), false // somebody has removed it
	}
	var st unix.Stat_t
	clean = !s.killed && strings.Contains(events, "frozen 0") && unix.Lstat(s.dir, &st) == nil && st.Nlink == 2
	return !strings.Contains(events, "populated 0"), clean
}

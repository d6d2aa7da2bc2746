package cgroup

import (
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// maxSlots is how many empty groups are kept for the next attempts. Taking one
// costs a tenth of making and removing one, and there are rarely more attempts
// in the act of starting and ending.
const maxSlots = 32

// slot is a version 2 group without limits that is used again and again. Its
// descriptors stay open.
type slot struct {
	dir    string
	fd     int // of the directory, to be born in
	events int // of cgroup.events
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
	return newSlot(filepath.Join(s.parent, strconv.Itoa(s.seq)))
}

func newSlot(dir string) (*slot, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil { // all: somebody may have cleaned up too much
		return nil, err
	}
	s := &slot{dir: dir, fd: -1, events: -1}
	var err error
	if s.fd, err = unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0); err == nil {
		s.events, err = unix.Open(filepath.Join(dir, "cgroup.events"), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	}
	if err != nil {
		s.close()
		remove(dir)
		return nil, &fs.PathError{Op: "open", Path: dir, Err: err}
	}
	return s, nil
}

func (s *slot) close() {
	for _, fd := range []int{s.fd, s.events} {
		if fd >= 0 {
			unix.Close(fd)
		}
	}
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
	if !remove(used.dir) {
		return false
	}
	used.close()
	return true
}

// look says whether a process is in the group or below it, and whether it is
// as it was made: thawed, and with no group below it.
func (s *slot) look() (populated, clean bool) {
	var buf [128]byte
	n, err := unix.Pread(s.events, buf[:], 0)
	if err != nil {
		return exists(s.dir), false // ENODEV: somebody has removed it
	}
	events := string(buf[:n])
	populated = !strings.Contains(events, "populated 0")
	var st unix.Stat_t
	clean = !s.killed && strings.Contains(events, "frozen 0") && unix.Fstat(s.fd, &st) == nil && st.Nlink == 2
	return populated, clean
}

// close lets go of the free groups; their directories go with the tree's.
func (s *slots) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.free {
		f.close()
	}
	s.free = nil
}

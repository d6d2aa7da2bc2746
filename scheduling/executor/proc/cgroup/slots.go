package cgroup

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	"golang.org/x/sys/unix"
)

// maxSlots is how many empty groups are kept for the next attempts. Taking one
// costs a fraction of making and removing one.
const maxSlots = 32

// slot is a version 2 group without limits that is used again and again. It stays
// open: to look names up in the tree costs more than what is done there.
type slot struct {
	dir    string
	fd     int // of the directory
	events int // of cgroup.events in it
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
	for n := len(s.free); n > 0; n = len(s.free) {
		taken := s.free[n-1]
		s.free = s.free[:n-1]
		if _, clean := taken.look(); clean {
			return taken, nil
		}
		taken.close() // somebody has removed it, or uses it
	}
	s.seq++
	dir := filepath.Join(s.parent, strconv.Itoa(s.seq))
	if err := os.MkdirAll(dir, 0o755); err != nil { // all: somebody may have cleaned up too much
		return nil, err
	}
	made, err := openSlot(dir)
	if err != nil {
		remove(dir) // nobody would: each try makes another one
	}
	return made, err
}

func openSlot(dir string) (*slot, error) {
	fd, err := openFD(dir, unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return nil, err
	}
	events, err := openFD(filepath.Join(dir, "cgroup.events"), unix.O_RDONLY)
	if err != nil {
		unix.Close(fd)
		return nil, err
	}
	return &slot{dir: dir, fd: fd, events: events}, nil
}

func (s *slot) close() {
	unix.Close(s.fd)
	unix.Close(s.events)
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

// close lets go of the groups that are kept.
func (s *slots) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, kept := range s.free {
		kept.close()
	}
	s.free = nil
}

// look says whether a process is in the group or below it, and whether it is
// as it was made: thawed, and with no group below it.
func (s *slot) look() (populated, clean bool) {
	var buf [128]byte
	n, err := unix.Pread(s.events, buf[:], 0)
	if err != nil || n == 0 {
		return exists(s.dir), false // somebody has removed it
	}
	events := buf[:n]
	var st unix.Stat_t
	clean = !s.killed && bytes.Contains(events, []byte("frozen 0")) && unix.Fstat(s.fd, &st) == nil && st.Nlink == 2
	populated = !bytes.Contains(events, []byte("populated 0"))
	return populated, clean && !populated
}

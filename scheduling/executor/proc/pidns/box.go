package pidns

import (
	"bytes"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Box is the starting process's half of one namespace. Its methods must not be
// called concurrently, SetDeadline excepted.
type Box struct {
	words *os.File // non-blocking
	init  int      // the init's end of the socket; -1 once closed here
	order int      // a file in memory; -1 once closed here
}

// Prepare makes what an init needs before it is forked. Errors are those of a
// kernel that has no files or memory to give. Close must follow.
func Prepare(o Order) (*Box, error) {
	b := &Box{init: -1, order: -1}
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("socket of an init: %w", err)
	}
	_ = unix.SetNonblock(fds[0], true) // fails never on a descriptor just made
	b.words, b.init = os.NewFile(uintptr(fds[0]), "init"), fds[1]
	if b.order, err = seal(o); err != nil {
		b.Close()
		return nil, err
	}
	return b, nil
}

// seal writes an order into a file in memory and leaves it at its beginning.
func seal(o Order) (fd int, err error) {
	var buf bytes.Buffer
	if err := gob.NewEncoder(&buf).Encode(o); err != nil {
		return -1, fmt.Errorf("order of an init: %w", err)
	}
	if fd, err = unix.MemfdCreate("order", unix.MFD_CLOEXEC); err != nil {
		return -1, fmt.Errorf("order of an init: %w", err)
	}
	for b := buf.Bytes(); len(b) > 0; {
		n, err := unix.Write(fd, b)
		if err != nil && err != unix.EINTR {
			unix.Close(fd)
			return -1, fmt.Errorf("order of an init: %w", err)
		}
		b = b[max(n, 0):]
	}
	if _, err := unix.Seek(fd, 0, io.SeekStart); err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("order of an init: %w", err)
	}
	return fd, nil
}

// Numbers of the files that an init finds, behind the standard ones.
const (
	wordsFD = 3
	orderFD = 4
)

// Files returns what the fork must hand to the init behind its standard files.
func (b *Box) Files() []uintptr { return []uintptr{uintptr(b.init), uintptr(b.order)} }

// Forked closes what is the init's alone, so that its end is seen here.
func (b *Box) Forked() {
	for _, fd := range []*int{&b.init, &b.order} {
		if *fd >= 0 {
			unix.Close(*fd)
			*fd = -1
		}
	}
}

// Close lets go of everything. An init that lives then ends, and all with it.
func (b *Box) Close() {
	b.Forked()
	b.words.Close()
}

// SetDeadline ends a Read at an instant, the zero time never.
func (b *Box) SetDeadline(at time.Time) error { return b.words.SetReadDeadline(at) }

// Read returns the init's next word. Errors: io.EOF once the init is gone,
// os.ErrDeadlineExceeded.
func (b *Box) Read() (Word, error) {
	buf := make([]byte, maxWord)
	n, err := b.words.Read(buf)
	if errors.Is(err, syscall.ECONNRESET) {
		err = io.EOF
	}
	if err != nil {
		return Word{}, err
	}
	return decodeWord(buf[:n])
}

// Shape makes a fork make an init: the first process of a namespace of pids,
// with mounts of its own.
func Shape(attr *syscall.SysProcAttr) {
	attr.Cloneflags |= unix.CLONE_NEWPID | unix.CLONE_NEWNS
	uid, gid := os.Geteuid(), os.Getegid()
	if uid == 0 {
		return
	}
	// Only root may do that, or somebody who is alone in a namespace of users.
	attr.Cloneflags |= unix.CLONE_NEWUSER
	attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: uid, HostID: uid, Size: 1}}
	attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: gid, HostID: gid, Size: 1}}
	attr.AmbientCaps = []uintptr{unix.CAP_SYS_ADMIN} // else lost at the exec: for /proc
}

package proc

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// maxReaching bounds the programs that are looked at, and may hang, at one time.
const maxReaching = 256

// reach looks at a program and its folder before they are forked for. An exec on a
// file system that has gone away hangs, and a Go program hangs with it: until the
// exec is through, the thread that forked holds what the next collection of
// garbage, and with it every other goroutine, waits for. A look hangs too, but
// alone. At the expiry the start is refused: nothing was forked. What the look
// finds is left for the exec to say.
func (m *Manager) reach(ctx context.Context, req StartRequest, path string) error {
	select {
	case m.reaching <- struct{}{}:
	default:
		return fmt.Errorf("%w: %d programs cannot be looked at: a file system hangs", ErrExhausted, maxReaching)
	}
	touch, seen := m.touch, make(chan struct{})
	go func() {
		touch(path, req.Dir)
		close(seen)
		<-m.reaching
	}()
	var expired <-chan time.Time
	if req.Expiry != 0 {
		t := time.NewTimer(time.Duration(req.Expiry - Mono()))
		defer t.Stop()
		expired = t.C
	}
	select {
	case <-seen:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-expired:
		return fmt.Errorf("%w: no answer from the file system of %s or %s", ErrExpired, path, req.Dir)
	}
}

// touchProgram reads what an exec reads first. Errors are the exec's to meet.
func touchProgram(path, dir string) {
	if !filepath.IsAbs(path) {
		path = filepath.Join(dir, path)
	}
	var beginning [256]byte
	for _, p := range []string{dir, path} {
		var st unix.Stat_t
		if unix.Stat(p, &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFREG {
			continue // a fifo would hang, and no exec does for it
		}
		fd, err := unix.Open(p, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			continue
		}
		_, _ = unix.Read(fd, beginning[:])
		unix.Close(fd)
	}
}

package proc

import (
	"context"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// maxReaching bounds the programs that are looked at, and may hang, at one time.
const maxReaching = 256

// reach looks at a program and its folder before they are forked for. An exec on a
// file system that has gone away hangs, and a Go program hangs with it: until the
// exec is through, the thread that forked holds what the next collection of
// garbage, and with it every other goroutine, waits for. A look hangs too, but
// alone, while the start is refused at its expiry: nothing was forked. What the look
// finds is left for the exec to say.
func (l *launch) reach() (err error) {
	m, req := l.m, &l.req
	select {
	case m.reaching <- struct{}{}:
	default:
		return fmt.Errorf("%w: %d programs cannot be looked at: a file system hangs", ErrExhausted, maxReaching)
	}
	defer func() { <-m.reaching }()
	var over atomic.Bool
	defer context.AfterFunc(l.ctx, func() {
		if over.CompareAndSwap(false, true) {
			l.answer(l.ctx.Err())
		}
	})()
	if req.Expiry != 0 {
		defer time.AfterFunc(time.Duration(req.Expiry-Mono()), func() {
			if over.CompareAndSwap(false, true) {
				l.answer(fmt.Errorf("%w: no answer from the file system of %s or %s", ErrExpired, req.Argv[0], req.Dir))
			}
		}).Stop()
	}
	if l.job, err = m.prepare(req); err == nil {
		m.touch(l.job.path, req.Dir)
	}
	if !over.CompareAndSwap(false, true) {
		return errAnswered
	}
	l.program = l.job.path
	return err
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

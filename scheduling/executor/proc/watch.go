package proc

import (
	"fmt"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// watch waits for descriptors of all attempts with one goroutine. Most attempts are
// short and silent: goroutines of their own, which wait for their output and for their
// end, would cost them more than their pipes do.
type watch struct {
	epoll *os.File
	after func() // called when all that a look has found has been called; nil: nothing
	ended chan struct{}

	mu   sync.Mutex
	last uint64
	then map[uint64]func()
}

func newWatch(after func()) (*watch, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("watch descriptors: %w", err)
	}
	if err := unix.SetNonblock(fd, true); err != nil { // so that the runtime waits for it
		unix.Close(fd)
		return nil, fmt.Errorf("watch descriptors: %w", err)
	}
	w := &watch{
		epoll: os.NewFile(uintptr(fd), "epoll"), after: after, ended: make(chan struct{}),
		then: make(map[uint64]func()),
	}
	go w.run()
	return w, nil
}

// add has f called once, when the descriptor can be read, on the goroutine of the
// watch: f must not block. The caller drops the key before it closes the
// descriptor.
func (w *watch) add(fd int, f func()) (key uint64, err error) {
	w.mu.Lock()
	w.last++
	key = w.last
	w.then[key] = f
	w.mu.Unlock()
	raw, err := w.epoll.SyscallConn()
	if err == nil {
		event := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLONESHOT, Fd: int32(uint32(key)), Pad: int32(uint32(key >> 32))} //nolint:gosec // the kernel keeps 64 bits for us
		cerr := raw.Control(func(epoll uintptr) { err = unix.EpollCtl(int(epoll), unix.EPOLL_CTL_ADD, fd, &event) })
		if err == nil {
			err = cerr
		}
	}
	if err != nil {
		w.drop(key)
		return 0, fmt.Errorf("watch a descriptor: %w", err)
	}
	return key, nil
}

// drop makes sure that nothing is called from now on that has not begun.
func (w *watch) drop(key uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.then, key)
}

func (w *watch) take(key uint64) func() {
	w.mu.Lock()
	defer w.mu.Unlock()
	f := w.then[key]
	delete(w.then, key)
	return f
}

// watchedTogether is how many descriptors one look returns at most.
const watchedTogether = 64

func (w *watch) run() {
	defer close(w.ended)
	raw, err := w.epoll.SyscallConn()
	if err != nil {
		return // not reached: only a closed file has none
	}
	var events [watchedTogether]unix.EpollEvent
	for {
		var n int
		if raw.Read(func(fd uintptr) bool {
			n = lookNow(int(fd), events[:])
			return n > 0
		}) != nil {
			return // closed
		}
		for i := range events[:n] {
			e := &events[i]
			if f := w.take(uint64(uint32(e.Pad))<<32 | uint64(uint32(e.Fd))); f != nil { //nolint:gosec // as it was put in
				f()
			}
		}
		if w.after != nil {
			w.after()
		}
	}
}

func lookNow(epoll int, events []unix.EpollEvent) int {
	for {
		n, err := unix.EpollWait(epoll, events, 0)
		if err != unix.EINTR {
			return n
		}
	}
}

// close ends the goroutine.
func (w *watch) close() {
	w.epoll.Close()
	<-w.ended
}

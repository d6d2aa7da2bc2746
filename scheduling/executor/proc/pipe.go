package proc

import (
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

const (
	copyBytes = 64 << 10 // a pipe's default size
	// overLimitRate is how many bytes a second are taken from a stream whose
	// attempt has printed more than its limit, overLimitTotal from all of them
	// together: copying what nobody will keep must not take a core.
	overLimitRate  = 64 << 20
	overLimitTotal = 128 << 20
	// overLimitPause is the least worth sleeping for.
	overLimitPause = time.Millisecond
)

// copyBuffers are held only while there is something to copy, so that a
// thousand silent programs hold none.
var copyBuffers = sync.Pool{New: func() any { return new([copyBytes]byte) }}

// pipe carries one stream of one attempt into its output. It is watched until the
// program prints something, and has a goroutine that copies from then on. The
// program's end stays open here too: that nobody can write any more is of no
// interest before the attempt ends, and would only wake us.
type pipe struct {
	fd     int // our end; -1 once a file is made of it
	w      int // the program's end
	to     *output
	stream *streamFiles
	chatty *atomic.Int32 // how many streams are past their limit

	watch *watch
	key   uint64

	mu   sync.Mutex
	over bool     // taken over by finish
	r    *os.File // our end, while it is copied from

	finished chan struct{} // closed by finish: take what is there and end
	done     chan struct{} // closed when the copying has ended
}

func newPipe(to *output, stream *streamFiles) (*pipe, error) {
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC); err != nil {
		return nil, fmt.Errorf("pipe for %s: %w", stream.name, err)
	}
	// Only our end: the program must find an ordinary, blocking one.
	if _, err := unix.FcntlInt(uintptr(fds[0]), unix.F_SETFL, unix.O_NONBLOCK); err != nil {
		unix.Close(fds[0])
		unix.Close(fds[1])
		return nil, fmt.Errorf("pipe for %s: %w", stream.name, err)
	}
	return &pipe{fd: fds[0], w: fds[1], to: to, stream: stream, chatty: new(atomic.Int32)}, nil
}

// close lets go of both ends.
func (p *pipe) close() {
	unix.Close(p.w)
	if p.r != nil {
		p.r.Close()
	} else {
		unix.Close(p.fd)
	}
}

// begin takes what comes. finish must follow.
func (p *pipe) begin(w *watch) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.watch = w
	var err error
	if p.key, err = w.add(p.fd, p.ready); err != nil {
		p.copyLocked() // as well, and dearer
	}
}

// ready is told that there is something in the pipe.
func (p *pipe) ready() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.over {
		p.copyLocked()
	}
}

func (p *pipe) copyLocked() {
	p.r, p.fd = os.NewFile(uintptr(p.fd), string(p.stream.name)), -1
	p.finished, p.done = make(chan struct{}), make(chan struct{})
	go p.copy()
}

// copy runs until finish is called.
func (p *pipe) copy() {
	defer close(p.done)
	raw, err := p.r.SyscallConn()
	if err != nil {
		return // not reached: only a closed file has none
	}
	var owed time.Duration
	var counted bool
	defer func() {
		if counted {
			p.chatty.Add(-1)
		}
	}()
	for {
		var n int
		var over bool
		err := raw.Read(func(fd uintptr) bool {
			var again bool
			n, over, again = p.chunk(int(fd))
			return !again
		})
		if err != nil { // the deadline that finish sets
			_ = raw.Control(func(fd uintptr) { p.drain(int(fd)) })
			return
		}
		if n <= 0 {
			return
		}
		if over {
			if !counted {
				counted = true
				p.chatty.Add(1)
			}
			rate := min(overLimitRate, overLimitTotal/time.Duration(p.chatty.Load()))
			owed = p.pause(owed + time.Duration(n)*time.Second/rate)
		}
	}
}

// chunk moves what one read gives. again means that nothing is there now; n is
// 0 at the end of the stream.
func (p *pipe) chunk(fd int) (n int, over, again bool) {
	buf := copyBuffers.Get().(*[copyBytes]byte)
	defer copyBuffers.Put(buf)
	for {
		n, err := unix.Read(fd, buf[:])
		switch {
		case err == unix.EINTR:
		case err == unix.EAGAIN:
			return 0, false, true
		case err != nil || n == 0:
			return 0, false, false
		default:
			return n, p.to.write(p.stream, buf[:n]), false
		}
	}
}

// pause makes a stream past its limit wait; it returns what is still owed.
func (p *pipe) pause(owed time.Duration) time.Duration {
	if owed < overLimitPause {
		return owed
	}
	t := time.NewTimer(owed)
	defer t.Stop()
	select {
	case <-t.C:
	case <-p.finished:
	}
	return 0
}

// drain takes what the pipe holds and no more: a daemon that escaped may still
// be writing.
func (p *pipe) drain(fd int) {
	n, _, again := p.chunk(fd)
	if n == 0 || again {
		return // as most are
	}
	left, err := unix.FcntlInt(uintptr(fd), unix.F_GETPIPE_SZ, 0)
	if err != nil {
		left = copyBytes
	}
	for left -= n; left > 0; left -= n {
		if n, _, again = p.chunk(fd); n == 0 || again {
			return
		}
	}
}

// printed says whether the program has printed anything that is or must be stored.
func (p *pipe) printed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.r != nil {
		return true
	}
	n, err := unix.IoctlGetInt(p.fd, unix.TIOCINQ)
	return err != nil || n > 0
}

// finish stores what the dead programs left in the pipe, ends the copying and closes
// the pipe.
func (p *pipe) finish() {
	p.mu.Lock()
	p.over = true
	copied := p.r != nil
	p.mu.Unlock()
	if copied {
		close(p.finished)
		_ = p.r.SetReadDeadline(past) // fails where the copying has failed already
		<-p.done
	} else {
		p.watch.drop(p.key)
		p.drain(p.fd)
	}
	p.close()
}

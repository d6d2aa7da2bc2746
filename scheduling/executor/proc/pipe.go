package proc

import (
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
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

// pipe carries one stream of one attempt into its output.
type pipe struct {
	r        *os.File
	w        int // the program's end; -1 once closed here
	to       *output
	stream   *streamFiles
	chatty   *atomic.Int32 // how many streams are past their limit
	finished chan struct{} // closed by finish: take what is there and end
	done     chan struct{} // closed when the copying has ended
}

func newPipe(to *output, stream *streamFiles) (*pipe, error) {
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC); err != nil {
		return nil, fmt.Errorf("pipe for %s: %w", stream.name, err)
	}
	// Only our end: the program must find an ordinary, blocking one.
	if err := unix.SetNonblock(fds[0], true); err != nil {
		unix.Close(fds[0])
		unix.Close(fds[1])
		return nil, fmt.Errorf("pipe for %s: %w", stream.name, err)
	}
	return &pipe{
		r: os.NewFile(uintptr(fds[0]), string(stream.name)), w: fds[1],
		to: to, stream: stream, chatty: new(atomic.Int32),
		finished: make(chan struct{}), done: make(chan struct{}),
	}, nil
}

// closeWriter gives up our copy of the program's end, so that the end of the
// last program that holds it is seen.
func (p *pipe) closeWriter() {
	if p.w >= 0 {
		unix.Close(p.w)
		p.w = -1
	}
}

// abandon closes a pipe that was never copied from.
func (p *pipe) abandon() {
	p.closeWriter()
	p.r.Close()
}

// copy runs until every writer is gone or finish is called.
func (p *pipe) copy() {
	defer close(p.done)
	defer p.r.Close()
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
			p.drain(raw)
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
func (p *pipe) drain(raw syscall.RawConn) {
	_ = raw.Control(func(fd uintptr) {
		left, err := unix.FcntlInt(fd, unix.F_GETPIPE_SZ, 0)
		if err != nil {
			left = copyBytes
		}
		for left > 0 {
			n, _, again := p.chunk(int(fd))
			if n == 0 || again {
				return
			}
			left -= n
		}
	})
}

// finish stores what the dead programs left in the pipe and ends the copying.
func (p *pipe) finish() {
	close(p.finished)
	_ = p.r.SetReadDeadline(time.Unix(1, 0)) // fails where the copying is over already
	<-p.done
}

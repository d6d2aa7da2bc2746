package proc

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/rota-scheduler/rota/scheduling/executor/proc/cgroup"
	"github.com/rota-scheduler/rota/scheduling/executor/proc/pidns"
	"golang.org/x/sys/unix"
)

// forkers is a small pool of OS threads that fork and do nothing else. The
// parent-death signal of a child fires when the thread that forked it ends, so
// these threads live until stop, which is also the last resort against a child
// that outlives everything else.
type forkers struct {
	jobs chan forkJob
	// room holds who may get ready to fork. Of a thousand starts at once only so
	// many then have a control group and pipes, and the next ones use the groups of
	// those that have ended.
	room chan struct{}
	done sync.WaitGroup
	size atomic.Int32
}

const (
	maxForkers = 32
	// forkerPatience is how long a start waits for a thread before there is one
	// more of them: an exec can hang on a file system that has gone away, and
	// must not hang the others.
	forkerPatience = 50 * time.Millisecond
)

type forkJob struct {
	path  string
	argv  []string
	attr  syscall.ProcAttr
	group *cgroup.Group
	cred  *syscall.Credential // nil: as this process
	umask *int                // nil: this process's
	// isolated: it is the init of a namespace of pids.
	isolated bool
	check    func() error // the last look before the fork
	// expiry (Mono, ns) is until when it waits for a thread; 0: for ever.
	expiry int64
	reply  chan<- forkReply
}

type forkReply struct {
	pid     int
	pidfd   int
	at      int64 // when the exec was confirmed, Mono ns
	refused error // nothing was forked
	err     error // from fork or exec
	stray   error // the thread could not leave the group
}

func newForkers(n int) *forkers {
	f := &forkers{jobs: make(chan forkJob), room: make(chan struct{}, maxForkers)}
	for range n {
		f.grow()
	}
	return f
}

func (f *forkers) grow() {
	if f.size.Add(1) > maxForkers {
		f.size.Add(-1)
		return
	}
	ready := make(chan struct{})
	f.done.Add(1)
	go f.lock(ready)
	<-ready
}

// lock finds a thread that is not the first one of the process, and forks on
// it. Adopted orphans hang off the first thread; as long as none of our own
// children do, the two are told apart by the list they are on.
func (f *forkers) lock(ready chan<- struct{}) {
	runtime.LockOSThread()
	if unix.Gettid() == unix.Getpid() {
		other := make(chan struct{})
		go f.lock(other)
		<-other // holding on to the first thread until another one is taken
		runtime.UnlockOSThread()
		close(ready)
		return
	}
	close(ready)
	defer f.done.Done()
	for j := range f.jobs {
		j.reply <- j.fork()
	}
	// Returning while locked ends the thread, on purpose.
}

// fork makes the thread what the child is to inherit from it, forks, and makes
// it what it was.
func (j *forkJob) fork() (r forkReply) {
	r.pidfd = -1
	j.attr.Sys = &syscall.SysProcAttr{
		Setsid: true, Pdeathsig: syscall.SIGKILL, PidFD: &r.pidfd, Credential: j.cred,
	}
	if j.isolated {
		pidns.Shape(j.attr.Sys)
	}
	defer func() { r.stray = j.group.Leave() }()
	if err := j.group.Enter(j.attr.Sys); err != nil {
		r.refused = fmt.Errorf("%w: %w", ErrExhausted, err)
		return r
	}
	if j.umask != nil {
		// A mask is the process's until the thread has one of its own.
		if err := unix.Unshare(unix.CLONE_FS); err != nil {
			r.err = fmt.Errorf("cannot set a umask on this host: %w", err)
			return r
		}
		defer unix.Umask(unix.Umask(*j.umask))
	}
	if r.refused = j.check(); r.refused == nil {
		r.pid, r.err = syscall.ForkExec(j.path, j.argv, &j.attr)
		r.at = Mono() // here: on a busy machine the caller hears of it much later
	}
	return r
}

// enter waits until there is room to get ready for a fork; leave must follow. When
// ctx ends or the expiry comes before, it returns an error.
func (f *forkers) enter(ctx context.Context, expiry int64) error {
	select {
	case f.room <- struct{}{}:
		return nil
	default:
	}
	var expired <-chan time.Time
	if expiry != 0 {
		t := time.NewTimer(time.Duration(expiry - Mono()))
		defer t.Stop()
		expired = t.C
	}
	select {
	case f.room <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-expired:
		return ErrExpired
	}
}

func (f *forkers) leave() { <-f.room }

// do forks on one of the threads and waits for the outcome; when ctx ends or the
// expiry comes before a thread is free, nothing was forked. It must not be called
// after stop.
func (f *forkers) do(ctx context.Context, j forkJob) forkReply {
	reply := make(chan forkReply, 1)
	j.reply = reply
	for {
		if j.expiry != 0 && Mono() >= j.expiry {
			return forkReply{refused: ErrExpired}
		}
		patience := time.NewTimer(forkerPatience)
		select {
		case f.jobs <- j:
			patience.Stop()
			return <-reply
		case <-ctx.Done():
			patience.Stop()
			return forkReply{refused: ctx.Err()}
		case <-patience.C:
			f.grow()
		}
	}
}

// stop ends the threads; what they forked and still lives gets SIGKILL.
func (f *forkers) stop() {
	close(f.jobs)
	f.done.Wait()
}

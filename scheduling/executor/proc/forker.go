package proc

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/rota-scheduler/rota/scheduling/executor/proc/cgroup"
	"github.com/rota-scheduler/rota/scheduling/executor/proc/pidns"
	"golang.org/x/sys/unix"
)

// forkers is a small pool of OS threads that fork, and see to what comes of it. The
// parent-death signal of a child fires when the thread that forked it ends, so
// these threads live until stop, which is also the last resort against a child
// that outlives everything else.
//
// To hand something to such a thread and be told of the outcome wakes two threads,
// which costs as much as a tenth of a fork. So they take turns from a queue without
// going to sleep in between, and nobody waits for the outcome: a thread sees to it.
type forkers struct {
	// room holds who may get ready to fork. Of a thousand starts at once only so
	// many then have a control group and pipes, and the next ones use the groups of
	// those that have ended.
	room chan struct{}
	done sync.WaitGroup
	size atomic.Int32

	mu      sync.Mutex
	work    *sync.Cond // there is a turn to take, or an end
	queue   []turn
	idle    int    // threads that wait for a turn
	taken   uint64 // turns so far
	watched bool   // somebody looks after forkerPatience whether turns are taken
	closed  bool
}

// turn is what waits for a thread. Either run is called, on the thread, or refuse: when
// ctx has ended or the expiry (Mono, ns; 0: none) has come before there was one.
type turn struct {
	ctx    context.Context
	expiry int64
	run    func()
	refuse func(error)
}

// refusal says why a turn need not wait any more, if so.
func (t *turn) refusal() error {
	if t.expiry != 0 && Mono() >= t.expiry {
		return ErrExpired
	}
	return t.ctx.Err()
}

const (
	maxForkers = 32
	// forkerPatience is how long no turn may be taken from the queue before there is
	// one more thread: an exec can hang on a file system that has gone away, and must
	// not hang the others.
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
	f := &forkers{room: make(chan struct{}, maxForkers)}
	f.work = sync.NewCond(&f.mu)
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
	for {
		t, more := f.next()
		if !more {
			return // and so the thread ends, which is locked
		}
		t.run()
	}
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

// put has a thread take the turn. It must not be called after stop.
func (f *forkers) put(t turn) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.queue = append(f.queue, t)
	f.work.Signal()
	if len(f.queue) > f.idle {
		f.watchLocked()
	}
}

// next waits for a turn. There are no more once the forkers are stopped.
func (f *forkers) next() (t turn, more bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for len(f.queue) == 0 {
		if f.closed {
			return t, false
		}
		f.idle++
		f.work.Wait()
		f.idle--
	}
	t = f.queue[0]
	f.queue = slices.Delete(f.queue, 0, 1) // it is short: see room
	f.taken++
	return t, true
}

// watchLocked looks after a while whether the threads still take turns.
func (f *forkers) watchLocked() {
	if f.watched {
		return
	}
	f.watched = true
	before := f.taken
	time.AfterFunc(forkerPatience, func() {
		over, stuck := f.look(before)
		for _, t := range over {
			t.refuse(t.refusal())
		}
		if stuck {
			f.grow()
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.watched = false; len(f.queue) > 0 {
			f.watchLocked()
		}
	})
}

// look takes from the queue what need not wait any more, and says whether something
// does and none was taken since so many had been.
func (f *forkers) look(before uint64) (over []turn, stuck bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.queue = slices.DeleteFunc(f.queue, func(t turn) bool {
		if t.refusal() == nil {
			return false
		}
		over = append(over, t)
		return true
	})
	return over, len(f.queue) > 0 && f.taken == before
}

// do forks on one of the threads and waits for the outcome; when ctx ends or the
// expiry (Mono, ns; 0: none) comes before a thread is free, nothing was forked. It must
// not be called after stop.
func (f *forkers) do(ctx context.Context, expiry int64, j forkJob) forkReply {
	reply := make(chan forkReply, 1)
	f.put(turn{
		ctx: ctx, expiry: expiry,
		run:    func() { reply <- j.fork() },
		refuse: func(err error) { reply <- forkReply{refused: err} },
	})
	return <-reply
}

// stop ends the threads; what they forked and still lives gets SIGKILL.
func (f *forkers) stop() {
	f.mu.Lock()
	f.closed = true
	f.mu.Unlock()
	f.work.Broadcast()
	f.done.Wait()
}

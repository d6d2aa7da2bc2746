package supervisor

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// thread is an operating system thread that starts the agents. The kernel sends
// a child its parent-death signal when the thread that forked it ends, so this
// one lives as long as the supervisor. It is not the first thread of the
// process, whose children the Manager takes for adopted orphans.
type thread struct {
	calls chan func()
	ended chan struct{}
}

func newThread() *thread {
	t := &thread{calls: make(chan func()), ended: make(chan struct{})}
	ready := make(chan struct{})
	go t.run(ready)
	<-ready
	return t
}

func (t *thread) run(ready chan<- struct{}) {
	runtime.LockOSThread()
	if unix.Gettid() == unix.Getpid() {
		other := make(chan struct{})
		go t.run(other)
		<-other // holding on to the first thread until another one is taken
		runtime.UnlockOSThread()
		close(ready)
		return
	}
	close(ready)
	defer close(t.ended)
	for call := range t.calls {
		call()
	}
	// Returning while locked ends the thread, on purpose.
}

// do runs f on the thread.
func (t *thread) do(f func() error) error {
	result := make(chan error, 1)
	t.calls <- func() { result <- f() }
	return <-result
}

// stop ends the thread, and with it an agent that is still there.
func (t *thread) stop() {
	close(t.calls)
	<-t.ended
}

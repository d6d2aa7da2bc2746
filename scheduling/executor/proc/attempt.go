package proc

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rota-scheduler/rota/scheduling/executor/proc/cgroup"
	"github.com/rota-scheduler/rota/scheduling/executor/proc/pidns"
	"golang.org/x/sys/unix"
)

// attempt is one start: its process, its output and, in the end, its result.
// As long as the process just runs nobody waits for it but ends. From its end on, or
// from when it is to be killed, one goroutine owns it (supervise); everybody else
// leaves word under mu and wakes that.
type attempt struct {
	id     string
	grace  time.Duration
	dir    string
	fenced bool // a lapse of contact ends it
	// stopAfter is the lapse, counted from the newest contact.
	stopAfter time.Duration
	note      []byte

	out    *output
	pipes  []*pipe
	chatty *atomic.Int32 // the Manager's
	orphan *orphans
	group  *cgroup.Group // nil: none on this host
	limits cgroup.Limits
	kin    kin
	pidfd  int
	// box is the way to the init of an isolated attempt, which pid and pidfd are
	// then; verdict is what that has said of the program's end.
	box     *pidns.Box
	verdict *unix.WaitStatus

	mu          sync.Mutex
	state       State
	pid         int
	startedAt   int64
	startedMono int64
	timeout     *time.Timer // nil: none
	own         func()      // makes its goroutine an owner; nil: not started, or it has one
	unwatch     func()      // ends does not wait for it any more
	poll        *os.File    // of the pidfd, for the owner to wait with
	reason      string      // why it is to end; empty: it is not
	termed      bool        // SIGTERM was sent
	killAt      time.Time   // when SIGKILL is due, once termed
	again       time.Duration
	exited      bool // the main process is over: reasons come too late
	result      *Result
}

// past is a deadline that has passed, to wake who waits for a file.
var past = time.Unix(1, 0)

// kill asks for the end of the attempt. The first reason stays.
func (a *attempt) kill(reason string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.reason != "" || a.exited || a.state == Ended || a.state == Declined {
		return
	}
	if a.own != nil && hasExited(a.pidfd) {
		return // ends has yet to see it
	}
	a.reason = reason
	a.ownLocked()
	a.wakeLocked()
}

// hurry cuts the grace short, whatever stage the end has reached.
func (a *attempt) hurry() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.grace, a.killAt = 0, time.Now()
	a.wakeLocked()
}

func (a *attempt) wakeLocked() {
	_ = a.alarmLocked(past) // fails where the process is reaped already
}

// alarmLocked has whoever waits for the main process look up at an instant; the
// zero time means never.
func (a *attempt) alarmLocked(at time.Time) error {
	switch {
	case a.box != nil:
		return a.box.SetDeadline(at)
	case a.poll != nil:
		return a.poll.SetReadDeadline(at)
	}
	return nil
}

// started takes over the process that the fork has made.
func (a *attempt) started(k kin, pidfd int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.pid, a.kin, a.pidfd, a.state = k.session, k, pidfd, Running
	a.startedAt, a.startedMono = wall(), Mono()
}

// supervise sees the process through to its end and returns the result. Its goroutine
// owns the attempt.
func (a *attempt) supervise() *Result {
	for !a.waitExit() {
		a.act()
	}
	a.mu.Lock()
	a.exited = true
	a.mu.Unlock()
	return a.wrapUp()
}

// wrapUp ends what the main process, which is over, has left behind.
func (a *attempt) wrapUp() *Result {
	verdict := a.group.Verdict() // goes with the group
	leftErr := a.clearLeftovers()
	r := a.collect()
	r.tell(verdict, a.limits)
	if leftErr != nil {
		r.addError(leftErr.Error())
	}
	return r
}

// collect frees the main process, once nothing else is left, and says what became of
// it.
func (a *attempt) collect() *Result {
	status := a.reap()
	for _, p := range a.pipes {
		p.finish()
	}
	r := a.conclude(status)
	a.out.finish(r)
	return r
}

// waitExit waits until the main process has ended, without reaping it: as long
// as it is not reaped its pid, group and session are nobody else's. It returns
// false when it is time to act.
func (a *attempt) waitExit() bool {
	a.mu.Lock()
	var err error
	switch {
	case a.termed:
		err = a.alarmLocked(a.killAt)
	case a.reason != "":
		err = a.alarmLocked(past)
	default:
		err = a.alarmLocked(time.Time{})
	}
	a.mu.Unlock()
	switch {
	case err != nil:
		return true // not reached: a pidfd that is open can be polled
	case a.box != nil:
		return a.listen()
	}
	return pollExit(a.poll)
}

// exitedBy waits until the process that was forked has ended, or an instant.
func (a *attempt) exitedBy(at time.Time) bool {
	if a.poll.SetReadDeadline(at) != nil {
		return true // not reached, as above
	}
	return pollExit(a.poll)
}

// pollExit waits for the end of a process; false means that the deadline came
// first.
func pollExit(pidfd *os.File) bool {
	raw, err := pidfd.SyscallConn()
	if err != nil {
		return true // not reached: the file is open
	}
	err = raw.Read(func(fd uintptr) bool { return hasExited(int(fd)) })
	return !errors.Is(err, os.ErrDeadlineExceeded)
}

func hasExited(pidfd int) bool {
	for {
		var info unix.Siginfo
		err := unix.Waitid(unix.P_PIDFD, pidfd, &info, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil)
		switch err {
		case nil:
			return info.Signo != 0
		case unix.EINTR:
		case unix.EAGAIN: // a non-blocking pidfd says so
			return false
		default:
			return true // ECHILD: somebody else has reaped it
		}
	}
}

// conclude turns a wait status and our own reason into a result.
func (a *attempt) conclude(status unix.WaitStatus) *Result {
	a.mu.Lock()
	defer a.mu.Unlock()
	r := &Result{
		ID: a.id, Reason: a.reason, ExitCode: -1,
		StartedAt: a.startedAt, StartedMono: a.startedMono,
		EndedAt: wall(), EndedMono: Mono(),
	}
	switch {
	case status.Exited():
		r.ExitCode = status.ExitStatus()
	case status.Signaled():
		r.Signal = unix.SignalName(status.Signal())
	default:
		r.Error = "its exit status was taken by another part of the process"
	}
	switch a.reason {
	case "":
		r.Outcome = Failed
		if r.ExitCode == 0 {
			r.Outcome = Succeeded
		}
	case ReasonTimeout:
		r.Outcome = Timeout
	case ReasonCancelled:
		r.Outcome = Cancelled
	default:
		r.Outcome = Killed
	}
	return r
}

// failedStart is the result of an exec that did not happen.
func (a *attempt) failedStart(text string) *Result {
	return &Result{
		ID: a.id, Outcome: StartFailed, ExitCode: -1, Error: text,
		EndedAt: wall(), EndedMono: Mono(),
	}
}

func (a *attempt) status() Status {
	a.mu.Lock()
	defer a.mu.Unlock()
	s := Status{
		ID: a.id, State: a.state, StartedAt: a.startedAt, StartedMono: a.startedMono,
		OutputDir: a.dir, Note: a.note, Result: a.result,
	}
	if a.state == Running {
		s.PID = a.pid
	}
	return s
}

// end publishes the result and lets go of everything else.
func (a *attempt) end(r *Result) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.state, a.result = Ended, r
	a.out, a.pipes, a.orphan, a.group, a.kin.known, a.unwatch = nil, nil, nil, nil, nil, nil
}

func (a *attempt) describe() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return fmt.Sprintf("%s (pid %d)", a.id, a.pid)
}

// live says whether the attempt may have a process.
func (a *attempt) live() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.state == Starting || a.state == Running
}

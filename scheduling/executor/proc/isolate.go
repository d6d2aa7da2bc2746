package proc

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/rota-scheduler/rota/scheduling/executor/proc/pidns"
	"golang.org/x/sys/unix"
)

// IsolationPidns of a StartRequest: the attempt has a namespace of pids of its
// own, see package pidns.
const IsolationPidns = "pidns"

// trialPatience bounds the trial that shows whether this host can isolate.
const trialPatience = 10 * time.Second

// errNoInit is of a program whose main function knows nothing of inits.
var errNoInit = errors.New("this program brings no init")

// Isolation returns nil if attempts can be isolated here, else why not.
func (m *Manager) Isolation() error { return m.isolation }

// initJob is the fork of an init with that order.
func (m *Manager) initJob(b *pidns.Box) forkJob {
	j := forkJob{path: "/proc/self/exe", argv: []string{os.Args[0], pidns.Command}, isolated: true}
	j.attr = syscall.ProcAttr{Dir: "/", Files: append([]uintptr{m.null.Fd(), m.null.Fd(), m.null.Fd()}, b.Files()...)}
	return j
}

// tryIsolation makes a namespace and ends it, to learn whether that can be done.
func (m *Manager) tryIsolation(ctx context.Context) error {
	box, err := pidns.Prepare(pidns.Order{})
	if err != nil {
		return err
	}
	defer box.Close()
	job := m.initJob(box)
	job.check = ctx.Err
	r := m.forkers.do(ctx, 0, job)
	box.Forked()
	switch {
	case r.refused != nil:
		return r.refused
	case r.err != nil:
		return noNamespace(r.err)
	}
	defer unix.Close(r.pidfd)
	defer endInit(r)
	_ = box.SetDeadline(time.Now().Add(trialPatience)) // fails never on an open socket
	w, err := box.Read()
	switch {
	case err != nil:
		return fmt.Errorf("the init of a namespace says nothing: %w", err)
	case w.Kind != pidns.Ready:
		return w.Err()
	}
	return nil
}

// noNamespace says what a fork that made none would have needed.
func noNamespace(err error) error {
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EACCES) {
		return fmt.Errorf("making a namespace of pids, which takes root with CAP_SYS_ADMIN or a kernel that lets users make namespaces: %w", err)
	}
	return fmt.Errorf("making a namespace of pids: %w", err)
}

// endInit kills and reaps an init, and with it whatever it has started.
func endInit(r forkReply) {
	_ = unix.PidfdSendSignal(r.pidfd, unix.SIGKILL, nil, 0) // it can only be gone by now
	for {
		if _, err := unix.Wait4(r.pid, nil, 0, nil); err != unix.EINTR {
			return
		}
	}
}

// isolate makes the fork of an attempt that of an init which has the same to do. An
// error is one of a kernel that has nothing to give.
func (m *Manager) isolate(a *attempt, req *StartRequest, job *forkJob) error {
	umask := -1
	if job.umask != nil {
		umask = *job.umask
	}
	box, err := pidns.Prepare(pidns.Order{
		Path: job.path, Argv: job.argv, Env: job.attr.Env, Dir: job.attr.Dir,
		User: job.cred, Umask: umask, Group: job.group.Door(), Expiry: req.Expiry,
	})
	if err != nil {
		return err
	}
	a.mu.Lock()
	a.box = box
	a.mu.Unlock()
	of := m.initJob(box)
	of.check = job.check
	of.attr.Files = append(job.attr.Files, box.Files()...)
	of.attr.Env = []string{Marker + "=" + m.mark(a.id)}
	*job = of
	return nil
}

// confirm waits until the init of an attempt has said what became of the program,
// and completes the reply to the fork with it. What is not known by the expiry, or
// when a kill arrives, counts as started: the end of the init ends it in any case.
func (m *Manager) confirm(a *attempt, req StartRequest, r forkReply) forkReply {
	a.box.Forked()
	switch {
	case errors.Is(r.err, unix.ENOSPC):
		r.refused = fmt.Errorf("%w: too many namespaces, see user.max_pid_namespaces: %w", ErrExhausted, r.err)
	case r.err != nil && !isExhausted(r.err):
		r.err = noNamespace(r.err)
	}
	if r.refused != nil || r.err != nil {
		return r
	}
	w, err := a.firstWord(req.Expiry)
	switch {
	case err == nil && w.Kind == pidns.Started:
		r.at = w.At
		if w.Text != "" {
			r.stray = errors.New(w.Text)
		}
		return r
	case err == nil && w.Kind == pidns.Expired:
		r.refused = ErrExpired
	case err == nil && w.Kind == pidns.Failed:
		r.err = w.Err()
	default:
		r.at = Mono()
		return r
	}
	endInit(r)
	unix.Close(r.pidfd)
	return r
}

// firstWord reads what an init says first, until the expiry.
func (a *attempt) firstWord(expiry int64) (pidns.Word, error) {
	a.mu.Lock()
	var err error
	switch {
	case a.reason != "":
		err = a.box.SetDeadline(past)
	case expiry != 0:
		err = a.box.SetDeadline(time.Now().Add(time.Duration(expiry - Mono())))
	}
	a.mu.Unlock()
	if err != nil {
		return pidns.Word{}, err // not reached: the socket is open
	}
	return a.box.Read()
}

// listen takes the init's words until one says that the program has ended, or
// that there will be none. It returns false at the deadline.
func (a *attempt) listen() (ended bool) {
	for {
		w, err := a.box.Read()
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			return false
		case err != nil: // io.EOF: the init is gone, and all with it
			return true
		case w.Kind == pidns.Ended:
			status := unix.WaitStatus(w.Status)
			a.verdict = &status
			return true
		case w.Kind != pidns.Started: // said late, to a kill
			return true
		}
	}
}

// awaitInit ends what the program has left behind, and returns when the init is
// over, which the kernel lets happen only after everything else in its namespace.
func (a *attempt) awaitInit() (err error) {
	for {
		a.mu.Lock()
		now := time.Now()
		sig, due := a.dueLocked(now, true)
		next := a.killAt
		a.mu.Unlock()
		if due {
			err = a.signal(sig)
		}
		if soon := now.Add(maxLeftoverPause); soon.Before(next) {
			next = soon // somebody may be in a hurry
		}
		if a.exitedBy(next) {
			return err
		}
	}
}

// closeBoxLocked lets go of the init of an isolated attempt.
func (a *attempt) closeBoxLocked() {
	if a.box != nil {
		a.box.Close()
		a.box = nil
	}
}

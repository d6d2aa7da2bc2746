package proc

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"
)

// launch is an admitted start on its way to its process. What may hang, and what need
// not be done on a thread that forks, is done on the caller's goroutine, which ends
// then; the thread does the rest. Each step is done by one of them at a time.
type launch struct {
	m   *Manager
	ctx context.Context // of the start
	a   *attempt
	req StartRequest
	job forkJob // once the program has been looked at
	// program is what is to run, also if an init is forked instead.
	program string
	// answer is called once, with a refusal, or with nil once a result is sure to
	// follow.
	answer func(error)
}

// startFailure is an error that is the attempt's result, and no refusal.
type startFailure struct{ error }

// errAnswered: somebody else has refused the start meanwhile.
var errAnswered = errors.New("answered already")

// run answers, or has a thread do so.
func (l *launch) run() {
	if err := l.reach(); err != nil {
		l.stop(err)
		return
	}
	if err := l.m.forkers.enter(l.ctx, l.req.Expiry); err != nil {
		l.stop(err)
		return
	}
	if err := l.equip(); err != nil {
		l.m.forkers.leave()
		l.stop(err)
		return
	}
	l.m.forkers.put(turn{ctx: l.ctx, expiry: l.req.Expiry, run: l.fork, refuse: func(err error) {
		l.m.forkers.leave()
		l.answer(err)
	}})
}

// stop answers for a start that came to no process.
func (l *launch) stop(err error) {
	var failure startFailure
	switch {
	case errors.Is(err, errAnswered):
	case errors.As(err, &failure):
		l.fail(failure.Error())
	default:
		l.answer(err)
	}
}

// fail ends the attempt with a result instead of a process.
func (l *launch) fail(text string) {
	l.m.endSoon(l.a, l.a.failedStart(text))
	l.answer(nil)
}

// equip makes what a process needs that is about to be forked, and records the start.
func (l *launch) equip() (err error) {
	m, a, req, job := l.m, l.a, &l.req, &l.job
	if a.group, err = m.group(req); err != nil {
		return startFailure{err}
	}
	job.group, a.limits = a.group, req.limits()
	if err := a.openPipes(job.cred); err != nil {
		return fmt.Errorf("%w: %w", ErrExhausted, err)
	}
	mark := m.mark(a.id)
	err = m.journal.append(record{
		Op: opStart, ID: a.id, Mark: mark, Boot: m.boot, Mono: Mono(), At: wall(), Dir: a.dir,
	})
	if err != nil {
		return err
	}
	job.check = func() error { return lastLook(l.ctx, a, *req) }
	job.attr = syscall.ProcAttr{
		Dir: req.Dir, Env: append(slices.Clip(req.Env), Marker+"="+mark),
		Files: []uintptr{m.null.Fd(), uintptr(a.pipes[0].w), uintptr(a.pipes[1].w)},
	}
	if req.Isolation == "" {
		return nil
	}
	if err := m.isolate(a, req, job); err != nil {
		return fmt.Errorf("%w: %w", ErrExhausted, err)
	}
	return nil
}

// fork makes the process, or an init that does, on the thread that calls.
func (l *launch) fork() {
	r := l.job.fork()
	l.m.forkers.leave()
	if l.req.Isolation == "" {
		l.settle(r)
		return
	}
	go func() { l.settle(l.m.confirm(l.a, l.req, r)) }() // no thread waits for what the init says
}

// settle answers with what a fork has come to.
func (l *launch) settle(r forkReply) {
	if r.stray != nil {
		l.m.log.Warn("after a start", "attempt", l.a.id, "error", r.stray)
	}
	switch {
	case r.refused != nil:
		l.answer(r.refused)
	case isExhausted(r.err):
		l.answer(fmt.Errorf("%w: %w", ErrExhausted, r.err))
	case r.err != nil:
		l.a.abandon()
		l.m.groups.Discard(l.a.group)
		go func() { l.fail(explain(l.program, l.req, r.err)) }() // it looks at the folder, which may hang
	default:
		l.m.run(l.a, l.req, r)
		l.answer(nil)
	}
}

// isExhausted tells what the kernel could not give from what the program is.
func isExhausted(err error) bool {
	return errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.ENOMEM) ||
		errors.Is(err, unix.EMFILE) || errors.Is(err, unix.ENFILE)
}

// run takes over what the fork has made.
func (m *Manager) run(a *attempt, req StartRequest, r forkReply) {
	for _, p := range a.pipes {
		p.begin(m.watch)
	}
	a.started(kin{session: r.pid, mark: m.mark(a.id)}, r.pidfd)
	m.ends.await(a, req.Timeout)
	if expired(req, r.at) {
		a.kill(ReasonExpired)
		a.hurry()
	}
}

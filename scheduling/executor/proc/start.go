package proc

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"
)

// Start implements Processes.
func (m *Manager) Start(ctx context.Context, req StartRequest) error {
	req, err := req.withDefaults()
	if err != nil {
		return err
	}
	a, err := m.admit(req)
	if err != nil {
		return fmt.Errorf("start %s: %w", req.ID, err)
	}
	if err := m.launch(ctx, a, req); err != nil {
		m.withdraw(a)
		return fmt.Errorf("start %s: %w", req.ID, err)
	}
	return nil
}

// admit takes the ID, or refuses. From here on a kill or a lapse of contact
// finds the attempt.
func (m *Manager) admit(req StartRequest) (*attempt, error) {
	if req.StopAfter == 0 {
		req.StopAfter = m.stopAfter
	}
	a := &attempt{
		id: req.ID, state: Starting, grace: req.Grace, dir: req.OutputDir,
		fenced: req.ContactBase != 0, stopAfter: req.StopAfter, orphan: m.orphans,
		chatty: &m.chatty,
		out:    newOutput(req.OutputDir, req.OutputLimit),
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	now := Mono()
	if expired(req, now) {
		return nil, ErrExpired
	}
	if a.fenced {
		m.renewLocked(now, req.ContactBase)
		if now >= req.ContactBase+int64(a.stopAfter) {
			return nil, fmt.Errorf("%w: its contact has lapsed", ErrExpired)
		}
	}
	if err := m.insertLocked(a); err != nil {
		return nil, err
	}
	m.running.Add(1)
	return a, nil
}

func expired(req StartRequest, now int64) bool { return req.Expiry != 0 && now >= req.Expiry }

// withdraw makes a refused start as if it had never been.
func (m *Manager) withdraw(a *attempt) {
	a.abandon()
	m.groups.Discard(a.group)
	if err := m.journal.append(record{Op: opForget, ID: a.id}); err != nil {
		// A successor would list it as killed, which is safe: it says more than
		// what happened, not less.
		m.log.Warn("start record of a refused start stays", "attempt", a.id, "error", err)
	}
	m.remove(a)
	m.running.Done()
}

// launch returns a refusal, or nil once a result is sure to follow.
func (m *Manager) launch(ctx context.Context, a *attempt, req StartRequest) error {
	job, err := m.prepare(a, &req)
	if err != nil {
		m.endSoon(a, a.failedStart(err.Error()))
		return nil
	}
	if err := m.reach(ctx, req, job.path); err != nil {
		return err
	}
	if err := m.forkers.enter(ctx, req.Expiry); err != nil {
		return err
	}
	defer m.forkers.leave()
	if a.group, err = m.group(&req); err != nil {
		m.endSoon(a, a.failedStart(err.Error()))
		return nil
	}
	job.group, a.limits = a.group, req.limits()
	job.check = func() error { return lastLook(ctx, a, req) }
	if err := a.openPipes(job.cred); err != nil {
		return fmt.Errorf("%w: %w", ErrExhausted, err)
	}
	err = m.journal.append(record{
		Op: opStart, ID: a.id, Mark: m.mark(a.id), Boot: m.boot, Mono: Mono(), At: wall(), Dir: a.dir,
	})
	if err != nil {
		return err
	}
	job.attr = syscall.ProcAttr{
		Dir: req.Dir, Env: append(slices.Clip(req.Env), Marker+"="+m.mark(a.id)),
		Files: []uintptr{m.null.Fd(), uintptr(a.pipes[0].w), uintptr(a.pipes[1].w)},
	}
	r, err := m.fork(ctx, a, req, job)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrExhausted, err)
	}
	if r.stray != nil {
		m.log.Warn("after a start", "attempt", a.id, "error", r.stray)
	}
	switch {
	case r.refused != nil:
		return r.refused
	case isExhausted(r.err):
		return fmt.Errorf("%w: %w", ErrExhausted, r.err)
	case r.err != nil:
		a.abandon()
		m.groups.Discard(a.group)
		m.endSoon(a, a.failedStart(explain(job.path, req, r.err)))
		return nil
	}
	m.run(a, req, r)
	return nil
}

// fork makes the process, or an init that does. The error is one of a kernel that
// has nothing to give; nothing was forked then.
func (m *Manager) fork(ctx context.Context, a *attempt, req StartRequest, job forkJob) (r forkReply, err error) {
	if req.Isolation == "" {
		return m.forkers.do(ctx, job), nil
	}
	if job, err = m.isolate(a, req, job); err != nil {
		return r, err
	}
	return m.confirm(a, req, m.forkers.do(ctx, job)), nil
}

// prepare works out what a fork needs: program and user. An error is a start
// failure.
func (m *Manager) prepare(a *attempt, req *StartRequest) (job forkJob, err error) {
	job = forkJob{argv: req.Argv, umask: req.Umask, expiry: req.Expiry}
	if req.User != "" {
		who, err := findUser(req.User)
		if err != nil {
			return job, err
		}
		if job.cred, err = who.credential(os.Geteuid(), os.Getegid()); err != nil {
			return job, err
		}
		req.Env = who.environment(req.Env)
	}
	if job.path, err = lookPath(req.Argv[0], req.Dir, req.Env); err != nil {
		return job, err
	}
	if req.Isolation != "" && m.isolation != nil {
		return job, fmt.Errorf("isolation %q is not available on this node: %w", req.Isolation, m.isolation)
	}
	return job, nil
}

func (m *Manager) mark(id string) string { return m.instance + "/" + id }

// lastLook is taken on the thread that forks next.
func lastLook(ctx context.Context, a *attempt, req StartRequest) error {
	a.mu.Lock()
	reason := a.reason
	a.mu.Unlock()
	switch {
	case reason != "":
		return fmt.Errorf("%w: %s", ErrKilled, reason)
	case ctx.Err() != nil:
		return ctx.Err()
	case expired(req, Mono()):
		return ErrExpired
	}
	return nil
}

// run takes over what the fork has made.
func (m *Manager) run(a *attempt, req StartRequest, r forkReply) {
	_ = unix.SetNonblock(r.pidfd, true) // fails never on a descriptor just made
	a.started(kin{session: r.pid, mark: m.mark(a.id)}, os.NewFile(uintptr(r.pidfd), "pidfd"), req.Timeout)
	if expired(req, r.at) {
		a.kill(ReasonExpired)
		a.hurry()
	}
	for _, p := range a.pipes {
		p.begin(m.watch)
	}
	go func() { m.end(a, a.supervise()) }()
}

// openPipes makes the pipes, which belong to whom the program runs as: it may
// open its own /dev/stdout again.
func (a *attempt) openPipes(cred *syscall.Credential) error {
	for _, s := range []*streamFiles{&a.out.out, &a.out.errs} {
		p, err := newPipe(a.out, s)
		if err != nil {
			return err
		}
		p.chatty = a.chatty
		a.pipes = append(a.pipes, p)
		if cred != nil {
			if err := unix.Fchown(p.w, int(cred.Uid), int(cred.Gid)); err != nil {
				return fmt.Errorf("pipe for %s: %w", s.name, err)
			}
		}
	}
	return nil
}

// abandon closes what a start that came to nothing has opened.
func (a *attempt) abandon() {
	for _, p := range a.pipes {
		p.close()
	}
	a.pipes = nil
	a.mu.Lock()
	defer a.mu.Unlock()
	a.closeBoxLocked()
}

// isExhausted tells what the kernel could not give from what the program is.
func isExhausted(err error) bool {
	return errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.ENOMEM) ||
		errors.Is(err, unix.EMFILE) || errors.Is(err, unix.ENFILE)
}

// endSoon ends an attempt outside of Start, whose caller may hold locks that
// OnEnd wants.
func (m *Manager) endSoon(a *attempt, r *Result) { go m.end(a, r) }

// end records and publishes a result, in this order: what is told is kept.
func (m *Manager) end(a *attempt, r *Result) {
	defer m.running.Done()
	if err := m.journal.append(record{Op: opEnd, ID: a.id, Dir: a.dir, Result: r}); err != nil {
		m.log.Error("result is only in memory", "attempt", a.id, "error", err)
	}
	a.end(r)
	if m.onEnd != nil {
		m.onEnd(*r)
	}
}

package proc

import (
	"context"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// Start implements Processes.
func (m *Manager) Start(ctx context.Context, req StartRequest) error {
	answer := make(chan error, 1)
	go m.Launch(ctx, req, func(err error) { answer <- err })
	return <-answer
}

// Launch is Start for a caller that does not wait: done is called once, with what
// Start returns, and must not block. Launch itself hangs where the program's file
// system does; done is called all the same, at the expiry or when ctx ends.
func (m *Manager) Launch(ctx context.Context, req StartRequest, done func(error)) {
	req, err := req.withDefaults()
	if err != nil {
		done(err)
		return
	}
	a, err := m.admit(req)
	if err != nil {
		done(fmt.Errorf("start %s: %w", req.ID, err))
		return
	}
	l := &launch{m: m, ctx: ctx, a: a, req: req, answer: func(err error) {
		if err != nil {
			m.withdraw(a)
			err = fmt.Errorf("start %s: %w", req.ID, err)
		}
		done(err)
	}}
	l.run()
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

// prepare works out what a fork needs: program and user.
func (m *Manager) prepare(req *StartRequest) (job forkJob, err error) {
	job = forkJob{argv: req.Argv, umask: req.Umask}
	if req.User != "" {
		who, err := findUser(req.User)
		if err != nil {
			return job, startFailure{err}
		}
		if job.cred, err = who.credential(os.Geteuid(), os.Getegid()); err != nil {
			return job, startFailure{err}
		}
		req.Env = who.environment(req.Env)
	}
	if job.path, err = lookPath(req.Argv[0], req.Dir, req.Env); err != nil {
		return job, startFailure{err}
	}
	if req.Isolation != "" && m.isolation != nil {
		return job, startFailure{fmt.Errorf("isolation %q is not available on this node: %w", req.Isolation, m.isolation)}
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

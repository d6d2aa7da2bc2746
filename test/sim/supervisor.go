package sim

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/rota-scheduler/rota/scheduling/executor/proc"
)

// Outcome is what a made-up process comes to.
type Outcome struct {
	After    time.Duration
	ExitCode int
	// Linger is how long it takes to die once it is told to, at most its grace.
	Linger time.Duration
	// Delay is how long its start is on the way before the supervisor sees it.
	Delay time.Duration
}

// Workload says what the process of a start request does.
type Workload func(req proc.StartRequest) Outcome

// Supervisor stands for a node's supervisor and what it started. It outlives the
// node's agents, each of which has a [Session] with it. All methods may be called
// concurrently.
type Supervisor struct {
	node      string
	mono      func() int64
	stopAfter time.Duration
	work      Workload
	record    *Recorder
	trace     *Trace
	ice       *gate // shut while the agent is frozen
	stopped   gate  // shut while the supervisor itself is frozen

	mu      sync.Mutex
	procs   map[string]*process
	contact int64
	session *Session
	frozen  bool
	late    []func() // what it would have done meanwhile
}

type process struct {
	status proc.Status
	req    proc.StartRequest
	out    Outcome
	// timer is the process's own end, fence the lapse of its contact; dying, the
	// end after it was told to die.
	timer, fence, dying *time.Timer
	entry               *Start
	// gone: it has ended, and the supervisor may not know yet.
	gone bool
	// changed is when the supervisor last wrote about it.
	changed time.Time
}

func newSupervisor(n *Node, stopAfter time.Duration, work Workload) *Supervisor {
	return &Supervisor{
		node: n.Name, mono: n.mono, stopAfter: stopAfter, work: work, record: n.cluster.Record, trace: n.cluster.Trace,
		ice: &n.ice, procs: map[string]*process{},
	}
}

// Session is what one agent has of its supervisor: what the agent had sent when
// it died and was not read yet is thrown away.
type Session struct {
	*Supervisor
	onEnd func(proc.Result)
	dead  chan struct{}
	once  sync.Once
}

// Open begins the session of a new agent.
func (s *Supervisor) Open(onEnd func(proc.Result)) *Session {
	s.Hangup()
	session := &Session{Supervisor: s, onEnd: onEnd, dead: make(chan struct{})}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.session = session
	return session
}

// Hangup ends the session of an agent that died.
func (s *Supervisor) Hangup() {
	s.mu.Lock()
	session := s.session
	s.session = nil
	s.mu.Unlock()
	if session != nil {
		session.once.Do(func() { close(session.dead) })
	}
}

// enter waits until the agent and then the supervisor move, and says whether the
// call may go on.
func (s *Session) enter(ctx context.Context) error {
	if s.ice.pass(s.dead, ctx.Done()) && s.stopped.pass(s.dead, ctx.Done()) {
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return errDead
}

// Start implements proc.Processes.
func (s *Session) Start(ctx context.Context, req proc.StartRequest) error {
	out := s.work(req)
	if out.Delay > 0 {
		select {
		case <-time.After(out.Delay):
		case <-s.dead:
		}
	}
	if err := s.enter(ctx); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.session != s {
		return errDead
	}
	if s.procs[req.ID] != nil {
		s.trace.attempt(s.node, req.ID, "start refused: known already")
		return proc.ErrRepeated
	}
	now := s.mono()
	if req.Expiry != 0 && now >= req.Expiry {
		s.trace.attempt(s.node, req.ID, "start refused: expired %s ago", time.Duration(now-req.Expiry))
		return proc.ErrExpired
	}
	p := &process{
		status: proc.Status{ID: req.ID, State: proc.Running, StartedAt: time.Now().UnixNano(), StartedMono: now},
		req:    req, out: out, changed: time.Now(),
		entry: s.record.start(s.node, req, time.Now()),
	}
	s.procs[req.ID] = p
	p.timer = time.AfterFunc(out.After, func() {
		outcome := proc.Succeeded
		if out.ExitCode != 0 {
			outcome = proc.Failed
		}
		s.exit(req.ID, proc.Result{Outcome: outcome, ExitCode: out.ExitCode})
	})
	s.renew(req.ContactBase)
	if p.fence == nil {
		s.setFence(p)
	}
	s.trace.attempt(s.node, req.ID, "started")
	return nil
}

// exit is the end of a process by itself. A supervisor that is frozen learns of it
// later.
func (s *Supervisor) exit(id string, r proc.Result) {
	s.mu.Lock()
	if p := s.procs[id]; p != nil && !p.gone {
		p.gone = true
		s.record.end(p.entry, r.Outcome, time.Now())
	}
	s.mu.Unlock()
	s.act(func() { s.end(id, r) })
}

// end gives a process its result, once.
func (s *Supervisor) end(id string, r proc.Result) {
	s.mu.Lock()
	p := s.procs[id]
	if p == nil || p.status.State != proc.Running {
		s.mu.Unlock()
		return
	}
	for _, t := range []*time.Timer{p.timer, p.fence, p.dying} {
		if t != nil {
			t.Stop()
		}
	}
	r.ID, r.StartedAt, r.StartedMono = id, p.status.StartedAt, p.status.StartedMono
	r.EndedAt, r.EndedMono = time.Now().UnixNano(), s.mono()
	p.status.State, p.status.Result, p.changed = proc.Ended, &r, time.Now()
	if !p.gone {
		p.gone = true
		s.record.end(p.entry, r.Outcome, time.Now())
	}
	session := s.session
	s.trace.attempt(s.node, id, "ended: %s %s", r.Outcome, r.Reason)
	s.mu.Unlock()
	if session != nil && session.onEnd != nil {
		session.onEnd(r)
	}
}

// kill tells a process to die; the first reason stays. The caller holds the lock.
func (s *Supervisor) kill(p *process, reason string) {
	if p.dying != nil || p.gone || p.status.State != proc.Running {
		return
	}
	r := proc.Result{Outcome: proc.Killed, Reason: reason, ExitCode: -1, Signal: "SIGTERM"}
	if reason == proc.ReasonCancelled {
		r.Outcome = proc.Cancelled
	}
	s.trace.attempt(s.node, p.status.ID, "told to die: %s", reason)
	p.timer.Stop()
	if p.req.Grace > 0 && p.req.Grace <= p.out.Linger { // it takes a KILL
		p.dying = time.AfterFunc(p.req.Grace, func() { s.onTime(p, func() { s.end(p.status.ID, r) }) })
		return
	}
	p.dying = time.AfterFunc(p.out.Linger, func() { s.exit(p.status.ID, r) })
}

// Kill implements proc.Processes.
func (s *Session) Kill(ctx context.Context, id, reason string) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.procs[id]
	if p == nil {
		return proc.ErrUnknown
	}
	s.kill(p, reason)
	return nil
}

// Contact implements proc.Processes.
func (s *Session) Contact(ctx context.Context, base int64) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.renew(base)
	return nil
}

// renew takes a newer contact. What a lapse covered dies by its fence, which runs
// at the instant of the lapse. The caller holds the lock.
func (s *Supervisor) renew(base int64) {
	if base <= s.contact {
		return
	}
	s.contact = base
	for _, p := range s.procs {
		if p.status.State == proc.Running && p.dying == nil {
			s.setFence(p)
		}
	}
}

// setFence has a process die once contact is its stop_after old. The caller holds
// the lock.
func (s *Supervisor) setFence(p *process) {
	patience := s.stopAfter
	if p.req.StopAfter != 0 {
		patience = p.req.StopAfter
	}
	if p.fence != nil {
		p.fence.Stop()
	}
	p.fence = time.AfterFunc(time.Duration(s.contact+int64(patience)-s.mono()), func() {
		s.onTime(p, func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.kill(p, proc.ReasonFenced)
		})
	})
}

func (s *Supervisor) endAll(reason string) {
	s.mu.Lock()
	var ids []string
	for id, p := range s.procs {
		if p.status.State == proc.Running {
			ids = append(ids, id)
		}
	}
	s.mu.Unlock()
	slices.Sort(ids)
	for _, id := range ids {
		s.end(id, proc.Result{Outcome: proc.Killed, Reason: reason, ExitCode: -1, Signal: "SIGKILL"})
	}
}

// Decline implements proc.Processes.
func (s *Session) Decline(ctx context.Context, id string, note []byte) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.procs[id]; p != nil {
		if p.status.State == proc.Declined {
			return nil
		}
		return proc.ErrRepeated
	}
	s.procs[id] = &process{status: proc.Status{ID: id, State: proc.Declined, Note: slices.Clone(note)}, gone: true, changed: time.Now()}
	s.trace.attempt(s.node, id, "declined: %s", note)
	return nil
}

// List implements proc.Processes.
func (s *Session) List(ctx context.Context) ([]proc.Status, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []proc.Status
	for _, p := range s.procs {
		list = append(list, p.status)
	}
	slices.SortFunc(list, func(a, b proc.Status) int { return cmp.Compare(a.ID, b.ID) })
	return list, nil
}

// Forget implements proc.Processes.
func (s *Session) Forget(ctx context.Context, ids ...string) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var err error
	for _, id := range ids {
		if p := s.procs[id]; p != nil && p.status.State == proc.Running {
			err = proc.ErrAlive
			continue
		}
		delete(s.procs, id)
	}
	return err
}

// Close implements agent.Processes: a graceful stop ends what runs. An agent that
// was killed asks for nothing any more.
func (s *Session) Close(ctx context.Context) error {
	if ctx.Err() == nil {
		s.endAll(proc.ReasonClosed)
	}
	return nil
}

// alive says whether the process of an attempt lives.
func (s *Supervisor) alive(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.procs[id]
	return p != nil && !p.gone
}

// stop ends the timers, so that the bubble can end.
func (s *Supervisor) stop() { s.endAll(proc.ReasonClosed) }

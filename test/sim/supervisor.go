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
}

// Workload says what the process of a start request does.
type Workload func(req proc.StartRequest) Outcome

// Supervisor stands for a node's supervisor and what it started. It outlives the
// node's agents. All methods may be called concurrently.
type Supervisor struct {
	node      string
	mono      func() int64
	stopAfter time.Duration
	work      Workload
	record    *Recorder

	mu      sync.Mutex
	procs   map[string]*process
	contact int64
	fence   *time.Timer
	onEnd   func(proc.Result)
}

type process struct {
	status proc.Status
	timer  *time.Timer
	entry  *Start
}

// NewSupervisor returns a node's supervisor without processes.
func NewSupervisor(node string, mono func() int64, stopAfter time.Duration, work Workload, record *Recorder) *Supervisor {
	return &Supervisor{node: node, mono: mono, stopAfter: stopAfter, work: work, record: record, procs: map[string]*process{}}
}

// Attach makes onEnd the listener of the agent that runs now.
func (s *Supervisor) Attach(onEnd func(proc.Result)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.onEnd = onEnd
}

// Start implements proc.Processes.
func (s *Supervisor) Start(_ context.Context, req proc.StartRequest) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.procs[req.ID] != nil {
		return proc.ErrRepeated
	}
	now := s.mono()
	if req.Expiry != 0 && now >= req.Expiry {
		return proc.ErrExpired
	}
	s.renew(req.ContactBase)
	out := s.work(req)
	p := &process{
		status: proc.Status{ID: req.ID, State: proc.Running, StartedAt: time.Now().UnixNano(), StartedMono: now},
		entry:  s.record.start(s.node, req, time.Now()),
	}
	p.timer = time.AfterFunc(out.After, func() {
		outcome := proc.Succeeded
		if out.ExitCode != 0 {
			outcome = proc.Failed
		}
		s.end(req.ID, proc.Result{Outcome: outcome, ExitCode: out.ExitCode})
	})
	s.procs[req.ID] = p
	return nil
}

// end gives a process its result, once.
func (s *Supervisor) end(id string, r proc.Result) {
	s.mu.Lock()
	p := s.procs[id]
	if p == nil || p.status.State != proc.Running {
		s.mu.Unlock()
		return
	}
	p.timer.Stop()
	r.ID, r.StartedAt, r.StartedMono = id, p.status.StartedAt, p.status.StartedMono
	r.EndedAt, r.EndedMono = time.Now().UnixNano(), s.mono()
	p.status.State, p.status.Result = proc.Ended, &r
	s.record.end(p.entry, r.Outcome, time.Now())
	listener := s.onEnd
	s.mu.Unlock()
	if listener != nil {
		listener(r)
	}
}

// Kill implements proc.Processes; there is no grace.
func (s *Supervisor) Kill(_ context.Context, id, reason string) error {
	s.mu.Lock()
	known := s.procs[id] != nil
	s.mu.Unlock()
	if !known {
		return proc.ErrUnknown
	}
	r := proc.Result{Outcome: proc.Killed, Reason: reason, ExitCode: -1, Signal: "SIGTERM"}
	if reason == proc.ReasonCancelled {
		r.Outcome = proc.Cancelled
	}
	s.end(id, r)
	return nil
}

// Contact implements proc.Processes.
func (s *Supervisor) Contact(_ context.Context, base int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.renew(base)
	return nil
}

// renew takes a newer contact. What a lapse covered has been killed by the
// fence's timer, which runs at the instant of the lapse.
func (s *Supervisor) renew(base int64) {
	if base <= s.contact {
		return
	}
	s.contact = base
	if s.fence != nil {
		s.fence.Stop()
	}
	s.fence = time.AfterFunc(time.Duration(base+int64(s.stopAfter)-s.mono()), s.killAll)
}

func (s *Supervisor) killAll() { s.endAll(proc.ReasonFenced) }

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

// Die is the supervisor's own death and its restart: what it started is dead and
// listed as such.
func (s *Supervisor) Die() {
	s.Attach(nil)
	s.endAll(proc.ReasonRestarted)
}

// Decline implements proc.Processes.
func (s *Supervisor) Decline(_ context.Context, id string, note []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.procs[id]; p != nil {
		if p.status.State == proc.Declined {
			return nil
		}
		return proc.ErrRepeated
	}
	s.procs[id] = &process{status: proc.Status{ID: id, State: proc.Declined, Note: slices.Clone(note)}}
	return nil
}

// List implements proc.Processes.
func (s *Supervisor) List(context.Context) ([]proc.Status, error) {
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
func (s *Supervisor) Forget(_ context.Context, ids ...string) error {
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
func (s *Supervisor) Close(ctx context.Context) error {
	if ctx.Err() == nil {
		s.endAll(proc.ReasonClosed)
	}
	return nil
}

// stop ends the timers, so that the bubble can end.
func (s *Supervisor) stop() {
	s.endAll(proc.ReasonClosed)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fence != nil {
		s.fence.Stop()
	}
}

package sim

import (
	"time"

	"github.com/rota-scheduler/rota/scheduling/executor/proc"
)

// onTime does to a process what is due now. A supervisor that is frozen does it
// when it is thawed, and the process has outlived what its task promises until then.
func (s *Supervisor) onTime(p *process, do func()) {
	s.mu.Lock()
	if s.frozen {
		s.record.spared(p.entry, time.Now())
	}
	s.mu.Unlock()
	s.act(do)
}

// act does something, or has it done when the supervisor is thawed.
func (s *Supervisor) act(do func()) {
	s.mu.Lock()
	if s.frozen {
		s.late = append(s.late, do)
		s.mu.Unlock()
		return
	}
	s.mu.Unlock()
	do()
}

// Freeze stops the supervisor, as SIGSTOP does. What it started goes on, and its
// agent as well, which gets no answer any more.
func (s *Supervisor) Freeze() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.frozen = true
	s.stopped.Shut()
}

// Thaw lets a frozen supervisor go on: first it does what it has missed, as the
// real one looks for lapses before it takes a renewal.
func (s *Supervisor) Thaw() {
	s.mu.Lock()
	for _, p := range s.procs {
		if p.entry != nil {
			s.record.thawed(p.entry, time.Now())
		}
	}
	s.mu.Unlock()
	for {
		s.mu.Lock()
		if len(s.late) == 0 {
			s.frozen = false
			s.stopped.Open()
			s.mu.Unlock()
			return
		}
		do := s.late[0]
		s.late = s.late[1:]
		s.mu.Unlock()
		do()
	}
}

// Die is the supervisor's own death and its restart: what it started is dead and
// listed as such.
func (s *Supervisor) Die() {
	s.Hangup()
	s.mu.Lock()
	s.late = nil // what it had not noticed, it never will
	s.mu.Unlock()
	s.endAll(proc.ReasonRestarted)
	s.Thaw()
}

// LosePower is the end of the whole machine. Nothing of the supervisor's list was
// synced: what it wrote in the last while is lost, and what is older stays.
func (s *Supervisor) LosePower(last time.Duration) {
	kept := time.Now().Add(-last)
	s.mu.Lock()
	lost := map[string]bool{} // whether the start as well
	for id, p := range s.procs {
		if p.changed.After(kept) {
			lost[id] = p.status.State == proc.Declined || p.entry.Begin.After(kept)
		}
	}
	s.contact = 0
	s.mu.Unlock()
	s.Die()
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, start := range lost {
		p := s.procs[id]
		if start {
			delete(s.procs, id)
			s.trace.attempt(s.node, id, "its record is lost with the power")
			continue
		}
		r := proc.Result{ID: id, Outcome: proc.Killed, Reason: proc.ReasonRestarted, ExitCode: -1, StartedAt: p.status.StartedAt}
		p.status.State, p.status.Result = proc.Ended, &r
	}
}

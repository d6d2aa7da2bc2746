package executor

import "github.com/rota-scheduler/rota/fsm"

// maxStaleAhead is how many entries of ahead may be of no use any more.
const maxStaleAhead = 256

// stillAhead says whether an earlier pass has found that this very object waits for an
// instant, and that has not come. An object of the store never changes: to take back
// an attempt or to arm it anew makes another one.
func (e *Executor) stillAhead(s *fsm.Shard, p *passResult) bool {
	due, known := e.ahead[s]
	if !known {
		return false
	}
	if p.now >= due || e.cfg.Lease.Dropped() {
		delete(e.ahead, s)
		return false
	}
	p.ahead++
	p.at(due)
	return true
}

// waits says whether an attempt that this life of the agent may start, and that
// nobody wants back, is armed ahead of its time: a fire, or a retry.
func (e *Executor) waits(run *fsm.Run, s *fsm.Shard, p *passResult) bool {
	due := s.NotBefore
	if !run.Opened {
		due = run.NotBefore
	}
	if s.State != fsm.ShardArmed || s.Current.Incarnation != e.cfg.Incarnation || p.now >= due || e.cfg.Lease.Dropped() {
		return false
	}
	e.ahead[s] = due
	p.ahead++
	p.at(due)
	return true
}

// holds says whether the log binds an attempt to this node.
func (e *Executor) holds(v *fsm.View, ref fsm.AttemptRef) bool {
	s := v.Shard(ref.RunID, ref.Task, ref.Shard)
	return s != nil && s.State.Held() && s.Current.Node == e.cfg.NodeID && s.Ref() == ref
}

package sim

import (
	"cmp"
	"slices"
	"time"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/scheduling/executor/proc"
	"github.com/rota-scheduler/rota/test/check"
)

// drift is by how much a second cluster time may leave true time, because a
// leader's stepped wall clock draws it.
const drift = 500 * time.Microsecond

// blur is how close to a change of a job an instant is not judged: by whose clock
// it came first is open.
const blur = 300 * time.Millisecond

// evidence gathers what the checker goes by; what is due is judged up to quiet.
func (p *player) evidence(r *check.Recovery, quiet time.Time) check.Evidence {
	p.clients.wg.Wait()
	e := check.Evidence{
		Skew:  p.c.Timing.Skew + time.Duration(time.Since(p.began).Seconds()*float64(drift)),
		Calls: p.clients.history(), Hashes: p.hashes, Recovery: r, Timeline: p.c.Trace.timeline(p.c),
	}
	p.c.gatherState(&e, func(fsm.JobKey) bool { return true })
	for _, job := range e.Jobs {
		e.Due = append(e.Due, p.due(job.Key, e.Calls, quiet)...)
	}
	return e
}

// process is a start as the checker takes it.
func (s Start) process() check.Process {
	q := check.Process{
		Job: jobNamed(s.Job), Run: s.Ref.RunID, Task: s.Ref.Task, Shard: s.Ref.Shard, Attempt: s.Ref.Attempt, Fence: s.Fence,
		Node: s.Node, Begin: s.Begin, End: s.End, Succeeded: s.Outcome == proc.Succeeded,
	}
	if q.End.IsZero() {
		q.End = time.Now() // it lives
	}
	// What a frozen supervisor could not kill may be seen beside its replacement until
	// the thaw, and for its grace: that is an assumption of the protocol.
	if !s.Due.IsZero() && q.End.After(s.Due) && !s.Thawed.IsZero() && !q.End.After(s.Thawed.Add(s.Grace)) {
		q.End = s.Due
	}
	if t, err := time.Parse(time.RFC3339Nano, s.ScheduledAt); err == nil {
		q.ScheduledAt = fsm.At(t)
	}
	terms := check.Terms{Again: true}
	_, terms.Beside = s.told("idempotent")
	_, terms.Alone = s.told("exclusive")
	text, _ := s.told("deadline")
	terms.Within, _ = time.ParseDuration(text)
	q.Terms = &terms
	return q
}

// due returns the instants at which one version of a job was surely the current
// one, and whose ledger was not deleted with the job since.
func (p *player) due(key fsm.JobKey, calls []check.Call, quiet time.Time) []check.Due {
	var changes []check.Call
	for _, call := range calls {
		if call.Job == key && call.Fate != check.NotDone && (call.Op == check.Apply || call.Op == check.Delete) {
			changes = append(changes, call)
		}
	}
	slices.SortFunc(changes, func(a, b check.Call) int { return cmp.Or(a.Begin.Compare(b.Begin)) })
	var list []check.Due
	for i, a := range changes {
		if a.Op != check.Apply || a.Fate != check.Done {
			continue
		}
		until, judged := quiet, true
		for j, b := range changes {
			if i == j || b.Fate == check.Done && b.End.Before(a.Begin) {
				continue
			}
			judged = judged && b.Op != check.Delete
			if b.Begin.Before(until) {
				until = b.Begin
			}
		}
		from, until := a.End.Add(blur), until.Add(-blur)
		if !judged || !from.Before(until) {
			continue
		}
		spec := p.specs[a.Mark]
		if instants := p.c.instants(key, &spec, from, until); len(instants) > 0 {
			list = append(list, check.Due{Job: key, Instants: instants, Version: a.Version})
		}
	}
	return list
}

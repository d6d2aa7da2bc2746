package scheduling

import (
	"context"
	"time"

	"github.com/rota-scheduler/rota/fsm"
)

// maxPlacements bounds one entry of the log.
const maxPlacements = 1000

// placePoll bounds how long a shard that found no place waits for another look
// when nothing in the store has changed.
const placePoll = time.Second

// placing is what one pass over the pending shards came to.
type placing struct {
	placements []fsm.Placement
	skip, miss []fsm.AttemptRef
	// stranded are shards that are bound to a node that will not be back.
	stranded []fsm.AttemptRef
	// wake is when a shard's time comes; unset if there is none.
	wake fsm.Time
	// stuck: a shard found no place.
	stuck bool
}

// place arms pending shards, and decides the fires that sit on no node.
func (l *Leader) place(ctx context.Context) error {
	for ctx.Err() == nil {
		began := l.Clock.Mono()
		ready := l.Leases.Changed()
		v := l.Store.Watch()
		quiet := l.Store.Read()
		p := l.planPending(v, quiet, NewCluster(quiet, l.facts(), l.Clock.Now()))
		planned := l.Clock.Mono()
		switch {
		case len(p.placements)+len(p.skip)+len(p.miss)+len(p.stranded) > 0:
			l.commitPlacing(ctx, p)
		case p.stuck:
			watchRoom(v)
			l.wait(ctx, v, earliest(p.wake, l.Clock.Now().Add(fsm.Duration(placePoll))), ready)
		default:
			l.wait(ctx, v, p.wake)
		}
		l.breathe(ctx, planned, planGap(time.Duration(planned-began)))
	}
	return nil
}

// planGap is the least time between two plans, after one that took so long. A plan
// reads all that the nodes hold which have changed: when they hold thousands of
// attempts and runs come by the hundred, it would be most of what a leader does.
func planGap(took time.Duration) time.Duration { return min(4*took, 30*time.Millisecond) }

// breathe returns when the gap since that instant (mono) is over, or ctx ends.
func (l *Leader) breathe(ctx context.Context, since int64, gap time.Duration) {
	gap -= time.Duration(l.Clock.Mono() - since)
	if gap <= 0 {
		return
	}
	select {
	case <-ctx.Done():
	case <-time.After(gap):
	}
}

// watchRoom has the wait see what may make room: the ends of attempts, nodes, and
// pools. To look at the first of each is enough to watch them all.
func watchRoom(v *fsm.View) {
	for range v.Pools() {
		break
	}
	for range v.Held() {
		break
	}
	for range v.Nodes() {
		break
	}
}

func earliest(a, b fsm.Time) fsm.Time {
	if a == 0 || b < a {
		return b
	}
	return a
}

// planPending looks at every pending shard once, in the order of the line, and
// places what it can. It must read as little as it can through v: what it reads,
// it is woken by.
func (l *Leader) planPending(v, quiet *fsm.View, cluster *Cluster) placing {
	var p placing
	now := cluster.now
	full := noRoom{}
	var run *fsm.Run // that of the shard before: they come run by run
	for s := range v.Pending() {
		if len(p.placements) == maxPlacements {
			break
		}
		if run == nil || run.ID != s.RunID {
			run = quiet.Run(s.RunID)
		}
		if full.now(run, s, nil, now) { // what nothing is asked of has most room
			p.stuck = true
			continue
		}
		rules := l.rules.of(quiet, s.JobKey(), s.Version, s.Task)
		if full.now(run, s, rules, now) {
			p.stuck = true
			continue
		}
		if stranded(quiet, s) {
			p.stranded = append(p.stranded, s.Ref())
			continue
		}
		if run == nil || run.Cancelling || len(run.WaitsFor) > 0 {
			continue
		}
		start, ready := l.startOf(quiet, run, s, now, &p)
		if !ready {
			continue
		}
		req := requestFor(quiet, run, s, rules, start)
		if placement := cluster.Place(req); placement != nil {
			p.placements = append(p.placements, *placement)
			continue
		}
		p.stuck = true
		cluster.keep(req)
		full.note(run, req, now)
	}
	return p
}

// startOf returns when a pending shard is to start, now or within the horizon. One that
// is not ready to be placed is noted in p: when to look at it again, that it waits, or
// what was decided of it instead.
func (l *Leader) startOf(quiet *fsm.View, run *fsm.Run, s *fsm.Shard, now fsm.Time, p *placing) (start fsm.Time, ready bool) {
	horizon := fsm.Duration(l.Timing.Horizon)
	start = max(now, s.NotBefore)
	if start > now.Add(horizon) {
		p.wake = earliest(p.wake, s.NotBefore.Add(-horizon))
		return 0, false // a retry whose time has not come
	}
	if !run.Opened {
		if l.decideUnplaced(quiet, run, s, now, p) {
			return 0, false
		}
		if start = max(run.NotBefore, now); start > now.Add(horizon) {
			p.wake = earliest(p.wake, run.NotBefore.Add(-horizon))
			return 0, false
		}
	}
	if mustWait(quiet, run, s) {
		p.stuck = true
		if !run.Opened && run.NotBefore > now { // then it may be skipped
			p.wake = earliest(p.wake, run.NotBefore)
		}
		return 0, false
	}
	return start, true
}

// noRoom holds, for each rules, the least weight for which no node had room at once
// in this pass. Thousands of shards, or of tasks of one run, must not cost a search of
// the cluster for each of them at every end of one.
type noRoom map[*Rules]int

func (n noRoom) note(run *fsm.Run, r *Request, now fsm.Time) {
	if !run.Opened || r.Only != "" || r.Start > now || len(r.Pools) > 0 {
		return
	}
	if least, known := n[r.Rules]; !known || r.Weight < least {
		n[r.Rules] = r.Weight
	}
}

// now says whether a shard that could start at once surely finds no place. A gate is
// looked at in any case: it may be past its deadline. So is the first shard of what
// has waited for long: room may have to be kept for it.
func (n noRoom) now(run *fsm.Run, s *fsm.Shard, rules *Rules, now fsm.Time) bool {
	least, known := n[rules]
	if !known || s.Weight < least || s.NotBefore > now || s.NodeID != "" {
		return false
	}
	if run == nil || run.Cancelling || !run.Opened {
		return false
	}
	return s.Index > 0 || s.Line > fsm.Aged(now)
}

// stranded says whether a shard waits for a node that has gone for good.
func stranded(v *fsm.View, s *fsm.Shard) bool {
	if s.NodeID == "" {
		return false
	}
	n := v.Node(s.NodeID)
	return n == nil || n.Status == fsm.NodeLeft || n.Status == fsm.NodeDown
}

// decideUnplaced judges a gate that no node holds, and says whether it is
// settled. What may have started is never skipped or missed (rule 20).
func (l *Leader) decideUnplaced(v *fsm.View, run *fsm.Run, s *fsm.Shard, now fsm.Time, p *placing) bool {
	if s.Maybe {
		return false
	}
	if run.StartDeadline != 0 && now > run.StartDeadline {
		p.miss = append(p.miss, s.Ref())
		return true
	}
	if run.Overlap == fsm.OverlapForbid && now >= run.NotBefore && !ConditionMet(v, run) {
		p.skip = append(p.skip, s.Ref())
		return true
	}
	if run.StartDeadline != 0 {
		p.wake = earliest(p.wake, run.StartDeadline+1)
	}
	return false
}

// mustWait says whether a shard is not to be armed before the runs that its own
// waits for have ended: on its node it would hold what it takes of pools, and those
// runs may need that to end. Apply refuses it as well.
func mustWait(v *fsm.View, run *fsm.Run, s *fsm.Shard) bool {
	return len(s.Pools) > 0 && !ConditionMet(v, run)
}

// ConditionMet says whether every run that this one must not overlap with has
// ended, by the log.
func ConditionMet(v *fsm.View, run *fsm.Run) bool {
	for _, id := range run.Condition {
		if v.RunActive(id) {
			return false
		}
	}
	return true
}

func requestFor(v *fsm.View, run *fsm.Run, s *fsm.Shard, rules *Rules, start fsm.Time) *Request {
	r := &Request{
		Ref: s.Ref(), Job: s.JobKey(), Rules: rules, Weight: s.Weight, Pools: s.Pools, Line: s.Line,
		Start: start, Only: s.NodeID,
	}
	if n := len(s.Past); n > 0 && s.Past[n-1].Outcome != fsm.AttemptNever {
		r.Avoid = s.Past[n-1].Node
	}
	if !run.Opened {
		for _, id := range run.Condition {
			if other := v.Run(id); other != nil && !other.State.Ended() {
				if gate := v.Shard(id, other.Gate, 0); gate != nil && gate.State.Held() {
					r.With = gate.Current.Node
				}
			}
		}
	}
	return r
}

func (l *Leader) commitPlacing(ctx context.Context, p placing) {
	now := l.Clock.Now()
	ok := true
	commit := func(op fsm.Opcode, command any) {
		value, _, err := l.Proposer.Propose(ctx, op, command)
		if err != nil {
			ok = false
			if ctx.Err() == nil {
				l.Logger.Warn("placement was not committed; trying again", "error", err)
			}
			return
		}
		for _, err := range itemErrors(value) {
			ok = ok && err == nil
		}
	}
	if len(p.skip) > 0 {
		commit(fsm.OpDisplaceShards, fsm.DisplaceShards{At: now, Kind: fsm.DisplaceSkip, Items: p.skip})
	}
	if len(p.miss) > 0 {
		commit(fsm.OpDisplaceShards, fsm.DisplaceShards{At: now, Kind: fsm.DisplaceMiss, Items: p.miss})
	}
	if len(p.stranded) > 0 {
		commit(fsm.OpDisplaceShards, fsm.DisplaceShards{At: now, Kind: fsm.DisplaceStrand, Items: p.stranded, Reason: "its node has left the cluster"})
	}
	if len(p.placements) > 0 {
		commit(fsm.OpArmShards, fsm.ArmShards{At: now, Placements: p.placements})
	}
	if !ok {
		l.pause(ctx) // a refusal means that the state moved on: do not spin on it
	}
}

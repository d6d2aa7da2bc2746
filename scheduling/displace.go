package scheduling

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rota-scheduler/rota/fsm"
)

// displaceLooks is how often, in each heartbeat interval, the leader looks for
// nodes that fell silent. Looking costs as much as there are nodes.
const displaceLooks = 2

// displace moves or loses the work of nodes that cannot speak for themselves.
func (l *Leader) displace(ctx context.Context) error {
	tick := time.NewTicker(l.Timing.Heartbeat / displaceLooks)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		v := l.Store.Read()
		for n := range v.Nodes() {
			l.displaceNode(ctx, v, n)
			l.markGone(ctx, n)
			l.evict(ctx, v, n)
		}
	}
}

// downAfter is how long a node may be silent before it counts as down: nothing is
// cut out for it any more, and what was bound to it alone fails. It is ready again
// with its next heartbeat.
const downAfter = 600 // heartbeats: five minutes

// markGone gives up on a node that said good-bye, or one that has been silent for
// long, unless a person has taken it out of use. What an agent says of itself when
// it stops is no such word: it may never be back.
func (l *Leader) markGone(ctx context.Context, n *fsm.Node) {
	answered, ok := l.Leases.Contact(n.ID)
	if !ok || n.Status == fsm.NodeLeft {
		return
	}
	quiet := time.Duration(l.Clock.Mono() - answered)
	status := fsm.NodeDown
	switch {
	case l.gossip(n.ID) == GossipLeft && quiet >= l.Timing.silence():
		status = fsm.NodeLeft
	case n.Status != fsm.NodeReady && n.StatusLife == 0, quiet < downAfter*l.Timing.Heartbeat:
		return
	}
	l.Logger.Warn("node is gone", "node", n.Name, "status", status, "silent", quiet)
	if _, _, err := l.Proposer.Propose(ctx, fsm.OpSetNodeStatus, fsm.SetNodeStatus{
		At: l.Clock.Now(), ID: n.ID, Status: status, By: "cluster", Seen: n.ModifyIndex,
	}); err != nil && ctx.Err() == nil {
		l.Logger.Warn("a node's status was not changed; trying again", "node", n.Name, "error", err)
		l.pause(ctx)
	}
}

// displaceNode decides, with the node held without a lease, what has surely not
// started there and what has surely ended there (rules 5, 16, 17, 19).
func (l *Leader) displaceNode(ctx context.Context, v *fsm.View, n *fsm.Node) {
	if l.judge(v, n).empty() {
		return
	}
	l.Leases.Hold(n.ID)
	// Judge again: an answer that went out before the hold counts.
	j := l.judge(l.Store.Read(), n)
	index, known := uint64(0), true
	for _, d := range []struct {
		kind  fsm.DisplaceKind
		items []fsm.AttemptRef
	}{{fsm.DisplaceMove, j.move}, {fsm.DisplaceLose, j.lose}} {
		if len(d.items) == 0 {
			continue
		}
		l.Logger.Warn("taking work from a node", "node", n.Name, "kind", d.kind, "attempts", len(d.items), "reason", j.reason)
		_, at, err := l.Proposer.Propose(ctx, fsm.OpDisplaceShards, fsm.DisplaceShards{
			At: l.Clock.Now(), Kind: d.kind, Items: d.items, Reason: j.reason,
		})
		index = max(index, at)
		known = known && !errors.Is(err, ErrUnknownFate)
	}
	l.Leases.Settle(n.ID, index, known)
}

// facts are what this leader knows of the nodes beyond the log.
func (l *Leader) facts() Facts {
	return Facts{
		ledger: l.ledger, Ready: l.ready, Load: l.Load, Latency: LatencyOf(l.Regions),
		Suspect: func(node string) bool { return l.Health(node) != HealthOK },
	}
}

// ready says which incarnation of a node work may be armed for. A node whose
// agent is known to be gone is not, although its lease has not lapsed yet.
func (l *Leader) ready(node string) (incarnation uint64, ok bool) {
	incarnation, ok = l.Leases.Ready(node)
	if note, refused := l.refusal(node); refused && incarnation <= note.Incarnation {
		return 0, false
	}
	return incarnation, ok
}

func (l *Leader) refusal(node string) (Refusal, bool) {
	if l.Refusals == nil {
		return Refusal{}, false
	}
	return l.Refusals(node)
}

// judgement is what the leader may conclude about a node's attempts.
type judgement struct {
	move, lose []fsm.AttemptRef
	reason     string
}

func (j judgement) empty() bool { return len(j.move)+len(j.lose) == 0 }

// judge sorts what a node holds: attempts that never started there, attempts
// that surely run no more or may run twice, and the rest, which must wait.
func (l *Leader) judge(v *fsm.View, n *fsm.Node) judgement {
	answered, ok := l.Leases.Contact(n.ID)
	if !ok {
		return judgement{}
	}
	mono := l.Clock.Mono()     // first: what comes between can only let less be moved
	latest := l.Clock.Latest() // the node's clock may be ahead of this one
	quiet := time.Duration(mono - answered)
	note, refused := l.refusal(n.ID)
	if quiet < l.Timing.doubt() && !refused {
		return judgement{}
	}
	j := judgement{reason: fmt.Sprintf("node %s is silent", n.Name)}
	if refused {
		j.reason = fmt.Sprintf("the agent on node %s is gone", n.Name)
	}
	instant := func(at int64) fsm.Time { return latest - fsm.Time(mono-at) }
	lapse := answered + int64(l.Timing.silence())
	for s := range v.HeldBy(n.ID) {
		run := v.Run(s.RunID)
		if run == nil || v.Spec(run) == nil {
			continue // its run is gone, and it with it by the next look
		}
		task := v.Spec(run).Task(s.Task)
		early := startableFrom(run, s).Add(-fsm.Duration(l.Timing.Skew))
		switch {
		case quiet >= l.Timing.loss(task), mayDouble(task) && quiet >= l.patience(s):
			j.lose = append(j.lose, s.Ref())
		case s.State == fsm.ShardRunning:
		case mono >= lapse && early >= instant(lapse),
			refused && s.Current.Incarnation <= note.Incarnation && early > instant(note.At):
			j.move = append(j.move, s.Ref())
		}
	}
	return j
}

// mayDouble says whether a second attempt may run beside one that may be alive. One
// that takes of a pool must not: both would be at work in it.
func mayDouble(task *fsm.Task) bool { return task.Idempotent && len(task.Pools) == 0 }

// patience is how long work that may run twice is waited for. What is known to
// run cannot start once more; what is only armed can, for as long as its node may
// believe in its lease.
func (l *Leader) patience(s *fsm.Shard) time.Duration {
	if s.State == fsm.ShardRunning {
		return l.Timing.doubt()
	}
	return l.Timing.silence()
}

// startableFrom is the earliest instant at which its node may start an attempt.
func startableFrom(run *fsm.Run, s *fsm.Shard) fsm.Time {
	if !run.Opened {
		return max(s.Current.ArmedAt, run.NotBefore)
	}
	return max(s.Current.ArmedAt, s.NotBefore)
}

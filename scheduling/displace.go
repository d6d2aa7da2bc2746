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
const displaceLooks = 5

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
		}
	}
}

// displaceNode decides, with the node held without a lease, what has surely not
// started there and what has surely ended there (rules 5, 16, 17, 19).
func (l *Leader) displaceNode(ctx context.Context, v *fsm.View, n *fsm.Node) {
	_, silent, _ := l.Leases.Silence(n.ID)
	_, refused := l.refusal(n.ID)
	if !silent && !refused {
		return
	}
	held := false
	for range v.HeldBy(n.ID) {
		held = true
		break
	}
	if !held {
		return
	}
	l.Leases.Hold(n.ID)
	// Judge only now: an answer that went out before the hold counts.
	move, lose, reason := l.judge(l.Store.Read(), n)
	index, known := uint64(0), true
	for _, d := range []struct {
		kind  fsm.DisplaceKind
		items []fsm.AttemptRef
	}{{fsm.DisplaceMove, move}, {fsm.DisplaceLose, lose}} {
		if len(d.items) == 0 {
			continue
		}
		l.Logger.Warn("taking work from a node", "node", n.Name, "kind", d.kind, "attempts", len(d.items), "reason", reason)
		_, at, err := l.Proposer.Propose(ctx, fsm.OpDisplaceShards, fsm.DisplaceShards{
			At: l.Clock.Now(), Kind: d.kind, Items: d.items, Reason: reason,
		})
		index = max(index, at)
		known = known && !errors.Is(err, ErrUnknownFate)
	}
	l.Leases.Settle(n.ID, index, known)
}

func (l *Leader) refusal(node string) (Refusal, bool) {
	if l.Refusals == nil {
		return Refusal{}, false
	}
	return l.Refusals(node)
}

// judge sorts what a node holds: attempts that never started there, attempts
// that surely run no more, and the rest, which may have started and must wait.
func (l *Leader) judge(v *fsm.View, n *fsm.Node) (move, lose []fsm.AttemptRef, reason string) {
	lapse, silent, lost := l.Leases.Silence(n.ID)
	note, refused := l.refusal(n.ID)
	now, mono := l.Clock.Now(), l.Clock.Mono()
	instant := func(at int64) fsm.Time { return now - fsm.Time(mono-at) }
	skew := fsm.Duration(l.Timing.Skew)
	reason = fmt.Sprintf("node %s is silent", n.Name)
	if refused {
		reason = fmt.Sprintf("the agent on node %s is gone", n.Name)
	}
	for s := range v.HeldBy(n.ID) {
		if lost {
			lose = append(lose, s.Ref())
			continue
		}
		due := s.Current.ArmedAt
		if run := v.Run(s.RunID); !run.Opened {
			due = max(due, run.NotBefore)
		}
		if s.State == fsm.ShardRunning {
			continue
		}
		early := due.Add(-skew)
		if (silent && early >= instant(lapse)) ||
			(refused && s.Current.Incarnation <= note.Incarnation && early > instant(note.At)) {
			move = append(move, s.Ref())
		}
	}
	return move, lose, reason
}

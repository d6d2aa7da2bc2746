package fsm

import (
	"errors"
	"testing"
)

// TestDrainLasts: what was said of a node holds through its restarts, and ends
// with the operator's next word, or with the life that it was meant for.
func TestDrainLasts(t *testing.T) {
	l := newLab(t)
	l.node("n1", 3)
	l.must(OpDrainNode, DrainNode{At: l.now, ID: "n1", Status: NodeMaintenance, By: "ann@ops", EvictAt: l.now + second})
	l.node("n1", 4)
	if n := l.view().Node("n1"); n.Status != NodeMaintenance || n.StatusSetBy != "ann@ops" || n.EvictAt != l.now+second {
		t.Errorf("after a restart: %+v", n)
	}
	l.must(OpSetNodeStatus, SetNodeStatus{At: l.now, ID: "n1", Status: NodeDraining, By: "ann@ops"})
	if n := l.view().Node("n1"); n.EvictAt != 0 {
		t.Errorf("a drain without a deadline keeps that of the last one: %+v", n)
	}
	l.must(OpDrainNode, DrainNode{At: l.now, ID: "n1", Status: NodeDraining, By: "n1", Life: 4})
	l.node("n1", 4) // it says something new of itself
	if n := l.view().Node("n1"); n.Status != NodeDraining {
		t.Errorf("the same life: %s", n.Status)
	}
	l.node("n1", 5)
	if n := l.view().Node("n1"); n.Status != NodeReady || n.StatusLife != 0 || n.EvictAt != 0 {
		t.Errorf("the next life: %+v", n)
	}
	if r := l.apply(OpDrainNode, DrainNode{At: l.now, ID: "n1", Status: NodeDraining, By: "n1", Life: 4}); !errors.Is(r.Err, ErrStale) {
		t.Errorf("drained for a life that has ended: %v", r.Err)
	}
	if n := l.view().Node("n1"); n.Status != NodeReady {
		t.Errorf("after a drain for a life that has ended: %+v", n)
	}
	for _, bad := range []NodeStatus{NodeReady, NodeDown, NodeLeft, NodeSuspect, "tired"} {
		if r := l.apply(OpDrainNode, DrainNode{At: l.now, ID: "n1", Status: bad}); !errors.Is(r.Err, ErrInvalid) {
			t.Errorf("drained by %q: %v", bad, r.Err)
		}
	}
}

// TestAStatusThatIsConcludedComesSecond: what the leader concludes of a node gives
// way to what a person has said of it in the meantime.
func TestAStatusThatIsConcludedComesSecond(t *testing.T) {
	l := newLab(t)
	l.node("n1", 1)
	seen := l.view().Node("n1").ModifyIndex
	l.must(OpSetNodeStatus, SetNodeStatus{At: l.now, ID: "n1", Status: NodeMaintenance, By: "ann"})
	down := SetNodeStatus{At: l.now, ID: "n1", Status: NodeDown, By: "cluster", Seen: seen}
	if r := l.apply(OpSetNodeStatus, down); !errors.Is(r.Err, ErrStale) {
		t.Errorf("concluded from what was before: %v", r.Err)
	}
	if n := l.view().Node("n1"); n.Status != NodeMaintenance {
		t.Errorf("it is %s", n.Status)
	}
	down.Seen = l.view().Node("n1").ModifyIndex
	l.must(OpSetNodeStatus, down)
}

// TestEviction: a running attempt that is evicted stays where it is until its node
// says that it has ended; then it starts elsewhere, or fails if its task says so.
func TestEviction(t *testing.T) {
	for _, loss := range []string{OnLossRestart, OnLossFail} {
		t.Run(loss, func(t *testing.T) {
			l := newLab(t)
			l.node("n1", 1)
			s := spec("j", 1)
			s.Tasks[0].OnNodeLoss = loss
			l.put(s)
			run := l.fired("j", on("n1"))
			evict := func() error {
				return l.one(OpEvictShards, EvictShards{l.now, []AttemptRef{l.gate(run).Ref()}})
			}
			if err := evict(); !errors.Is(err, ErrStale) {
				t.Errorf("evicting what is only armed: %v", err)
			}
			l.took(l.report(l.gate(run), ReportStarted, ""))
			l.took(evict())
			if err := evict(); !errors.Is(err, ErrStale) {
				t.Errorf("evicting it again: %v", err)
			}
			if g := l.gate(run); g.State != ShardRunning || g.Current.Node != "n1" {
				t.Fatalf("%s on %q before its end is known", g.State, g.Current.Node)
			}
			l.took(l.report(l.gate(run), ReportKilled, ""))
			g, want := l.gate(run), ShardPending
			if loss == OnLossFail {
				want = ShardFailed
			}
			if g.State != want || g.Losses != 0 {
				t.Errorf("%s (%s) with %d losses, want %s", g.State, g.Reason, g.Losses, want)
			}
		})
	}
}

package scheduling

import (
	"context"
	"testing"
	"time"

	"github.com/rota-scheduler/rota/fsm"
)

// ensemble is two nodes of which the first holds an attempt that runs and armed
// ones, due each second from now on.
type ensemble struct {
	*world
	running fsm.AttemptRef
	armed   []fsm.AttemptRef // due at 1s, 2s, ... after since
	since   fsm.Time
}

const (
	ahead = 60
	looks = 250 * time.Millisecond // how often the leader looks for silent nodes
)

func newEnsemble(w *world) *ensemble {
	e := &ensemble{world: w, since: w.now()}
	w.register("n1", 7, 1000)
	w.register("n2", 1, 1000)
	w.open("n1", "n2")
	w.heavy(1, "running")
	arm := func(ref fsm.AttemptRef) fsm.AttemptRef {
		w.apply(fsm.OpArmShards, fsm.ArmShards{At: w.now(), Placements: []fsm.Placement{{AttemptRef: ref, Node: "n1", Incarnation: 7}}})
		ref.Attempt++
		return ref
	}
	e.running = arm(w.gate("running").Ref())
	w.report("n1", fsm.Report{AttemptRef: e.running, Kind: fsm.ReportStarted})
	s := specOf("a", every(time.Second))
	w.put(s)
	for i := range ahead {
		at := e.since + fsm.Time(i+1)*1e9
		w.apply(fsm.OpDecideFires, fsm.DecideFires{At: e.since, Decisions: []fsm.FireDecision{{
			Job: s.Key(), Version: 1, Instant: at, Next: at + 1e9, Arm: &fsm.Placement{Node: "n1", Incarnation: 7},
		}}})
		e.armed = append(e.armed, w.gate(w.store.Read().Fire(s.Key(), at).RunID).Ref())
	}
	return e
}

// moved returns from which second on armed attempts have left the node; those
// before must all be there still.
func (e *ensemble) moved() int {
	e.t.Helper()
	from := ahead + 1
	for i, ref := range e.armed {
		s := e.store.Read().Shard(ref.RunID, ref.Task, 0)
		gone := s.State == fsm.ShardPending
		if gone && s.Maybe {
			e.t.Errorf("second %d was lost, not moved", i+1)
		}
		if gone && from > ahead {
			from = i + 1
		}
		if !gone && from <= ahead {
			e.t.Errorf("second %d is still there, %d is not", i+1, from)
		}
	}
	return from
}

func (e *ensemble) lost(ref fsm.AttemptRef) bool {
	s := e.store.Read().Shard(ref.RunID, ref.Task, 0)
	return s.State == fsm.ShardPending && s.Maybe
}

func TestASilentNode(t *testing.T) {
	bubble(t, func(w *world) {
		e := newEnsemble(w)
		defer w.lead(w.leader().displace, w.beating("n2"))()
		w.after(quiet - time.Millisecond)
		if n := e.moved(); n != ahead+1 {
			t.Fatalf("second %d was taken before the lease has surely lapsed", n)
		}
		w.after(looks)
		if n := e.moved(); n != 4 { // due at 4 s: the first more than S after the lapse at 3.5 s
			t.Errorf("moved from second %d on, want 4", n)
		}
		w.after(loss - quiet - 2*looks)
		if e.lost(e.running) || e.lost(e.armed[0]) {
			t.Fatal("lost before the node has surely been fenced")
		}
		w.after(2 * looks)
		if !e.lost(e.running) || !e.lost(e.armed[0]) {
			t.Error("not lost although the node has surely been fenced")
		}
		if s := e.gate("running"); s.Past[0].Outcome != fsm.AttemptLost {
			t.Errorf("%s", s.Past[0].Outcome)
		}
		if n := w.proposed(fsm.OpDisplaceShards); n > 5 {
			t.Errorf("%d proposals", n)
		}
	})
}

func TestANodeThatAnswersLosesNothing(t *testing.T) {
	bubble(t, func(w *world) {
		e := newEnsemble(w)
		defer w.lead(w.leader().displace, w.beating("n1"), w.beating("n2"))()
		w.after(2 * loss)
		if e.moved() != ahead+1 || e.lost(e.running) {
			t.Error("work was taken from a node that is well")
		}
	})
}

func TestANodeThatIsKnownDead(t *testing.T) {
	for _, tt := range []struct {
		name        string
		incarnation uint64
		after       time.Duration // from the first armed instants on to the refusal
		doubt       time.Duration // of the leader's clock
		want        int
	}{
		{"due after the refusal", 7, 2500 * time.Millisecond, 0, 3},
		{"not what is due within the skew after it", 7, 2960 * time.Millisecond, 0, 4},
		{"not what was due by a clock that is ahead", 7, 2500 * time.Millisecond, 700 * time.Millisecond, 4},
		{"not of a later life", 6, 2500 * time.Millisecond, 0, ahead + 1},
		{"of an earlier life too", 8, 2500 * time.Millisecond, 0, 3},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(w *world) {
				e := newEnsemble(w)
				w.after(tt.after)
				w.beat("n1")
				w.clock.doubt = int64(tt.doubt)
				w.refusals["n1"] = Refusal{Incarnation: tt.incarnation, At: w.mono()}
				defer w.lead(w.leader().displace, w.beating("n2"))()
				w.after(looks + time.Millisecond)
				if got := e.moved(); got != tt.want {
					t.Errorf("moved from second %d on, want %d", got, tt.want)
				}
				if e.lost(e.running) {
					t.Error("what ran is lost at once")
				}
			})
		})
	}
}

// While a decision is in flight the node gets no lease, and afterwards one that
// counts only once it has applied the decision.
func TestADecisionHoldsTheLease(t *testing.T) {
	for _, tt := range []struct {
		name string
		fate fault
		ok   bool
	}{{"taken", works, true}, {"surely not in the log", refused, true}, {"of unknown fate", unknownDropped, false}, {"of unknown fate, in the log", unknownApplied, false}} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(w *world) {
				newEnsemble(w)
				var during Grant
				w.after(quiet)
				p := &holdProbe{world: w, during: &during}
				w.fault = func(fsm.Opcode) fault { return tt.fate }
				l := w.leader()
				l.Proposer = p
				l.displaceNode(context.Background(), w.store.Read(), w.store.Read().Node("n1"))
				if during.OK {
					t.Error("a lease was granted while the decision was in flight")
				}
				g := w.beat("n1")
				if g.OK != tt.ok {
					t.Errorf("afterwards granted %+v", g)
				}
				if tt.fate == works && g.Floor < w.store.Index() {
					t.Errorf("granted from %d on, the decision is at %d", g.Floor, w.store.Index())
				}
			})
		})
	}
}

// holdProbe asks for a lease in the middle of each proposal.
type holdProbe struct {
	*world
	during *Grant
}

func (p *holdProbe) Propose(ctx context.Context, op fsm.Opcode, command any) (any, uint64, error) {
	*p.during = p.beat("n1")
	return p.world.Propose(ctx, op, command)
}

// An answer that went out before the hold counts.
func TestJudgesAfterTheHold(t *testing.T) {
	bubble(t, func(w *world) {
		e := newEnsemble(w)
		w.after(quiet)
		v := w.store.Read()
		w.beat("n1")
		w.leader().displaceNode(context.Background(), v, v.Node("n1"))
		if e.moved() != ahead+1 {
			t.Error("work was taken from a node that has just been answered")
		}
	})
}

// TestMarkGone: what becomes of a node that is silent for long depends on who has
// taken it out of use.
func TestMarkGone(t *testing.T) {
	for name, tc := range map[string]struct {
		drain *fsm.DrainNode
		want  fsm.NodeStatus
	}{
		"in use":              {nil, fsm.NodeDown},
		"drained by itself":   {&fsm.DrainNode{Status: fsm.NodeDraining, Life: 1}, fsm.NodeDown},
		"drained by a person": {&fsm.DrainNode{Status: fsm.NodeDraining}, fsm.NodeDraining},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				w.register("n1", 1, 100)
				w.register("n2", 1, 100)
				w.open("n1", "n2")
				if tc.drain != nil {
					tc.drain.ID = "n2"
					w.apply(fsm.OpDrainNode, *tc.drain)
				}
				before := w.status("n2")
				stop := w.lead(w.leader().displace, w.beating("n1"))
				defer stop()
				w.after(downAfter*w.timing.Heartbeat - time.Second)
				if got := w.status("n2"); got != before {
					t.Errorf("too early it is %s", got)
				}
				w.after(2 * time.Second)
				if got := w.status("n2"); got != tc.want {
					t.Errorf("it is %s, want %s", got, tc.want)
				}
				if got := w.status("n1"); got != fsm.NodeReady {
					t.Errorf("the other is %s", got)
				}
			})
		})
	}
}

func (w *world) status(id string) fsm.NodeStatus { return w.store.Read().Node(id).Status }

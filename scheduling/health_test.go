package scheduling

import (
	"testing"
	"time"

	"github.com/rota-scheduler/rota/fsm"
)

func TestJudgeHealth(t *testing.T) {
	timing := DefaultTiming()
	fenced := timing.loss(&fsm.Task{})
	for _, tt := range []struct {
		name    string
		quiet   time.Duration
		refused bool
		gossip  GossipStatus
		want    Health
	}{
		{"just answered", 0, false, GossipAlive, HealthOK},
		{"two heartbeats missing", 1499 * time.Millisecond, false, GossipAlive, HealthOK},
		{"three missing", 1500 * time.Millisecond, false, GossipAlive, HealthSuspect},
		{"gossip has lost it", 0, false, GossipFailed, HealthSuspect},
		{"its agent restarts", 100 * time.Millisecond, true, GossipAlive, HealthSuspect},
		{"its agent is gone", 2 * time.Second, true, GossipAlive, HealthDown},
		{"it said good-bye", 2 * time.Second, false, GossipLeft, HealthDown},
		{"it says good-bye, and beats still", 0, false, GossipLeft, HealthOK},
		{"silent", fenced - 1, false, GossipFailed, HealthSuspect},
		{"silent until it was surely fenced", fenced, false, GossipAlive, HealthDown},
	} {
		if got := judgeHealth(tt.quiet, tt.refused, tt.gossip, timing); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

// A suspect node has a lease still: it gets work only where nobody else can.
func TestSuspectsComeLast(t *testing.T) {
	c := farm(100, 100)
	c.nodes[0].suspect = true
	c.nodes[1].take(noon, 90, noon)
	for i, want := range []string{"n01", "n00"} {
		p := c.Place(&Request{Weight: 10, Start: noon, With: "n00"})
		if p == nil || p.Node != want {
			t.Fatalf("request %d: %+v, want %s", i, p, want)
		}
	}
}

// TestEvicts: only past the deadline, only what runs, and only once.
func TestEvicts(t *testing.T) {
	bubble(t, func(w *world) {
		e := newEnsemble(w)
		why := func() string {
			return w.store.Read().Shard(e.running.RunID, e.running.Task, 0).Why
		}
		w.apply(fsm.OpDrainNode, fsm.DrainNode{At: w.now(), ID: "n1", Status: fsm.NodeDraining, EvictAt: w.now() + 1e9})
		defer w.lead(w.leader().displace, w.beating("n1"), w.beating("n2"))()
		w.after(time.Second - time.Millisecond)
		if why() != "" {
			t.Fatal("evicted before the deadline")
		}
		w.after(time.Second)
		if why() != fsm.WhyDrain || w.proposed(fsm.OpEvictShards) != 1 {
			t.Errorf("running because %q after %d proposals", why(), w.proposed(fsm.OpEvictShards))
		}
	})
}

// TestLeft: a node that said good-bye is left as soon as it surely starts nothing
// any more, whatever an operator had said of it.
func TestLeft(t *testing.T) {
	bubble(t, func(w *world) {
		w.register("n1", 1, 100)
		w.register("n2", 1, 100)
		w.open("n1", "n2")
		w.apply(fsm.OpSetNodeStatus, fsm.SetNodeStatus{ID: "n1", Status: fsm.NodeDraining})
		l := w.leader()
		l.Gossip = func(id string) GossipStatus {
			if id == "n1" {
				return GossipLeft
			}
			return GossipAlive
		}
		defer w.lead(l.displace, w.beating("n2"))()
		w.after(quiet - time.Millisecond)
		if s := w.store.Read().Node("n1").Status; s != fsm.NodeDraining {
			t.Errorf("%s while it may have a lease", s)
		}
		w.after(looks)
		if s := w.store.Read().Node("n1").Status; s != fsm.NodeLeft {
			t.Errorf("%s after its lease", s)
		}
		if s := w.store.Read().Node("n2").Status; s != fsm.NodeReady {
			t.Errorf("the other one is %s", s)
		}
	})
}

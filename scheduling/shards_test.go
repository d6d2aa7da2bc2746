package scheduling

import (
	"testing"
	"time"

	"github.com/rota-scheduler/rota/fsm"
)

func (w *world) shards(run string) map[fsm.ShardState]int {
	counts := map[fsm.ShardState]int{}
	for s := range w.store.Read().Shards(run) {
		counts[s.State]++
	}
	return counts
}

func (w *world) sharded(name string, shards fsm.Shards, weight int) {
	s := specOf(name)
	s.Tasks[0].Shards, s.Tasks[0].Weight = &shards, weight
	w.put(s)
	w.apply(fsm.OpStartRun, fsm.StartRun{At: w.now(), ID: name + "-1", Job: s.Key()})
}

// TestShardsFillTheCluster: as many shards are armed as there is room for, and
// smaller work still finds what is left.
func TestShardsFillTheCluster(t *testing.T) {
	bubble(t, func(w *world) {
		w.register("n1", 1, 95)
		w.register("n2", 1, 95)
		w.open("n1", "n2")
		defer w.lead(w.leader().place, w.beating("n1"), w.beating("n2"))()
		w.sharded("big", fsm.Shards{Count: 500}, 10)
		w.after(time.Second)
		if got := w.shards("big-1"); got[fsm.ShardArmed] != 18 || got[fsm.ShardPending] != 482 {
			t.Errorf("%v", got)
		}
		w.sharded("small", fsm.Shards{Count: 20}, 1)
		w.after(time.Second)
		if got := w.shards("small-1"); got[fsm.ShardArmed] != 10 {
			t.Errorf("of the small ones: %v", got)
		}
	})
}

// TestBoundShards: a shard waits for its own node, and no longer than that can
// come back.
func TestBoundShards(t *testing.T) {
	bubble(t, func(w *world) {
		w.register("n1", 1, 100)
		w.register("n2", 1, 100)
		w.open("n1")
		defer w.lead(w.leader().place, w.beating("n1"))()
		w.sharded("each", fsm.Shards{PerNode: true}, 1)
		w.after(10 * time.Second)
		for i, want := range []fsm.ShardState{fsm.ShardArmed, fsm.ShardPending} {
			if s := w.store.Read().Shard("each-1", "main", i); s.State != want || (i == 0) != (s.Current.Node == "n1") {
				t.Errorf("shard %d: %+v", i, s)
			}
		}
		if n := w.proposed(fsm.OpArmShards); n != 1 {
			t.Errorf("%d proposals while one node is away", n)
		}
		w.apply(fsm.OpSetNodeStatus, fsm.SetNodeStatus{At: w.now(), ID: "n2", Status: fsm.NodeLeft, By: "test"})
		w.after(2 * time.Second)
		if s := w.store.Read().Shard("each-1", "main", 1); s.State != fsm.ShardFailed || s.Reason == "" {
			t.Errorf("the shard of a node that left: %+v", s)
		}
	})
}

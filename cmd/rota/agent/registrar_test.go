package agent

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/hashicorp/raft"

	"github.com/rota-scheduler/rota/fsm"
)

// desk is a registrar over a log in memory.
type desk struct {
	*registrar
	store  *fsm.Store
	index  uint64
	tries  atomic.Int32
	refuse atomic.Bool
}

func atDesk(t *testing.T, test func(t *testing.T, d *desk)) {
	synctest.Test(t, func(t *testing.T) {
		d := &desk{store: fsm.NewStore(func(err error) { t.Error(err) })}
		d.registrar = newRegistrar(d.store, func() fsm.Time { return 1 }, slog.New(slog.DiscardHandler), &proposer{})
		d.propose = func(_ context.Context, op fsm.Opcode, command any) (any, uint64, error) {
			d.tries.Add(1)
			if d.refuse.Load() {
				return nil, 0, errors.New("no leader")
			}
			d.index++
			res := d.store.Apply(&raft.Log{Index: d.index, Type: raft.LogCommand, Data: fsm.Encode(op, command)}).(fsm.Result)
			return res.Value, d.index, res.Err
		}
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan struct{})
		go func() {
			defer close(done)
			if err := d.run(ctx); err != nil {
				t.Error(err)
			}
		}()
		test(t, d)
		cancel()
		<-done
	})
}

func TestANodeIsRegisteredOnceForEachChange(t *testing.T) {
	atDesk(t, func(t *testing.T, d *desk) {
		n := fsm.Node{ID: "id", Name: "n1", Incarnation: 1, Capacity: 100, Status: fsm.NodeReady}
		want := int32(0)
		for name, change := range map[string]func(){
			"incarnation": func() { n.Incarnation++ },
			"address":     func() { n.HTTPAddr += "1" },
			"capacity":    func() { n.Capacity++ },
			"os":          func() { n.OS = "plan9" },
			"arch":        func() { n.Arch = "arm64" },
			"labels":      func() { n.Labels = map[string]string{"a": "b"} },
			"region":      func() { n.Region += "r" },
		} {
			change()
			want++
			for range 3 {
				d.see(n)
				synctest.Wait()
			}
			if got := d.tries.Load(); got != want {
				t.Fatalf("%s: %d registrations, want %d", name, got, want)
			}
		}
	})
}

func TestWhatTheClusterSaidOfANodeEndsWhenItIsHeardOf(t *testing.T) {
	atDesk(t, func(t *testing.T, d *desk) {
		n := fsm.Node{ID: "id", Name: "n1", Incarnation: 1, Capacity: 100, Status: fsm.NodeReady}
		for status, want := range map[fsm.NodeStatus]fsm.NodeStatus{
			fsm.NodeLeft: fsm.NodeReady, fsm.NodeDown: fsm.NodeReady,
			fsm.NodeDraining: fsm.NodeDraining, fsm.NodeMaintenance: fsm.NodeMaintenance,
		} {
			d.see(n)
			synctest.Wait()
			if _, _, err := d.propose(context.Background(), fsm.OpSetNodeStatus, fsm.SetNodeStatus{ID: n.ID, Status: status}); err != nil {
				t.Fatal(err)
			}
			d.see(n)
			synctest.Wait()
			if got := d.store.Read().Node(n.ID).Status; got != want {
				t.Errorf("%s became %s, want %s", status, got, want)
			}
			_, _, _ = d.propose(context.Background(), fsm.OpSetNodeStatus, fsm.SetNodeStatus{ID: n.ID, Status: fsm.NodeReady})
		}
	})
}

func TestARegistrationThatFailsIsTriedAgain(t *testing.T) {
	atDesk(t, func(t *testing.T, d *desk) {
		n := fsm.Node{ID: "id", Name: "n1", Incarnation: 1, Capacity: 100}
		d.refuse.Store(true)
		d.see(n)
		synctest.Wait()
		d.refuse.Store(false)
		d.see(n)
		synctest.Wait()
		if d.store.Read().Node("id") == nil || d.tries.Load() != 2 {
			t.Errorf("%d tries", d.tries.Load())
		}
		if len(d.queued) != 0 {
			t.Errorf("%d nodes are still queued", len(d.queued))
		}
	})
}

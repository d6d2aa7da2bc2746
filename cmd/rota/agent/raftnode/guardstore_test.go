package raftnode

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"
)

func TestDivergedSnapshot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nodes := simCluster(t, 1)
		n := simLeader(t, nodes)
		for i := range 5 {
			if _, err := n.Apply(t.Context(), fmt.Append(nil, i)); err != nil {
				t.Fatal(err)
			}
		}
		last, _ := n.store.LastIndex()
		snaps := raft.NewInmemSnapshotStore()
		gs := &guardedSnapshots{SnapshotStore: snaps, guard: n.guard, log: &guardedLog{n.store, n.guard}, cache: &guardedLog{n.store, n.guard}}
		conf := n.Raft().GetConfiguration().Configuration()

		sink, err := gs.Create(1, last-1, 1000, conf, 1, n.trans)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := sink.Write([]byte(`["from the snapshot"]`)); err != nil {
			t.Fatal(err)
		}
		if err := sink.Close(); !errors.Is(err, ErrDivergedLog) {
			t.Errorf("close: %v", err)
		}
		if err := <-n.fatals; !errors.Is(err, ErrDivergedLog) {
			t.Errorf("fatal: %v", err)
		}
		simShutdown(t, nodes)

		// The restart drops the log.
		_, n.trans = raft.NewInmemTransport("n0")
		n.open(t, "n0", snaps)
		if got, _ := n.store.LastIndex(); got != 0 {
			t.Errorf("log still ends at %d", got)
		}
		if got := n.fsm.list(); len(got) != 1 {
			t.Errorf("state is %v", got)
		}
		simShutdown(t, nodes)
	})
}

func TestDeleteRangeLeavesNoHole(t *testing.T) {
	tests := map[string]struct{ low, high, wantFirst, wantLast uint64 }{
		"prefix":     {0, 1200, 1201, 2000},
		"suffix":     {701, 2000, 1, 700},
		"past end":   {1999, 9999, 1, 1998},
		"all":        {0, ^uint64(0), 0, 0},
		"before all": {0, 0, 1, 2000},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			store := &stepLog{InmemStore: raft.NewInmemStore()}
			g := newGuard(time.Hour, testLogger(t), func(error) {})
			log := &guardedLog{store, g}
			for i := uint64(1); i <= 2000; i++ {
				if err := log.StoreLog(&raft.Log{Index: i, Term: 1}); err != nil {
					t.Fatal(err)
				}
			}
			store.check = func() {
				first, _ := store.FirstIndex()
				last, _ := store.LastIndex()
				var l raft.Log
				for i := first; i <= last && last > 0; i++ {
					if err := store.GetLog(i, &l); err != nil {
						t.Fatalf("entry %d of %d to %d is missing in between", i, first, last)
					}
				}
			}
			if err := log.DeleteRange(tt.low, tt.high); err != nil {
				t.Fatal(err)
			}
			first, _ := store.FirstIndex()
			last, _ := store.LastIndex()
			if first != tt.wantFirst || last != tt.wantLast {
				t.Errorf("log is %d to %d, want %d to %d", first, last, tt.wantFirst, tt.wantLast)
			}
		})
	}
}

// stepLog looks at the log after every step of a deletion.
type stepLog struct {
	*raft.InmemStore
	check func()
}

func (s *stepLog) DeleteRange(low, high uint64) error {
	if high-low >= deleteChunk {
		return fmt.Errorf("deletes %d entries at once", high-low+1)
	}
	err := s.InmemStore.DeleteRange(low, high)
	s.check()
	return err
}

package agent

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/hashicorp/raft"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/membership"
)

func TestCommonFormat(t *testing.T) {
	servers := func(ids ...string) (all []raft.Server) {
		for i, id := range ids {
			s := raft.Server{ID: raft.ServerID(id)}
			if i > 0 {
				s.Suffrage = raft.Nonvoter
			}
			all = append(all, s)
		}
		return all
	}
	member := func(id string, status membership.Status, format int) membership.Member {
		return membership.Member{ID: id, Name: id, Status: status, Attributes: membership.Attributes{FormatVersion: format}}
	}
	alive, failed, left := membership.StatusAlive, membership.StatusFailed, membership.StatusLeft
	rows := map[string]*fsm.Node{"row": {ID: "row", Name: "row", Format: 2}}
	for name, tt := range map[string]struct {
		servers []raft.Server
		members []membership.Member
		known   int
		older   []string
	}{
		"all know it":           {servers("a", "b"), []membership.Member{member("a", alive, 2), member("b", alive, 3)}, 2, nil},
		"a non-voter does not":  {servers("a", "b"), []membership.Member{member("a", alive, 2), member("b", alive, 1)}, 1, []string{"b"}},
		"one that joins":        {servers("a"), []membership.Member{member("a", alive, 2), member("b", alive, 1)}, 1, []string{"b"}},
		"one out of reach":      {servers("a", "b"), []membership.Member{member("a", alive, 2), member("b", failed, 1)}, 1, []string{"b"}},
		"one that left":         {servers("a", "b"), []membership.Member{member("a", alive, 2), member("b", left, 1)}, 2, nil},
		"one that failed, gone": {servers("a"), []membership.Member{member("a", alive, 2), member("b", failed, 1)}, 2, nil},
		"known by its row":      {servers("a", "row"), []membership.Member{member("a", alive, 2)}, 2, nil},
		"nobody remembers it":   {servers("a", "ghost"), []membership.Member{member("a", alive, 2)}, 0, []string{"ghost"}},
		"announces none at all": {servers("a", "b"), []membership.Member{member("a", alive, 2), member("b", alive, 0)}, 0, []string{"b"}},
	} {
		known, older := commonFormat(tt.servers, tt.members, func(id string) *fsm.Node { return rows[id] }, 2)
		if known != tt.known || !slices.Equal(older, tt.older) {
			t.Errorf("%s: format %d, older %v; want %d, %v", name, known, older, tt.known, tt.older)
		}
	}
}

// TestNewerCommandsWaitForTheFormat: nothing of it is written before.
func TestNewerCommandsWaitForTheFormat(t *testing.T) {
	onBench(t, func(t *testing.T, b *bench) {
		ctx := context.Background()
		const newer = fsm.OpRetryRun + 1
		if a := <-b.propose(ctx, newer, struct{}{}); !errors.Is(a.err, fsm.ErrFormat) || b.written() != 0 {
			t.Fatalf("%+v, %d entries written", a, b.written())
		}
		raised := b.propose(ctx, fsm.OpRaiseFormat, fsm.RaiseFormat{Format: fsm.Format})
		b.release <- nil
		if a := <-raised; a.err != nil {
			t.Fatal(a.err)
		}
		if err := b.allowed(newer); err != nil {
			t.Error(err)
		}
		if err := b.allowed(10_000); !errors.Is(err, fsm.ErrFormat) {
			t.Errorf("an opcode that nobody knows: %v", err)
		}
	})
}

package agent

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"

	"github.com/rota-scheduler/rota/membership"
	"github.com/rota-scheduler/rota/scheduling"
	"github.com/rota-scheduler/rota/transport"
)

// source is a membership that the test changes.
type source struct {
	members []membership.Member
	changed chan struct{}
}

func (s *source) Watch() ([]membership.Member, <-chan struct{}) { return s.members, s.changed }
func (s *source) set(members ...membership.Member) {
	old := s.changed
	s.members, s.changed = members, make(chan struct{})
	close(old)
	synctest.Wait()
}

func TestPeersKeepNotes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &source{changed: make(chan struct{})}
		events := map[string]chan transport.PeerEvent{}
		made := make(chan string, 8)
		watch := func(ctx context.Context, _, addr string) <-chan transport.PeerEvent {
			out := make(chan transport.PeerEvent)
			in := events[addr]
			go func() {
				defer close(out)
				for {
					select {
					case <-ctx.Done():
						return
					case ev := <-in:
						out <- ev
					}
				}
			}()
			made <- addr
			return out
		}
		p := &peers{self: "self", members: src, watch: watch, logger: slog.New(slog.DiscardHandler), notes: map[string]scheduling.Refusal{}}
		for _, addr := range []string{"a:1", "a:2", "b:1"} {
			events[addr] = make(chan transport.PeerEvent)
		}
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan struct{})
		go func() { defer close(done); _ = p.run(ctx) }()
		synctest.Wait()
		a := membership.Member{ID: "a", Attributes: membership.Attributes{HTTPAddr: "a:1"}, Status: membership.StatusAlive}
		me := membership.Member{ID: "self", Attributes: membership.Attributes{HTTPAddr: "s:1"}, Status: membership.StatusAlive}
		src.set(me, a)
		want := func(incarnation uint64) {
			t.Helper()
			synctest.Wait()
			r, ok := p.refusal("a")
			if ok != (incarnation != 0) || r.Incarnation != incarnation {
				t.Errorf("noted %+v (%v), want incarnation %d", r, ok, incarnation)
			}
		}
		events["a:1"] <- transport.PeerEvent{Kind: transport.PeerConnected, Incarnation: 3}
		want(0)
		events["a:1"] <- transport.PeerEvent{Kind: transport.PeerRefused, At: 7} // of nobody knows whom
		want(0)
		events["a:1"] <- transport.PeerEvent{Kind: transport.PeerRefused, Incarnation: 3, At: 8}
		want(3)
		events["a:1"] <- transport.PeerEvent{Kind: transport.PeerConnected, Incarnation: 4}
		want(0)
		events["a:1"] <- transport.PeerEvent{Kind: transport.PeerRefused, Incarnation: 4, At: 9}
		want(4)
		a.HTTPAddr = "a:2"
		src.set(me, a)
		want(4) // the note is of the life that is over, wherever the next one is
		a.Status = membership.StatusLeft
		src.set(me, a)
		want(4)
		src.set(me)
		want(0)
		cancel()
		<-done
		if n := len(made); n != 2 {
			t.Errorf("%d watches, want 2: none of itself, one for each address", n)
		}
	})
}

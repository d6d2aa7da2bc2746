package agent

import (
	"context"
	"log/slog"
	"sync"

	"github.com/rota-scheduler/rota/membership"
	"github.com/rota-scheduler/rota/scheduling"
	"github.com/rota-scheduler/rota/transport"
)

// peers watches every other node through a connection of its own, and notes when
// one is gone although its host answers (rule 17). Every node does so, so that
// whichever leads next has the notes already.
type peers struct {
	self    string
	members membership.MemberSource
	watch   func(ctx context.Context, id, addr string) <-chan transport.PeerEvent
	logger  *slog.Logger

	mu    sync.Mutex
	notes map[string]scheduling.Refusal
}

// refusal returns what is noted of a node.
func (p *peers) refusal(node string) (scheduling.Refusal, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	r, ok := p.notes[node]
	return r, ok
}

// watcher is one peer's goroutine.
type watcher struct {
	addr   string
	cancel context.CancelFunc
}

// run follows the membership until ctx ends and every watcher has stopped.
func (p *peers) run(ctx context.Context) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	watchers := map[string]watcher{}
	for {
		members, changed := p.members.Watch()
		seen := map[string]bool{}
		for _, m := range members {
			if m.ID == p.self {
				continue
			}
			// A member that left or was replaced is watched on: what it may have
			// started is still to be judged.
			seen[m.ID] = true
			w, ok := watchers[m.ID]
			if ok && w.addr == m.HTTPAddr {
				continue
			}
			if ok {
				w.cancel()
			}
			wctx, cancel := context.WithCancel(ctx)
			watchers[m.ID] = watcher{m.HTTPAddr, cancel}
			wg.Go(func() { p.follow(wctx, m.ID, m.HTTPAddr) })
		}
		for id, w := range watchers {
			if !seen[id] {
				w.cancel()
				delete(watchers, id)
				p.forget(id)
			}
		}
		select {
		case <-ctx.Done():
			for _, w := range watchers {
				w.cancel()
			}
			return nil
		case <-changed:
		}
	}
}

// follow turns one peer's events into its note.
func (p *peers) follow(ctx context.Context, id, addr string) {
	for ev := range p.watch(ctx, id, addr) {
		p.mu.Lock()
		switch ev.Kind {
		case transport.PeerConnected:
			delete(p.notes, id)
		case transport.PeerRefused:
			if ev.Incarnation != 0 {
				p.notes[id] = scheduling.Refusal{Incarnation: ev.Incarnation, At: ev.At}
			}
		}
		p.mu.Unlock()
		p.logger.Debug("peer", "id", id, "addr", addr, "event", ev.Kind, "incarnation", ev.Incarnation)
	}
}

// forget drops the note on a node that is a member no longer.
func (p *peers) forget(id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.notes, id)
}

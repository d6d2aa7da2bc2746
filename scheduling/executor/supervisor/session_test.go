package supervisor

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rota-scheduler/rota/scheduling/executor/proc"
)

// TestStartStorm: 2,000 starts at once, and nothing is left of them.
func TestStartStorm(t *testing.T) {
	p := newPair(t, time.Hour)
	ctx := t.Context()
	before := openFDs(t)
	const n = 2000
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			req := proc.StartRequest{ID: fmt.Sprint(i), Argv: []string{"/bin/true"}}
			err := p.Start(ctx, req)
			for errors.Is(err, proc.ErrExhausted) {
				err = p.Start(ctx, req)
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	seen := map[string]bool{}
	for range n {
		r := p.result()
		if seen[r.ID] || r.Outcome != proc.Succeeded {
			t.Fatalf("result %+v, seen %v", r, seen[r.ID])
		}
		seen[r.ID] = true
	}
	wg.Wait()
	list, err := p.List(ctx)
	if err != nil || len(list) != n {
		t.Fatalf("%d listed, %v", len(list), err)
	}
	var ids []string
	for _, st := range list {
		ids = append(ids, st.ID)
	}
	if err := p.Forget(ctx, ids...); err != nil {
		t.Fatal(err)
	}
	if after := openFDs(t); after > before {
		t.Errorf("%d file descriptors, %d before", after, before)
	}
}

// TestListInParts: a list of any length arrives whole.
func TestListInParts(t *testing.T) {
	p := newPair(t, time.Hour)
	note := make([]byte, 40<<10)
	const n = 25
	for i := range n {
		if err := p.Decline(t.Context(), fmt.Sprintf("%03d", i), note); err != nil {
			t.Fatal(err)
		}
	}
	list, err := p.List(t.Context())
	if err != nil || len(list) != n || len(list[n-1].Note) != len(note) {
		t.Fatalf("%d listed, %v", len(list), err)
	}
}

// TestSlowReader: an agent that reads nothing holds up no job and no other
// memory than the bounds; when it reads again it hears of everything.
func TestSlowReader(t *testing.T) {
	p := newPair(t, time.Hour)
	gate := make(chan struct{})
	var mu sync.Mutex
	heard := map[string]bool{}
	p.Deliver(func(r proc.Result) {
		<-gate
		mu.Lock()
		defer mu.Unlock()
		heard[r.ID] = true
	})
	noise := []byte(strings.Repeat("x", proc.TailBytes))
	full := func() bool {
		p.session.mu.Lock()
		defer p.session.mu.Unlock()
		return p.session.notices == maxNotices
	}
	for i := 0; !full(); i++ { // some of these fill the socket
		p.session.ended(proc.Result{ID: fmt.Sprint("noise", i), Tail: noise})
	}
	// The attempts are started at the Manager itself: the answers to an agent's
	// own starts would not be read either.
	const n = 20
	for i := range n {
		if err := p.manager.Start(t.Context(), proc.StartRequest{ID: fmt.Sprint(i), Argv: []string{"/bin/true"}}); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "every job has ended", func() bool {
		list, _ := p.manager.List(t.Context())
		for _, st := range list {
			if st.State != proc.Ended {
				return false
			}
		}
		return len(list) == n
	})
	p.session.mu.Lock()
	missed := p.session.missed
	p.session.mu.Unlock()
	if !missed || !full() {
		t.Errorf("missed %v, full %v", missed, full())
	}
	close(gate)
	eventually(t, "it hears of all", func() bool {
		mu.Lock()
		defer mu.Unlock()
		for i := range n {
			if !heard[fmt.Sprint(i)] {
				return false
			}
		}
		return true
	})
}

// gatedJobs holds every start at a gate, and counts them.
type gatedJobs struct {
	jobs
	begun atomic.Int64
	gate  chan struct{}
}

func (g *gatedJobs) Launch(ctx context.Context, _ proc.StartRequest, done func(error)) {
	g.begun.Add(1)
	select {
	case <-g.gate:
		done(nil)
	case <-ctx.Done():
		done(ctx.Err())
	}
}

// TestUnreadIsThrownAway: when a session has ended everything that it was
// handling is done, and nothing that nobody had read is ever handled.
func TestUnreadIsThrownAway(t *testing.T) {
	ours, conn := sockets(t)
	g := &gatedJobs{gate: make(chan struct{})}
	s := &session{conn: ours, jobs: g, log: testLog(t), onReady: func() {}, onEnding: func() {}}
	s.begin()
	frame, err := encodeFrame(request{ID: 1, Op: opStart, Start: &proc.StartRequest{ID: "a", Argv: []string{"x"}}}, maxRequest)
	if err != nil {
		t.Fatal(err)
	}
	for range maxHandled + 100 {
		if _, err := conn.Write(frame); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "as many are handled as may be", func() bool { return g.begun.Load() == maxHandled })
	conn.Close() // as the end of its process does
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.end()
	}()
	select {
	case <-ended:
		t.Error("it has ended while starts are under way")
	case <-time.After(drainPatience / 10): // long enough to see it, if it were so
	}
	close(g.gate)
	<-ended
	if n := g.begun.Load(); n != maxHandled {
		t.Errorf("%d starts were handled, %d were read", n, maxHandled)
	}
}

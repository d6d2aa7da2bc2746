package proc

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// A program that ends by itself while it is being killed ends once, and leaves neither a
// process nor a descriptor.
func TestKillBesideTheEnd(t *testing.T) {
	bothWays(t, testKillBesideTheEnd)
}

func testKillBesideTheEnd(t *testing.T, h *harness) {
	const n, together = 20, 4
	before := openFDs(t)
	for i := range n {
		var wg sync.WaitGroup
		for j := range together {
			id := fmt.Sprint(i, "-", j)
			wg.Go(func() {
				h.start(StartRequest{ID: id, Argv: []string{"/bin/true"}})
				if err := h.Kill(ctx, id, ReasonCancelled); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		for range together {
			r := h.result()
			byItself := r.Outcome == Succeeded && r.Reason == "" && r.ExitCode == 0
			killed := r.Outcome == Cancelled && r.Reason == ReasonCancelled
			if !byItself && !killed {
				t.Fatalf("result %+v, want succeeded or cancelled", r)
			}
			if err := h.Forget(ctx, r.ID); err != nil {
				t.Fatal(err)
			}
		}
	}
	if len(h.results) > 0 {
		t.Errorf("%d results too many", len(h.results))
	}
	eventually(t, "no descriptor is left", func() bool { return openFDs(t) <= before })
	h.ends.watch.mu.Lock()
	defer h.ends.watch.mu.Unlock()
	if left := len(h.ends.watch.then); left > 0 {
		t.Errorf("%d ends are still waited for", left)
	}
}

// exited says whether the main process of an attempt is over, told or not.
func (h *harness) exited(id string) bool {
	a := h.attempts[id]
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.exited || a.state == Ended || hasExited(a.pidfd)
}

// What ended before it was to be killed has ended by itself, however late that is seen.
func TestEndedBeforeItsTimeout(t *testing.T) {
	h := newHarness(t, Options{})
	h.start(StartRequest{ID: "first", Argv: []string{"/bin/sleep", "0.1"}})
	h.start(StartRequest{ID: "second", Argv: []string{"/bin/sleep", "0.3"}})
	h.journal.mu.Lock() // a disk that takes its time over the end of the first
	for _, id := range []string{"first", "second"} {
		eventually(t, id+" is over", func() bool { return h.exited(id) })
	}
	h.attempts["second"].kill(ReasonTimeout)
	h.journal.mu.Unlock()
	for range 2 {
		if r := h.result(); r.Outcome != Succeeded || r.Reason != "" {
			t.Errorf("result %+v", r)
		}
	}
}

// A pidfd may be readable while nobody but a tracer can take the end. The goroutine of
// all ends would wait there, so such an attempt gets one of its own.
func TestAnEndThatCannotBeTaken(t *testing.T) {
	h := newHarness(t, Options{})
	req := shell("a", "while [ ! -e over ]; do sleep 0.01; done")
	req.Dir = t.TempDir()
	h.start(req)
	a := h.attempts["a"]
	h.ends.note(a)
	a.mu.Lock()
	taken, owned := a.exited, a.own == nil
	a.mu.Unlock()
	if taken || !owned {
		t.Errorf("taken for over: %v, has a goroutine: %v", taken, owned)
	}
	if err := os.WriteFile(filepath.Join(req.Dir, "over"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if r := h.result(); r.Outcome != Succeeded {
		t.Errorf("result %+v", r)
	}
}

// A pipe tells of output that nobody has taken yet: it is stored by whoever may wait.
func TestPrinted(t *testing.T) {
	p, err := newPipe(nil, &streamFiles{name: "stdout"})
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	if p.printed() {
		t.Error("nothing was printed")
	}
	if _, err := unix.Write(p.w, []byte("x")); err != nil {
		t.Fatal(err)
	}
	if !p.printed() {
		t.Error("what is in the pipe was not seen")
	}
}

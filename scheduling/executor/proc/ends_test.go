package proc

import (
	"fmt"
	"sync"
	"testing"
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

package proc

import (
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// Whoever asks while a look is under way gets the next one, and shares it.
func TestLookIsShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const askers = 100
		s := newSharedLook()
		var looks atomic.Int32
		take := func() *census {
			looks.Add(1)
			time.Sleep(time.Second)
			return &census{pids: map[int]procStat{int(looks.Load()): {}}}
		}
		var all sync.WaitGroup
		ask := func(want int) {
			all.Go(func() {
				asked := time.Now()
				c := s.get(take)
				if _, right := c.pids[want]; !right {
					t.Errorf("asked at %s, got %v, want look %d", asked.Format("05.000"), c.pids, want)
				}
			})
		}
		ask(1)
		time.Sleep(time.Second / 2)
		for range askers {
			ask(2)
		}
		all.Wait()
		if n := looks.Load(); n != 2 {
			t.Errorf("%d looks for %d who asked, want 2", n, askers+1)
		}
	})
}

// One look does not follow another at once, however many ask.
func TestLooksRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSharedLook()
		const took = 10 * time.Millisecond
		busy := time.Duration(0)
		take := func() *census {
			time.Sleep(took)
			busy += took
			return &census{}
		}
		began := time.Now()
		for time.Since(began) < time.Second {
			s.get(take)
		}
		if passed := time.Since(began); busy > passed/(lookRest+1)+took {
			t.Errorf("looked for %s of %s", busy, passed)
		}
	})
}

// An orphan that has shown its mark stays its attempt's, whatever it erases later.
func TestMarkIsRemembered(t *testing.T) {
	h := newHarness(t, Options{})
	gate := t.TempDir() + "/gate"
	h.start(shell("a", `(setsid sh -c 'while [ ! -e `+gate+` ]; do sleep 0.01; done; exec env -i sleep 300' &); exec sleep 300`))
	k := kin{mark: h.mark("a")}
	eventually(t, "it is seen", func() bool { yes, _ := h.orphans.left(&k); return yes })
	if err := os.WriteFile(gate, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it has erased its environment", func() bool {
		for _, p := range ownChildren(t) {
			if mark, blank := markerOf(p.pid, make([]byte, maxEnvironBytes)); p.pid != h.pid("a") && mark == "" && blank {
				return true
			}
		}
		return false
	})
	if yes, _ := h.orphans.left(&k); !yes {
		t.Error("it is nobody's")
	}
}

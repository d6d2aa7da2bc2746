package agent

import (
	"runtime"
	"runtime/debug"
	"testing"
	"time"
)

func TestGarbagePercent(t *testing.T) {
	const mib = 1 << 20
	for name, c := range map[string]struct {
		live, allocated uint64
		within          time.Duration
		want            int
	}{
		"idle":               {30 * mib, 10 * mib, 2 * time.Minute, gcPercent},
		"busy":               {40 * mib, 25 * mib, 500 * time.Millisecond, 250},
		"very busy":          {64 * mib, 90 * mib, 90 * time.Millisecond, 200},
		"busy with much":     {400 * mib, 280 * mib, 600 * time.Millisecond, gcPercent},
		"no time has passed": {32 * mib, mib, 0, 400},
		"nothing live yet":   {0, 0, time.Second, gcPercent},
	} {
		if got := percent(c.live, c.allocated, c.within); got != c.want {
			t.Errorf("%s: %d%%, want %d%%", name, got, c.want)
		}
	}
}

// TestGarbageIsTended: each collection is noticed, until the agent ends.
func TestGarbageIsTended(t *testing.T) {
	t.Setenv("GOGC", "")
	defer debug.SetGCPercent(debug.SetGCPercent(100))
	release := tendGarbage()
	noticed := func() bool { // by the percentage, which only a collection puts back
		debug.SetGCPercent(99)
		deadline := time.Now().Add(5 * time.Second)
		for time.Now().Before(deadline) {
			runtime.GC()
			if now := debug.SetGCPercent(99); now != 99 {
				return true
			}
		}
		return false
	}
	for range 3 {
		if !noticed() {
			t.Fatal("a collection was not noticed")
		}
	}
	release()
}

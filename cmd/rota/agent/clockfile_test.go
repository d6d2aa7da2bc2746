package agent

import (
	"log/slog"
	"testing"
	"time"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/scheduling"
)

// TestAFarNodeKeepsItsTimeOverARestart: a node heard one quick answer, and slow ones
// since, while cluster time moved against its clocks. A restart of its agent must not
// take it back to what it had after the quick one.
func TestAFarNodeKeepsItsTimeOverARestart(t *testing.T) {
	wall, mono, ahead := int64(1_700_000_000e9), int64(1e12), int64(0) // ahead: the leader's time
	dir := t.TempDir()
	start := func() *Agent {
		a := &Agent{logger: slog.New(slog.DiscardHandler)}
		a.clock = scheduling.NewClock(func() time.Time { return time.Unix(0, wall) }, func() int64 { return mono })
		a.cfg.DataDir = dir
		a.restoreClock()
		return a
	}
	pass := func(d time.Duration) { wall, mono = wall+int64(d), mono+int64(d) }
	beats := func(a *Agent, n int, rtt time.Duration) {
		for range n {
			pass(500*time.Millisecond - rtt)
			leader, sent := fsm.Time(wall+ahead), mono
			pass(rtt)
			a.clock.Sample(leader, sent, mono)
			a.saveClock()
		}
	}
	a := start()
	beats(a, 1, 90*time.Millisecond)
	for range 100 {
		beats(a, 16, 150*time.Millisecond)
		ahead -= int64(4 * time.Millisecond)
	}
	pass(time.Minute)
	beats(a, 1, 150*time.Millisecond)
	b := start()
	if before, after := a.clock.Now(), b.clock.Now(); before != after {
		t.Errorf("before the restart it is %s, after it %s", before, after)
	}
	beats(b, 60, 150*time.Millisecond)
	if early := time.Duration(b.clock.Now() - fsm.Time(wall+ahead)); early > 50*time.Millisecond {
		t.Errorf("it is %s ahead of the leader", early)
	}
}

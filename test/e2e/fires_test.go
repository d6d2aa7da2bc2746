package e2e

import (
	"testing"
	"time"

	"github.com/rota-scheduler/rota/test/cluster"
)

// TestEverySecond: three agents with one set of ports, which name themselves in
// --join, run 20 jobs every second. Each instant runs exactly once.
func TestEverySecond(t *testing.T) {
	c := cluster.Start(t, cluster.Options{})
	l := startLoad(t, c, 20)
	runFor := time.Minute
	if testing.Short() {
		runFor = 15 * time.Second
	}
	cluster.Until(t, time.Now().Add(runFor))
	v := l.verifyAllRan()
	if want := 20 * int(runFor/time.Second); v.Due < want {
		t.Errorf("%d fires were due in %s, want at least %d", v.Due, runFor, want)
	}
}

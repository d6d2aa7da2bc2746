package chaos

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/rota-scheduler/rota/test/cluster"
)

// freezing is what is stopped and continued.
type freezing struct {
	what         string
	freeze, thaw func(*cluster.Node)
}

var (
	anAgent = freezing{"agent", (*cluster.Node).PauseAgent, (*cluster.Node).ContinueAgent}
	aTree   = freezing{"tree", (*cluster.Node).FreezeTree, (*cluster.Node).ThawTree}
	short   = []time.Duration{200 * time.Millisecond, time.Second}
	long    = []time.Duration{30 * time.Second}
)

func freezeAgent(t *testing.T, r *rand.Rand)     { freeze(t, r, anAgent, short) }
func freezeTree(t *testing.T, r *rand.Rand)      { freeze(t, r, aTree, short) }
func freezeAgentLong(t *testing.T, r *rand.Rand) { freeze(t, r, anAgent, long) }
func freezeTreeLong(t *testing.T, r *rand.Rand)  { freeze(t, r, aTree, long) }

// freeze stops the leader and then a follower, for each of the times, and lets
// them go on as if nothing had been.
func freeze(t *testing.T, r *rand.Rand, f freezing, times []time.Duration) {
	w := newWorld(t, r, cluster.Options{})
	for _, d := range times {
		n := w.c.Leader()
		w.trouble(fmt.Sprintf("%s of leader %s frozen", f.what, n.Name), d, func() { f.freeze(n) }, func() { f.thaw(n) })
		n = w.someFollower()
		w.trouble(fmt.Sprintf("%s of follower %s frozen", f.what, n.Name), d, func() { f.freeze(n) }, func() { f.thaw(n) })
	}
	w.judge()
}

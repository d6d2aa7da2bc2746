package chaos

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/rota-scheduler/rota/test/cluster"
	"github.com/rota-scheduler/rota/test/cluster/record"
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
		for _, who := range []string{"leader", "follower"} {
			n := w.c.Leader()
			if who == "follower" {
				n = w.someFollower()
			}
			stood := standstill{node: n.Name}
			w.trouble(fmt.Sprintf("%s of %s %s frozen", f.what, who, n.Name), d, func() {
				stood.from = time.Now()
				f.freeze(n)
			}, func() {
				stood.to = time.Now()
				f.thaw(n)
			})
			if f.what == aTree.what {
				w.stood = append(w.stood, stood)
			}
		}
	}
	w.judge()
}

// standstill is a time in which nothing of a node did anything.
type standstill struct {
	node     string
	from, to time.Time
}

// diesWithin is how long a process may live on after the thaw of a machine that
// stood still for longer than processes may live without contact: until its
// supervisor has noticed, and for its grace.
const diesWithin = grace + time.Second

// untilStandstill cuts the lives of processes short which a standstill outlasted.
// Nobody can know of a machine that stands still; what it ran is replaced, and may
// show signs of life beside its replacement until it is killed, but not for long.
func (w *world) untilStandstill(records []record.Record) []record.Record {
	w.t.Helper()
	began := map[string]time.Time{}
	return slices.DeleteFunc(records, func(r record.Record) bool {
		process := fmt.Sprintf("%s %s %d %d %d", r.Node, r.Run, r.Shard, r.Attempt, r.PID)
		if r.Event == record.Begin {
			began[process] = r.At
			return false
		}
		for _, s := range w.stood {
			if r.Node != s.node || s.to.Sub(s.from) < stopAfter || began[process].After(s.from) || r.At.Before(s.to) {
				continue
			}
			if after := r.At.Sub(s.to); after > diesWithin {
				w.t.Errorf("%s lived on for %s after the thaw of its machine", process, after)
			}
			return true
		}
		return false
	})
}

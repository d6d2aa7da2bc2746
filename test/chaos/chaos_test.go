package chaos

import (
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"
)

// scenario is one kind of damage.
type scenario struct {
	name string
	// selected: make test plays it too.
	selected bool
	play     func(t *testing.T, r *rand.Rand)
}

func scenarios() []scenario {
	return []scenario{
		{"kill-leader", true, killLeader},
		{"kill-follower", false, killFollower},
		{"kill-agents", true, killAgents},
		{"kill-all", false, killAll},
		{"freeze-agent", true, freezeAgent},
		{"freeze-tree", false, freezeTree},
		{"freeze-agent-long", false, freezeAgentLong},
		{"freeze-tree-long", false, freezeTreeLong},
		{"partition-minority", true, partitionMinority},
		{"partition-majority", false, partitionMajority},
		{"partition-standing", false, partitionStanding},
		{"partition-all", false, partitionAll},
		{"bridge", false, bridge},
		{"one-way", true, oneWay},
		{"slow-network", true, slowNetwork},
		{"flapping", false, flapping},
		{"full-disk-leader", true, fullDiskLeader},
		{"full-disk-follower", false, fullDiskFollower},
		{"full-disk-majority", false, fullDiskMajority},
		{"hung-disk", true, hungDisk},
		{"wiped", false, wiped},
		{"damaged", true, damaged},
		{"garbage", true, garbage},
		{"idle-connections", false, idle},
		{"join-storm", false, joinStorm},
		{"upgrade", false, upgrade},
	}
}

// TestChaos plays the scenarios that make test has time for; with CHAOS set, the
// whole list for that long.
func TestChaos(t *testing.T) {
	length, err := chaosLength()
	if err != nil {
		t.Fatal(err)
	}
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("CHAOS_SEED"); text != "" {
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("CHAOS_SEED: %v", err)
		}
	}
	t.Logf("CHAOS_SEED=%d", seed)
	r := rand.New(rand.NewPCG(seed, seed))
	if length == 0 {
		playSelected(t, r)
		return
	}
	playFor(t, r, length)
}

func chaosLength() (time.Duration, error) {
	text := os.Getenv("CHAOS")
	if text == "" {
		return 0, nil
	}
	return time.ParseDuration(text)
}

func playSelected(t *testing.T, r *rand.Rand) {
	for _, s := range scenarios() {
		if s.selected {
			own := fork(r)
			t.Run(s.name, func(t *testing.T) { s.play(t, own) })
		}
	}
}

// playFor plays the list round and round. A scenario that has begun is finished.
func playFor(t *testing.T, r *rand.Rand, length time.Duration) {
	end := time.Now().Add(length)
	for round := 1; time.Now().Before(end); round++ {
		all := scenarios()
		r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		for _, s := range all {
			own := fork(r)
			if time.Now().After(end) {
				return
			}
			t.Run(s.name, func(t *testing.T) { s.play(t, own) })
		}
		t.Logf("end of round %d", round)
	}
}

// fork gives a scenario a random source of its own: what it draws does not depend
// on which others are played.
func fork(r *rand.Rand) *rand.Rand { return rand.New(rand.NewPCG(r.Uint64(), r.Uint64())) }

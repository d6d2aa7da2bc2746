package chaos

import (
	"fmt"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"strconv"
	"testing"
	"time"
)

// scenario is one kind of damage.
type scenario struct {
	name string
	// selected: make test plays it too, because no other test there does as much.
	selected bool
	play     func(t *testing.T, r *rand.Rand)
}

func scenarios() []scenario {
	return []scenario{
		{"kill-leader", true, killLeader},
		{"kill-follower", false, killFollower},
		{"kill-agents", false, killAgents},
		{"kill-all", false, killAll},
		{"freeze-agent", false, freezeAgent},
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
// whole list for that long; with CHAOS_ONLY set, those that match it.
func TestChaos(t *testing.T) {
	seed, err := chaosSeed()
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("CHAOS_SEED=%d", seed)
	r := rand.New(rand.NewPCG(seed, seed))
	list, err := chosen()
	if err != nil {
		t.Fatal(err)
	}
	length := os.Getenv("CHAOS")
	if length == "" {
		playAll(t, r, list, time.Time{})
		return
	}
	d, err := time.ParseDuration(length)
	if err != nil {
		t.Fatalf("CHAOS: %v", err)
	}
	end := time.Now().Add(d)
	for round := 1; time.Now().Before(end); round++ {
		r.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
		playAll(t, r, list, end)
		t.Logf("end of round %d", round)
	}
}

func chaosSeed() (uint64, error) {
	text := os.Getenv("CHAOS_SEED")
	if text == "" {
		return uint64(time.Now().UnixNano()), nil
	}
	seed, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("CHAOS_SEED: %w", err)
	}
	return seed, nil
}

// chosen returns what is to be played; there is always something.
func chosen() ([]scenario, error) {
	only, err := regexp.Compile(os.Getenv("CHAOS_ONLY"))
	if err != nil {
		return nil, fmt.Errorf("CHAOS_ONLY: %w", err)
	}
	everything := os.Getenv("CHAOS") != "" || os.Getenv("CHAOS_ONLY") != ""
	list := slices.DeleteFunc(scenarios(), func(s scenario) bool {
		return !only.MatchString(s.name) || !everything && !s.selected
	})
	if len(list) == 0 {
		return nil, fmt.Errorf("CHAOS_ONLY: no scenario matches %q", only)
	}
	return list, nil
}

// playAll plays a list until the end, if there is one. A scenario that has begun
// is finished.
func playAll(t *testing.T, r *rand.Rand, list []scenario, end time.Time) {
	for _, s := range list {
		own := fork(r)
		if !end.IsZero() && time.Now().After(end) {
			return
		}
		t.Run(s.name, func(t *testing.T) { s.play(t, own) })
	}
}

// fork gives a scenario a random source of its own: what it draws does not depend
// on which others are played.
func fork(r *rand.Rand) *rand.Rand { return rand.New(rand.NewPCG(r.Uint64(), r.Uint64())) }

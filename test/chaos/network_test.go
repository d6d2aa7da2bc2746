package chaos

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/rota-scheduler/rota/test/cluster"
	"github.com/rota-scheduler/rota/test/cluster/netswitch"
)

// cutFor is longer than a lease, and than what is lost with a node waits for.
const cutFor = 10 * time.Second

// split separates the nodes of one side from all others. Clients reach both.
func (w *world) split(side ...*cluster.Node) {
	inside := map[int]bool{}
	for _, n := range side {
		inside[w.index(n)] = true
	}
	for i := range w.c.Nodes {
		for j := range i {
			if inside[i] != inside[j] {
				w.network.CutPair(i, j)
			}
		}
	}
}

// partitionMinority: five nodes, the leader and a follower on the smaller side.
func partitionMinority(t *testing.T, r *rand.Rand) {
	w := newWorld(t, r, cluster.Options{Nodes: 5})
	busy := w.longWork()[0]
	old := w.c.Leader()
	w.trouble("leader "+old.Name+" and a follower cut off from three", cutFor, func() {
		since := time.Now()
		w.split(old, busy)
		w.newLeader(old, since)
	}, w.network.MendAll)
	w.judge()
}

// partitionMajority: five nodes, two followers are cut off.
func partitionMajority(t *testing.T, r *rand.Rand) {
	w := newWorld(t, r, cluster.Options{Nodes: 5})
	two := w.longWork()[:2]
	w.trouble(fmt.Sprintf("followers %s and %s cut off", two[0].Name, two[1].Name), cutFor,
		func() { w.split(two...) }, w.network.MendAll)
	w.judge()
}

// partitionStanding: the leader of three is cut off for a minute.
func partitionStanding(t *testing.T, r *rand.Rand) {
	w := newWorld(t, r, cluster.Options{})
	w.longWork()
	old := w.c.Leader()
	w.trouble("leader "+old.Name+" cut off", time.Minute, func() {
		since := time.Now()
		w.split(old)
		w.newLeader(old, since)
	}, w.network.MendAll)
	w.judge()
}

// partitionAll: nobody reaches anybody, for longer than processes may live
// without contact.
func partitionAll(t *testing.T, r *rand.Rand) {
	w := newWorld(t, r, cluster.Options{})
	w.trouble("everybody cut off", stopAfter+cutFor, func() {
		w.split(w.c.Nodes[0])
		w.split(w.c.Nodes[1])
	}, w.network.MendAll)
	w.judge()
}

// bridge: of five nodes two pairs do not see each other; the fifth sees all.
func bridge(t *testing.T, r *rand.Rand) {
	w := newWorld(t, r, cluster.Options{Nodes: 5})
	for _, middle := range []*cluster.Node{w.c.Leader(), w.someFollower()} {
		w.trouble("two pairs cut off from each other, between them "+middle.Name, cutFor, func() {
			m := w.index(middle)
			for _, i := range []int{1, 2} {
				for _, j := range []int{3, 4} {
					w.network.CutPair((m+i)%5, (m+j)%5)
				}
			}
		}, w.network.MendAll)
	}
	w.judge()
}

// oneWay: packets get lost in one direction: from the leader to a follower, from
// a follower to the leader, from the leader to all, from all to the leader.
func oneWay(t *testing.T, r *rand.Rand) {
	w := newWorld(t, r, cluster.Options{})
	cases := []struct {
		what string
		cut  func(leader, follower int)
	}{
		{"the leader is not heard by a follower", func(l, f int) { w.network.CutOneWay(l, f) }},
		{"a follower is not heard by the leader", func(l, f int) { w.network.CutOneWay(f, l) }},
		{"the leader is not heard", func(l, _ int) { w.others(l, func(o int) { w.network.CutOneWay(l, o) }) }},
		{"the leader hears nobody", func(l, _ int) { w.others(l, func(o int) { w.network.CutOneWay(o, l) }) }},
	}
	if hurried() {
		cases = cases[2:]
	}
	for _, tc := range cases {
		leader, follower := w.c.Leader(), w.someFollower()
		w.trouble(fmt.Sprintf("%s (leader %s, follower %s)", tc.what, leader.Name, follower.Name), cutFor,
			func() { tc.cut(w.index(leader), w.index(follower)) }, w.network.MendAll)
	}
	w.judge()
}

// others calls do for every node but one.
func (w *world) others(but int, do func(i int)) {
	for i := range w.c.Nodes {
		if i != but {
			do(i)
		}
	}
}

// slowNetwork: 50 ms and more in each direction, a tenth of the packets lost, and
// some that overtake others.
func slowNetwork(t *testing.T, r *rand.Rand) {
	w := newWorld(t, r, cluster.Options{})
	cases := []struct {
		what string
		link netswitch.Link
	}{
		{"50 ms in each direction", netswitch.Link{Delay: 50 * time.Millisecond, Jitter: 10 * time.Millisecond}},
		{"a tenth lost", netswitch.Link{Delay: time.Millisecond, Loss: 0.1}},
		{"a quarter overtakes", netswitch.Link{Delay: 20 * time.Millisecond, Jitter: 10 * time.Millisecond, Reorder: 0.25}},
		{"all of it", netswitch.Link{Delay: 50 * time.Millisecond, Jitter: 20 * time.Millisecond, Loss: 0.1, Reorder: 0.1, Rate: 1 << 20}},
	}
	if hurried() {
		cases = cases[3:]
	}
	for _, tc := range cases {
		w.trouble(tc.what, cutFor, func() { w.network.SetAll(tc.link) }, func() { w.network.SetAll(netswitch.Link{}) })
	}
	w.judge()
}

// flapping: a node's line goes up and down, now the leader's, now a follower's.
func flapping(t *testing.T, r *rand.Rand) {
	w := newWorld(t, r, cluster.Options{})
	for _, n := range []*cluster.Node{w.c.Leader(), w.someFollower()} {
		w.trouble("the line of "+n.Name+" goes up and down twelve times", 0, func() {
			for range 12 {
				w.split(n)
				w.wait(time.Duration(r.Int64N(int64(time.Second))))
				w.network.MendAll()
				w.wait(time.Duration(r.Int64N(int64(time.Second))))
			}
		}, func() {})
	}
	w.judge()
}

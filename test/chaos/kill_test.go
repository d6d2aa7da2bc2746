package chaos

import (
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	"github.com/rota-scheduler/rota/test/cluster"
)

// awayFor is how long a killed node stays away: longer than the horizon, so that
// everything which was armed on it comes due meanwhile, and than what was lost with
// it waits.
const awayFor = 8 * time.Second

// killLeader: the leader's machine loses power, twice; once the supervisor alone
// is killed, which takes agent and jobs with it, once everything at one stroke.
func killLeader(t *testing.T, r *rand.Rand) {
	w := newWorld(t, r, cluster.Options{})
	kills := []func(*cluster.Node){(*cluster.Node).Kill, killTree}
	if hurried() {
		kills = kills[1:]
	}
	for _, kill := range kills {
		w.longWork()
		old := w.c.Leader()
		w.trouble("leader "+old.Name+" killed", awayFor, func() {
			since := time.Now()
			kill(old)
			w.newLeader(old, since)
		}, old.Start)
	}
	w.judge()
}

// killTree ends everything of a node at once, jobs included.
func killTree(n *cluster.Node) {
	for _, pid := range cluster.Tree(n.PID()) {
		_ = syscall.Kill(pid, syscall.SIGKILL) // it may have ended meanwhile
	}
	n.Gone()
}

func killFollower(t *testing.T, r *rand.Rand) {
	w := newWorld(t, r, cluster.Options{})
	for _, kill := range []func(*cluster.Node){(*cluster.Node).Kill, killTree} {
		n := w.longWork()[0]
		w.trouble("follower "+n.Name+" killed", awayFor, func() { kill(n) }, n.Start)
	}
	w.judge()
}

// killAgents: only the agents proper are killed, at random moments; their
// supervisors start others at once.
func killAgents(t *testing.T, r *rand.Rand) {
	w := newWorld(t, r, cluster.Options{})
	for range 3 {
		leader, follower := w.c.Leader(), w.someFollower()
		w.wait(time.Duration(r.Int64N(int64(time.Second))))
		w.trouble("agent of leader "+leader.Name+" killed", 0, leader.KillAgent, func() {})
		w.wait(time.Duration(r.Int64N(int64(time.Second))))
		w.trouble("agent of follower "+follower.Name+" killed", 0, follower.KillAgent, func() {})
	}
	w.judge()
}

// killAll: the whole cluster loses power and comes back, after less than the
// horizon and after more.
func killAll(t *testing.T, r *rand.Rand) {
	w := newWorld(t, r, cluster.Options{})
	for _, away := range []time.Duration{0, 8 * time.Second} {
		w.trouble("all killed", away, func() {
			for _, n := range w.c.Nodes {
				killTree(n)
			}
		}, func() {
			for _, n := range w.c.Nodes {
				n.Start()
			}
		})
	}
	w.judge()
}

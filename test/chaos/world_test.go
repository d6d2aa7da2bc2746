package chaos

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/test/cluster"
	"github.com/rota-scheduler/rota/test/cluster/record"
	"github.com/rota-scheduler/rota/transport/api"
)

const (
	// recoverWithin is the promise: within this the cluster is itself again after
	// the last healing.
	recoverWithin = 10 * time.Second
	// patience is how long a scenario waits for what it demands soon, in order to
	// tell how long it took.
	patience = time.Minute
	// onTime is by how much a fire may be late that counts as on time again.
	onTime = 500 * time.Millisecond
	// warmUp is how long a cluster is left alone before the damage.
	warmUp = 3 * time.Second
)

// world is a cluster under load.
type world struct {
	t       *testing.T
	r       *rand.Rand
	c       *cluster.Cluster
	network *cluster.Network
	load    *load
	editors *editors
	callers *callers
	states  map[uint64]seenState
	stood   []standstill
}

// seenState is the first state that was seen at an index, and whose it was.
type seenState struct{ node, hash string }

// newWorld starts a cluster and its load. Options say what differs from three
// ordinary nodes.
func newWorld(t *testing.T, r *rand.Rand, opts cluster.Options) *world {
	t.Helper()
	if opts.Nodes == 0 {
		opts.Nodes = 3
	}
	opts.Network = cluster.NewNetwork(t, opts.Nodes)
	w := &world{t: t, r: r, network: opts.Network, states: map[uint64]seenState{}}
	w.c = cluster.Start(t, opts)
	w.load = startLoad(t, w.c)
	w.editors = startEditors(w)
	w.callers = startCallers(w)
	w.wait(warmUp)
	return w
}

// wait lets time pass.
func (w *world) wait(d time.Duration) {
	w.t.Helper()
	cluster.Until(w.t, time.Now().Add(d))
}

// longWork waits until the processes that live for long have just begun, and
// returns the followers, those first that have one: what is lost with them now
// would live on beside its replacement if nothing ended it.
func (w *world) longWork() []*cluster.Node {
	w.t.Helper()
	busy := map[string]bool{}
	cluster.Eventually(w.t, patience, "the start of what lives for long", func() error {
		for _, r := range w.load.records.Read() {
			key := fsm.JobKey{Namespace: r.Namespace, Name: r.Job}
			if r.Event == record.Begin && w.load.kinds[key].name == "slow" && time.Since(r.At) < time.Second {
				busy[r.Node] = true
			}
		}
		if len(busy) == 0 {
			return errors.New("none has begun in the last second")
		}
		return nil
	})
	followers := w.c.Followers()
	slices.SortStableFunc(followers, func(a, b *cluster.Node) int {
		switch {
		case busy[a.Name] == busy[b.Name]:
			return 0
		case busy[a.Name]:
			return -1
		}
		return 1
	})
	return followers
}

// index returns a node's place in the cluster.
func (w *world) index(n *cluster.Node) int {
	for i, other := range w.c.Nodes {
		if other == n {
			return i
		}
	}
	w.t.Fatalf("%s is not of this cluster", n.Name)
	return 0
}

// someFollower draws one.
func (w *world) someFollower() *cluster.Node {
	w.t.Helper()
	all := w.c.Followers()
	return all[w.r.IntN(len(all))]
}

// trouble does damage for a while, heals it, and waits for the recovery.
func (w *world) trouble(what string, lasting time.Duration, damage, heal func()) {
	w.t.Helper()
	w.t.Logf("%s, for %s", what, lasting)
	damage()
	w.wait(lasting)
	heal()
	w.recovered(what, time.Now())
}

// newLeader waits until the other nodes name a new leader, and tells how long it
// took.
func (w *world) newLeader(old *cluster.Node, since time.Time) {
	w.t.Helper()
	cluster.Eventually(w.t, patience, "a new leader", func() error {
		for _, n := range w.c.Up() {
			if n == old {
				continue
			}
			ctx, cancel := context.WithTimeout(w.t.Context(), time.Second)
			leader, err := n.Client().Leader(ctx)
			cancel()
			if err == nil && leader.Name != old.Name {
				w.t.Logf("  %s leads after %s", leader.Name, time.Since(since).Round(time.Millisecond))
				return nil
			}
		}
		return errors.New("the others name none")
	})
}

// recovered waits until the cluster is itself again, and fails the test if that
// took longer than promised.
func (w *world) recovered(what string, healed time.Time) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	leader := w.stage(ctx, "a leader that all name", func() error {
		_, err := w.c.CurrentLeader(ctx)
		return err
	})
	var goal uint64
	same := w.stage(ctx, "equal indexes", func() error { return w.caughtUp(ctx, &goal) })
	fires := w.stage(ctx, "a fire on time", func() error { return w.fireOnTime(healed) })
	if ctx.Err() != nil {
		w.t.Fatalf("%s: not recovered within %s", what, patience)
	}
	w.t.Logf("  %s: healed; one leader after %s, equal indexes after %s, fires on time after %s", what,
		leader.Sub(healed).Round(time.Millisecond), same.Sub(healed).Round(time.Millisecond), fires.Sub(healed).Round(time.Millisecond))
	if took := fires.Sub(healed); took > recoverWithin+slack() {
		w.t.Errorf("%s: the recovery took %s, promised are %s", what, took, recoverWithin)
	}
}

// stage waits for one part of the recovery, and returns when it was there.
func (w *world) stage(ctx context.Context, what string, cond func() error) time.Time {
	w.t.Helper()
	if err := pollSlowly(ctx, cond); err != nil {
		w.t.Errorf("waiting for %s: %v", what, err)
	}
	return time.Now()
}

// caughtUp is nil once every node that is up has applied what the leader had when
// it was first asked.
func (w *world) caughtUp(ctx context.Context, goal *uint64) error {
	leader, err := w.c.CurrentLeader(ctx)
	if err != nil {
		return err
	}
	for _, n := range append([]*cluster.Node{leader}, w.c.Up()...) {
		list, err := n.Client().Nodes(ctx, api.Page{PerPage: 1}, api.Read{})
		if err != nil {
			return err
		}
		if *goal == 0 {
			*goal = list.Index
		}
		if list.Index < *goal {
			return fmt.Errorf("%s is at index %d, not yet at %d", n.Name, list.Index, *goal)
		}
	}
	return nil
}

// sameState compares replicas. It is nil once all nodes that are up were seen at
// one index, which they may pass at different moments.
func (w *world) sameState(ctx context.Context, seen map[uint64]map[string]bool) error {
	up := w.c.Up()
	got := make([]cluster.State, len(up))
	errs := make([]error, len(up))
	var group sync.WaitGroup
	for i, n := range up {
		group.Go(func() { got[i], errs[i] = n.State(ctx) })
	}
	group.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	for i, s := range got {
		w.remember(up[i].Name, s)
		if seen[s.Index] == nil {
			seen[s.Index] = map[string]bool{}
		}
		if seen[s.Index][up[i].Name] = true; len(seen[s.Index]) == len(up) {
			return nil
		}
	}
	return fmt.Errorf("the nodes are at different indexes: %+v", got)
}

// judgeStates: with the load paused the replicas are the same.
func (w *world) judgeStates() {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	for _, key := range slices.SortedFunc(maps.Keys(w.load.kinds), compareKeys) {
		if err := pollSlowly(ctx, func() error { // it may lose its leader on a busy machine
			_, err := w.c.Up()[0].Client().PauseJob(ctx, key, patience)
			return err
		}); err != nil {
			w.t.Errorf("pausing %s: %v", key, err)
		}
	}
	seen := map[uint64]map[string]bool{}
	if err := pollSlowly(ctx, func() error { return w.sameState(ctx, seen) }); err != nil {
		w.t.Errorf("waiting for equal states: %v", err)
	}
}

// remember fails the test if another state was seen at the same index.
func (w *world) remember(node string, s cluster.State) {
	first, ok := w.states[s.Index]
	switch {
	case !ok:
		w.states[s.Index] = seenState{node, s.Hash}
	case first.hash != s.Hash:
		w.t.Errorf("at index %d the state of %s is not that of %s", s.Index, node, first.node)
	}
}

// fireOnTime looks for a start on time, of each plain job, of one instant after
// the healing.
func (w *world) fireOnTime(healed time.Time) error {
	started := map[time.Time]map[string]bool{}
	for _, b := range w.load.records.Read() {
		if b.Event != record.Begin || !b.ScheduledAt.After(healed) || b.At.Sub(b.ScheduledAt) > onTime {
			continue
		}
		if w.load.kinds[fsm.JobKey{Namespace: b.Namespace, Name: b.Job}].name != "tick" {
			continue
		}
		if started[b.ScheduledAt] == nil {
			started[b.ScheduledAt] = map[string]bool{}
		}
		started[b.ScheduledAt][b.Job] = true
		if len(started[b.ScheduledAt]) == kinds()[0].count {
			return nil
		}
	}
	return errors.New("no instant after the healing was started on time")
}

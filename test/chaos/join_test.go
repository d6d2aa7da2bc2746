package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/test/cluster"
	"github.com/rota-scheduler/rota/transport/api"
)

const (
	stormNodes = 15
	maxVoters  = 5
	// joinWithin bounds the joining of all and the promotion of two, each of which
	// must have been stable for ten seconds, on a busy machine.
	joinWithin = 90 * time.Second
)

// joinStorm: twelve nodes join three at once. All get work, and five vote, also
// when one of those is killed for good.
func joinStorm(t *testing.T, r *rand.Rand) {
	w := newWorld(t, r, cluster.Options{Nodes: stormNodes, Found: 3})
	began := time.Now()
	for _, n := range w.c.Nodes[3:] {
		n.Start()
	}
	w.joined(stormNodes)
	t.Logf("%d nodes joined and %d vote after %s", stormNodes, maxVoters, time.Since(began).Round(time.Millisecond))
	w.recovered("twelve nodes joined", time.Now())
	old := w.c.Leader()
	w.trouble("leader "+old.Name+" of fifteen killed", awayFor, func() {
		since := time.Now()
		killTree(old)
		w.newLeader(old, since)
	}, old.Start)
	w.joined(stormNodes)
	w.judge()
}

// joined waits until so many nodes are ready, and five of them vote. More never do.
func (w *world) joined(want int) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), joinWithin)
	defer cancel()
	err := pollSlowly(ctx, func() error {
		list, err := w.c.Leader().Client().Nodes(ctx, all, api.Read{Consistent: true})
		if err != nil {
			return err
		}
		ready, voters := 0, 0
		for _, n := range list.Items {
			if n.Status == fsm.NodeReady {
				ready++
			}
			if n.Voter {
				voters++
			}
		}
		if voters > maxVoters {
			w.t.Errorf("%d nodes vote", voters)
		}
		if ready != want || voters != maxVoters {
			return fmt.Errorf("%d nodes are ready, %d vote", ready, voters)
		}
		return nil
	})
	if err != nil {
		w.t.Fatalf("not within %s: %v", joinWithin, err)
	}
}

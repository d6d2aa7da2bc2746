package agent

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/transport"
)

// pathDrain is where a node that stops asks the leader for no more work.
const pathDrain = "/v1/internal/drain"

// drainPoll is how often a node that drains looks whether it is empty.
const drainPoll = 50 * time.Millisecond

// logPatience is how long a node on which nothing runs any more waits for the log
// to show it. Where the others are gone it never does.
const logPatience = 5 * time.Second

// drainRequest is a node's wish to become empty before it stops.
type drainRequest struct {
	Node        string `json:"node"`
	Incarnation uint64 `json:"incarnation"`
}

// Drain asks the cluster for no more work, and returns when what this node holds
// has ended, when limit has passed, or with ctx. The status that it sets ends with
// this life of the agent. An error is a fault that the node cannot go on with, at
// once: a leader whose disk hangs must not lead on for as long as its work takes.
func (a *Agent) Drain(ctx context.Context, limit time.Duration) error {
	if limit <= 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	a.logger.Info("draining before the stop", "limit", limit)
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		a.untilEmpty(ctx)
	}()
	select {
	case <-drained:
		return nil
	case cause := <-a.fatal:
		cancel()
		<-drained
		return cause
	}
}

// untilEmpty returns when this node holds nothing any more, or with ctx.
func (a *Agent) untilEmpty(ctx context.Context) {
	if err := a.askForNoWork(ctx); err != nil {
		a.logger.Warn("the cluster was not told to give no more work; stopping all the same", "error", err)
		return
	}
	ran := time.Now() // when work was last seen to run here
	for held := a.held(); held > 0; held = a.held() {
		if a.executor.Load() > 0 {
			ran = time.Now()
		}
		if time.Since(ran) > logPatience {
			a.logger.Warn("nothing runs here any more, and the cluster does not take note of that; stopping all the same", "attempts", held)
			return
		}
		select {
		case <-ctx.Done():
			a.logger.Warn("the time to drain is over; what still runs is ended", "attempts", held)
			return
		case <-time.After(drainPoll):
		}
	}
	a.logger.Info("drained")
}

// askForNoWork tries until the leader has taken note, has refused, or ctx ends; or,
// while there is no leader, until nothing runs here: when a whole cluster is
// stopped, the last nodes find none.
func (a *Agent) askForNoWork(ctx context.Context) error {
	request := drainRequest{Node: a.self.ID, Incarnation: a.self.Incarnation}
	for {
		err := a.callLeader(ctx, pathDrain, request, nil, func() error { return a.answerDrain(ctx, request) })
		var refused *transport.APIError
		if err == nil || errors.Is(err, fsm.ErrFormat) || (errors.As(err, &refused) && refused.Status == http.StatusConflict) {
			return err
		}
		if a.executor.Load() == 0 {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", ctx.Err(), err)
		case <-time.After(a.timing.Heartbeat):
		}
	}
}

// answerDrain is the leader's side of it. A node that an operator has taken out of
// use is left as it is.
func (a *Agent) answerDrain(ctx context.Context, r drainRequest) error {
	if !a.IsLeader() {
		return transport.ErrNoLeader
	}
	n := a.store.Read().Node(r.Node)
	if n == nil {
		return fmt.Errorf("node %s: %w", r.Node, fsm.ErrNotFound)
	}
	if n.Incarnation > r.Incarnation {
		return fmt.Errorf("%w: node %s is in a later life than the one that asks to be drained", fsm.ErrStale, n.Name)
	}
	if n.Status != fsm.NodeReady {
		return nil
	}
	_, _, err := a.proposer.Propose(ctx, fsm.OpDrainNode, fsm.DrainNode{
		At: a.clock.Now(), ID: n.ID, Status: fsm.NodeDraining, By: n.Name + " itself", Life: r.Incarnation,
	})
	return err
}

// held counts the attempts that the log binds to this node.
func (a *Agent) held() int {
	n := 0
	for range a.store.Read().HeldBy(a.self.ID) {
		n++
	}
	return n
}

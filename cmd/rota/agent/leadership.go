package agent

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/rota-scheduler/rota/cmd/rota/agent/raftnode"
	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/scheduling"
	"github.com/rota-scheduler/rota/scheduling/provider"
)

// lead runs one term after another. A term has stopped entirely before the next
// one begins, so that it can neither feed nor tear down a newer one.
func (a *Agent) lead(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case term, open := <-a.raft.Terms():
			if !open {
				return nil
			}
			a.leadTerm(ctx, term)
		}
	}
}

// leadTerm is barrier, establish, and the loops.
func (a *Agent) leadTerm(ctx context.Context, term raftnode.Term) {
	tctx, cancel := context.WithCancel(term.Ctx)
	defer cancel()
	defer context.AfterFunc(ctx, cancel)()
	log := a.logger.With("epoch", term.Epoch)
	for tctx.Err() == nil {
		a.serve(tctx, term.Epoch, log)
		select { // still leading: nobody else will, so try again
		case <-tctx.Done():
		case <-time.After(termRetry):
		}
	}
	log.Info("no longer leading")
}

// termRetry is the pause before a term that broke off, while raft goes on
// leading, is taken up again.
const termRetry = 200 * time.Millisecond

// serve takes a term up, and returns when the leadership has ended or when it
// cannot go on.
func (a *Agent) serve(ctx context.Context, epoch uint64, log *slog.Logger) {
	if _, err := a.raft.Barrier(ctx); err != nil {
		if ctx.Err() == nil {
			log.Warn("the leadership cannot be taken up yet; trying again", "error", err)
		}
		return
	}
	// The barrier itself is no command: what the nodes must have applied is the
	// last command before it.
	barrier := a.store.Index()
	log.Info("leading", "barrier", barrier)
	a.leading.Store(epoch)
	defer a.leading.Store(0)
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error { return a.reconciler.Run(gctx) })
	g.Go(func() error { return a.raiseFormat(gctx) })
	leader := scheduling.NewLeader(scheduling.Config{
		Store: a.store, Proposer: a.proposer, Clock: a.clock, Leases: a.leases, Timing: a.timing,
		Self: a.self.ID, StepDown: a.raft.TransferLeadership, Verify: a.raft.VerifyLeader, Refusals: a.peers.refusal,
		Gossip: a.gossipOf, Regions: a.regions, Voters: a.Voters, Provider: nodeProvider, Logger: log,
		Load: func(node string) (scheduling.Load, bool) { return a.loads.of(node, a.clock.Mono()) },
	})
	a.term.Store(leader)
	defer a.term.Store(nil)
	g.Go(func() error { return leader.Run(gctx, barrier) })
	g.Go(func() error { return a.newNotifier(log).Run(gctx) })
	if err := g.Wait(); err != nil && !errors.Is(err, context.Canceled) {
		log.Error("a leader's loop failed; giving the leadership up", "error", err)
		if err := a.raft.TransferLeadership(ctx); err != nil && ctx.Err() == nil {
			log.Error("leadership could not be handed on", "error", err)
		}
	}
}

// nodeProvider makes what the autoscaler asks for machines.
func nodeProvider(s *fsm.Autoscale) (scheduling.NodeProvider, error) { return provider.New(s) }

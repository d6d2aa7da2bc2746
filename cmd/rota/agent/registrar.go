package agent

import (
	"context"
	"log/slog"
	"maps"
	"sync"
	"time"

	"github.com/rota-scheduler/rota/fsm"
)

// registrar keeps the nodes' rows in the store in step with what the nodes say
// of themselves in heartbeats. It works only on the leader.
type registrar struct {
	store   *fsm.Store
	propose func(ctx context.Context, op fsm.Opcode, command any) (any, uint64, error)
	now     func() fsm.Time
	logger  *slog.Logger
	queue   chan fsm.Node

	mu     sync.Mutex
	queued map[string]bool
}

// registerTimeout bounds one registration; the next heartbeat tries again.
const registerTimeout = 5 * time.Second

// maxRegistrations bounds the queue: a cluster has fifty nodes.
const maxRegistrations = 256

func newRegistrar(store *fsm.Store, now func() fsm.Time, logger *slog.Logger, p *proposer) *registrar {
	return &registrar{
		store: store, propose: p.Propose, now: now, logger: logger,
		queue: make(chan fsm.Node, maxRegistrations), queued: map[string]bool{},
	}
}

// see takes a node's word on itself. It does not block.
func (r *registrar) see(n fsm.Node) {
	if known := r.store.Read().Node(n.ID); known != nil && sameNode(known, &n) {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.queued[n.ID] {
		return
	}
	select {
	case r.queue <- n:
		r.queued[n.ID] = true
	default: // full: the next heartbeat comes soon
	}
}

// sameNode compares what a node says of itself, not what the cluster says of it.
func sameNode(a, b *fsm.Node) bool {
	return a.Name == b.Name && a.Incarnation == b.Incarnation && a.HTTPAddr == b.HTTPAddr && a.RaftAddr == b.RaftAddr &&
		a.Region == b.Region && a.Zone == b.Zone && a.Capacity == b.Capacity && a.OS == b.OS && a.Arch == b.Arch && a.Version == b.Version &&
		a.Format == b.Format && a.Limits == b.Limits && a.Isolation == b.Isolation && maps.Equal(a.Labels, b.Labels) && a.Status != fsm.NodeLeft && a.Status != fsm.NodeDown
}

// run registers until ctx ends.
func (r *registrar) run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case n := <-r.queue:
			r.register(ctx, n)
		}
	}
}

func (r *registrar) register(ctx context.Context, n fsm.Node) {
	ctx, cancel := context.WithTimeout(ctx, registerTimeout)
	defer cancel()
	if _, _, err := r.propose(ctx, fsm.OpRegisterNode, fsm.RegisterNode{At: r.now(), Node: n}); err != nil {
		r.logger.Warn("node was not registered; its next heartbeat tries again", "peer", n.Name, "error", err)
	} else {
		r.logger.Info("node registered", "peer", n.Name, "id", n.ID, "incarnation", n.Incarnation, "http", n.HTTPAddr)
	}
	r.mu.Lock()
	delete(r.queued, n.ID)
	r.mu.Unlock()
}

package agent

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/raft"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/transport"
	"github.com/rota-scheduler/rota/transport/api"
)

// IsLeader says whether this node serves a term: it leads and has applied what
// was committed before.
func (a *Agent) IsLeader() bool { return a.leading.Load() != 0 && a.raft.IsLeader() }

// Leader returns who leads, if that is known.
func (a *Agent) Leader() (api.Leader, bool) {
	id, _ := a.raft.Leader()
	if id == "" {
		return api.Leader{}, false
	}
	for _, m := range a.gossip.Members() {
		if m.ID == id {
			return api.Leader{ID: id, Name: m.Name, HTTP: m.HTTPAddr}, true
		}
	}
	if n := a.store.Read().Node(id); n != nil {
		return api.Leader{ID: id, Name: n.Name, HTTP: n.HTTPAddr}, true
	}
	return api.Leader{}, false
}

// ReadIndex returns an index from which a read sees every acknowledged write.
func (a *Agent) ReadIndex(ctx context.Context) (uint64, error) {
	if !a.IsLeader() {
		return 0, transport.ErrNoLeader
	}
	// A write is acknowledged only after this store has applied it.
	index := a.store.Index()
	if err := a.raft.VerifyLeader(ctx); err != nil {
		return 0, fmt.Errorf("%w: %w", transport.ErrNoLeader, err)
	}
	return index, nil
}

// appliedPoll is how often WaitApplied looks: a command may be refused and so
// change nothing that could be watched.
const appliedPoll = time.Millisecond

// WaitApplied returns once the store has applied everything up to the index.
func (a *Agent) WaitApplied(ctx context.Context, index uint64) error {
	for a.store.Index() < index {
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for log entry %d, applied up to %d: %w", index, a.store.Index(), ctx.Err())
		case <-time.After(appliedPoll):
		}
	}
	return nil
}

// maxLag is how far behind its own commit index a node counts as caught up.
const maxLag = 100

// CaughtUp says whether this node has heard from a leader lately, shows what was
// committed when its process started, and keeps up with what has been since.
func (a *Agent) CaughtUp() bool {
	if _, known := a.Leader(); !known {
		return false
	}
	// The first asks the store: raft counts an entry as applied that it has handed
	// over, and one entry may hold a thousand jobs.
	return a.hasReplayed() && a.raft.AppliedIndex()+maxLag >= a.raft.CommitIndex()
}

// hasReplayed says whether this node's store shows what was committed when its
// process started, which it knows from the first lease that a leader grants it.
func (a *Agent) hasReplayed() bool {
	if !a.replayed.Load() && a.lease.CaughtUp(a.store.Index()) {
		a.replayed.Store(true)
	}
	return a.replayed.Load()
}

// Replayed returns nil once hasReplayed.
func (a *Agent) Replayed(ctx context.Context) error {
	for !a.hasReplayed() {
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: this node has not caught up with the cluster since it started; ask another node, or wait", transport.ErrNoLeader)
		case <-time.After(replayPoll):
		}
	}
	return nil
}

// replayPoll is how often Replayed looks.
const replayPoll = 10 * time.Millisecond

// transferWait is how long TransferLeadership waits for the successor to show.
const transferWait = 3 * time.Second

// TransferLeadership gives the leadership to another voter and returns it.
func (a *Agent) TransferLeadership(ctx context.Context) (api.Leader, error) {
	if err := a.raft.TransferLeadership(ctx); err != nil {
		return api.Leader{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, transferWait)
	defer cancel()
	for {
		if l, ok := a.Leader(); ok && l.ID != a.self.ID {
			return l, nil
		}
		select {
		case <-ctx.Done():
			return api.Leader{}, fmt.Errorf("%w: the leadership was handed on, its new holder is not known yet", transport.ErrNoLeader)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// Voters holds the IDs of the nodes that vote.
func (a *Agent) Voters() map[string]bool {
	voters := map[string]bool{}
	f := a.raft.Raft().GetConfiguration()
	if f.Error() != nil {
		return voters
	}
	for _, s := range f.Configuration().Servers {
		if s.Suffrage == raft.Voter {
			voters[string(s.ID)] = true
		}
	}
	return voters
}

// Gossip holds what this node's gossip says of each node.
func (a *Agent) Gossip() map[string]string {
	status := map[string]string{}
	for _, m := range a.gossip.Members() {
		status[m.ID] = string(m.Status)
	}
	return status
}

// Namesakes holds, by node ID, the HTTP addresses of the other live nodes that have
// its name.
func (a *Agent) Namesakes() map[string][]string {
	others := map[string][]string{}
	for _, c := range a.gossip.Conflicts() {
		for _, m := range c.Members {
			for _, other := range c.Members {
				if other.ID != m.ID {
					others[m.ID] = append(others[m.ID], other.HTTPAddr)
				}
			}
		}
	}
	return others
}

// Propose commits a command; the store of this node then shows it.
func (a *Agent) Propose(ctx context.Context, op fsm.Opcode, command any) (any, uint64, error) {
	value, index, err := a.proposer.Propose(ctx, op, command)
	if errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("no answer from the cluster in time: %w", err)
	}
	return value, index, err
}

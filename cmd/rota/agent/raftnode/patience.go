package raftnode

import (
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

// patientTransport holds the failure of a replication back until the peer can be
// reached again. Raft waits longer after each failure, up to 10 s, and so would
// leave a peer that is back after some seconds without entries for as long again.
// Its heartbeats, which go on beside, tell when it is back.
type patientTransport struct {
	*countedTransport
	patience *patience
}

// patient wraps a transport of the network; others are as they are.
func patient(t raft.Transport, serves func(raft.ServerID) bool) raft.Transport {
	if network, ok := t.(*countedTransport); ok {
		return &patientTransport{network, newPatience(serves)}
	}
	return t
}

// serves says whether r, which may not have been started yet, leads the peer.
func serves(r *raft.Raft, peer raft.ServerID) bool {
	if r == nil || r.State() != raft.Leader {
		return false
	}
	servers := r.GetConfiguration().Configuration().Servers
	return slices.ContainsFunc(servers, func(s raft.Server) bool { return s.ID == peer })
}

// AppendEntries is part of raft.Transport.
func (t *patientTransport) AppendEntries(id raft.ServerID, target raft.ServerAddress, args *raft.AppendEntriesRequest, resp *raft.AppendEntriesResponse) error {
	return t.patience.call(id, isHeartbeat(args), func() error {
		return t.countedTransport.AppendEntries(id, target, args, resp)
	})
}

// isHeartbeat is what raft's own transports go by, too.
func isHeartbeat(r *raft.AppendEntriesRequest) bool {
	return len(r.Entries) == 0 && r.PrevLogEntry == 0 && r.PrevLogTerm == 0 && r.LeaderCommitIndex == 0
}

// patience counts the answered heartbeats of each peer. Safe for concurrent use.
type patience struct {
	// serves says whether this node leads the peer; only then are heartbeats of use.
	serves func(peer raft.ServerID) bool

	mu       sync.Mutex
	answered map[raft.ServerID]int
}

func newPatience(serves func(raft.ServerID) bool) *patience {
	return &patience{serves: serves, answered: make(map[raft.ServerID]int)}
}

// call makes a call. A failed one that is no heartbeat returns when a heartbeat is
// answered, or when this node does not lead the peer.
func (p *patience) call(peer raft.ServerID, heartbeat bool, call func() error) error {
	err := call()
	switch {
	case heartbeat && err == nil:
		p.mu.Lock()
		p.answered[peer]++
		p.mu.Unlock()
	case !heartbeat && err != nil:
		p.wait(peer)
	}
	return err
}

// waitPoll is how often wait looks.
const waitPoll = 10 * time.Millisecond

func (p *patience) wait(peer raft.ServerID) {
	tick := time.NewTicker(waitPoll)
	defer tick.Stop()
	for before := p.count(peer); p.serves(peer) && p.count(peer) == before; {
		<-tick.C
	}
}

func (p *patience) count(peer raft.ServerID) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.answered[peer]
}

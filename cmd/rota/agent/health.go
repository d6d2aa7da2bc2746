package agent

import (
	"github.com/rota-scheduler/rota/membership"
	"github.com/rota-scheduler/rota/scheduling"
)

// ailing is what the leader said of the nodes' health, and when (mono).
type ailing struct {
	nodes map[string]scheduling.Health
	at    int64
}

// judgeNodes, on the leader, holds every node of the log that is not well.
func (a *Agent) judgeNodes() map[string]scheduling.Health {
	term := a.term.Load()
	if term == nil {
		return nil
	}
	var found map[string]scheduling.Health
	for n := range a.store.Read().Nodes() {
		if h := term.Health(n.ID); h != scheduling.HealthOK {
			if found == nil {
				found = map[string]scheduling.Health{}
			}
			found[n.ID] = h
		}
	}
	return found
}

// Health holds, by node ID, the nodes that are not well by the leader's contact
// with them. A node that has no word of a leader has only its gossip.
func (a *Agent) Health() map[string]string {
	found := map[string]string{}
	var judged map[string]scheduling.Health
	last := a.ailing.Load()
	switch {
	case a.IsLeader():
		judged = a.judgeNodes()
	case last != nil && a.clock.Mono()-last.at < int64(a.timing.Lease):
		judged = last.nodes
	default:
		for _, m := range a.gossip.Members() {
			if m.Status != membership.StatusAlive {
				found[m.ID] = string(scheduling.HealthSuspect)
			}
		}
	}
	for id, h := range judged {
		found[id] = string(h)
	}
	return found
}

// gossipOf is what this node's gossip believes of another.
func (a *Agent) gossipOf(id string) scheduling.GossipStatus {
	m, known := a.gossip.Member(id)
	switch {
	case !known:
		return scheduling.GossipUnknown
	case m.Status == membership.StatusAlive:
		return scheduling.GossipAlive
	case m.Status == membership.StatusLeft:
		return scheduling.GossipLeft
	}
	return scheduling.GossipFailed
}

package agent

import (
	"github.com/hashicorp/raft"

	"github.com/rota-scheduler/rota/fsm"
)

// What a simulation looks at from outside.

// ID returns the node's identity.
func (a *Agent) ID() string { return a.self.ID }

// Store returns the node's replica.
func (a *Agent) Store() *fsm.Store { return a.store }

// Now returns cluster time as this node has it.
func (a *Agent) Now() fsm.Time { return a.clock.Now() }

// Ready says whether this node, as the leader, may give a node work.
func (a *Agent) Ready(node string) bool {
	_, ok := a.leases.Ready(node)
	return ok
}

// Servers are the members of the Raft configuration, as this node knows it.
func (a *Agent) Servers() []raft.Server {
	f := a.raft.Raft().GetConfiguration()
	if f.Error() != nil {
		return nil
	}
	return f.Configuration().Servers
}

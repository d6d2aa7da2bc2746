package scheduling

import (
	"time"

	"github.com/rota-scheduler/rota/fsm"
)

// GossipStatus is what gossip believes of a node. It is a hint.
type GossipStatus int

// What gossip may believe.
const (
	GossipUnknown GossipStatus = iota
	GossipAlive
	// GossipFailed: it does not answer.
	GossipFailed
	// GossipLeft: it said good-bye.
	GossipLeft
)

// Health is what the leader makes of its own contact with a node. It is not
// replicated: it says how things are right now.
type Health string

// States of health.
const (
	// HealthOK: its heartbeats come.
	HealthOK Health = "ok"
	// HealthSuspect: some are missing, or gossip has lost it. It gets work only
	// where no other node could take it.
	HealthSuspect Health = "suspect"
	// HealthDown: its agent is known to be gone, or it has been silent for so
	// long that its own supervisor has ended what ran there.
	HealthDown Health = "down"
)

// suspectAfter is how many heartbeats may be missing before a node is suspect: one
// less than its lease lasts for, at the least.
const suspectAfter = 3

// Health judges a node by this leader's contact with it. It may be called
// concurrently; outside a term every node is ok.
func (l *Leader) Health(node string) Health {
	answered, ok := l.Leases.Contact(node)
	if !ok {
		return HealthOK
	}
	_, refused := l.refusal(node)
	return judgeHealth(time.Duration(l.Clock.Mono()-answered), refused, l.gossip(node), l.Timing)
}

func (l *Leader) gossip(node string) GossipStatus {
	if l.Gossip == nil {
		return GossipUnknown
	}
	return l.Gossip(node)
}

func judgeHealth(quiet time.Duration, refused bool, gossip GossipStatus, t Timing) Health {
	missing := quiet >= suspectAfter*t.Heartbeat
	switch {
	case quiet >= t.loss(&fsm.Task{}), refused && missing, gossip == GossipLeft && missing:
		return HealthDown
	case missing, refused, gossip == GossipFailed:
		return HealthSuspect
	}
	return HealthOK
}

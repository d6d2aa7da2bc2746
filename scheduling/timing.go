package scheduling

import (
	"time"

	"github.com/rota-scheduler/rota/fsm"
)

// Timing holds the protocol's durations. Every node of a cluster must use the
// same ones: a leader's patience must outlast any lease that an agent believes in.
type Timing struct {
	// Horizon is how far ahead of its instant a fire is committed. Most instants
	// lie on whole seconds: half a second beyond keeps the work of committing from
	// falling on the very instants at which others start.
	Horizon time.Duration
	// Lease is how long a node may start work after contact with the leader.
	Lease time.Duration
	// Heartbeat is the interval at which agents ask for a lease.
	Heartbeat time.Duration
	// Margin is added to every wait that another node's clock takes part in.
	Margin time.Duration
	// Skew bounds the difference of any two corrected clocks.
	Skew time.Duration
	// StopAfter is how long a node's processes outlive its contact with the
	// leader where their task says nothing else.
	StopAfter time.Duration
	// Misfire: an instant decided later than this counts as missed by the
	// cluster, and the job's misfire policy speaks.
	Misfire time.Duration
}

// DefaultTiming returns what a cluster runs with.
func DefaultTiming() Timing {
	return Timing{
		Horizon:   5500 * time.Millisecond,
		Lease:     3 * time.Second,
		Heartbeat: 500 * time.Millisecond,
		Margin:    500 * time.Millisecond,
		Skew:      50 * time.Millisecond,
		StopAfter: 30 * time.Second,
		Misfire:   5 * time.Second,
	}
}

// silence is how long after the last answer a node surely has no lease any more.
func (t Timing) silence() time.Duration { return t.Lease + t.Margin }

// doubt is how long after the last answer work that may run twice is started
// elsewhere: long enough for an agent that crashed to be back.
func (t Timing) doubt() time.Duration { return t.Lease * 2 / 3 }

// loss is how long after the last answer the processes of a task are surely
// dead: its node's own supervisor has killed them.
func (t Timing) loss(task *fsm.Task) time.Duration {
	patience := t.StopAfter
	if task.StopAfter != 0 {
		patience = time.Duration(task.StopAfter)
	}
	return patience + time.Duration(task.KillGrace()) + t.Margin
}

package scheduling

import "time"

// Timing holds the protocol's durations. Every node of a cluster must use the
// same ones: a leader's patience must outlast any lease that an agent believes in.
type Timing struct {
	// Horizon is how far ahead of its instant a fire is committed.
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
	// leader; Grace is how long killing them may take at most.
	StopAfter, Grace time.Duration
	// Misfire: an instant decided later than this counts as missed by the
	// cluster, and the job's misfire policy speaks.
	Misfire time.Duration
}

// DefaultTiming returns what a cluster runs with.
func DefaultTiming() Timing {
	return Timing{
		Horizon:   5 * time.Second,
		Lease:     3 * time.Second,
		Heartbeat: 500 * time.Millisecond,
		Margin:    500 * time.Millisecond,
		Skew:      50 * time.Millisecond,
		StopAfter: 30 * time.Second,
		Grace:     10 * time.Second,
		Misfire:   5 * time.Second,
	}
}

// LossAfter is how long after the last contact a node's work is surely dead.
func (t Timing) LossAfter() time.Duration { return t.StopAfter + t.Grace + t.Margin }

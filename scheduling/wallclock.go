package scheduling

import (
	"context"
	"slices"
	"time"
)

const (
	// ClockWarn: a wall clock this far from cluster time is worth a warning.
	ClockWarn = 100 * time.Millisecond
	// clockLimit: a wall clock this far from most others keeps new work off its
	// node: jobs read the wall clock, whatever time the cluster keeps.
	clockLimit = 500 * time.Millisecond
	// clockQuorum: among fewer clocks nobody can say which one is wrong.
	clockQuorum = 3
	// clockPatience is for how many heartbeats the leader's own clock may be the
	// odd one out before the leadership moves.
	clockPatience = 20
)

// ObserveClock records how far a node's wall clock is from cluster time.
func (l *Leases) ObserveClock(node string, offset time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n := l.nodes[node]; n != nil {
		n.offset, n.observed = offset, true
	}
}

// ClockIsOff says whether a node's wall clock is far from those of most nodes
// that are in touch. It compares wall clocks, not with cluster time: a cluster
// whose time is wrong, because its first leader's was, has nothing against its
// nodes.
func (l *Leases) ClockIsOff(node string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := l.nodes[node]
	return n != nil && l.clockIsOff(n)
}

func (l *Leases) clockIsOff(n *lease) bool {
	if !n.observed {
		return false
	}
	now := l.mono()
	var offsets []time.Duration
	for _, other := range l.nodes {
		if other.observed && !l.lapsed(other, now) {
			offsets = append(offsets, other.offset)
		}
	}
	if len(offsets) < clockQuorum {
		return false
	}
	slices.Sort(offsets)
	return (n.offset - offsets[len(offsets)/2]).Abs() > clockLimit
}

// watchClock gives the leadership up when this node's own wall clock has been
// the odd one out for a while: cluster time follows the leader's.
func (l *Leader) watchClock(ctx context.Context) error {
	tick := time.NewTicker(l.Timing.Heartbeat)
	defer tick.Stop()
	var since int64
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		now := l.Clock.Mono()
		switch {
		case !l.Leases.ClockIsOff(l.Self):
			since = 0
		case since == 0:
			since = now
		case now-since >= clockPatience*int64(l.Timing.Heartbeat):
			l.Logger.Warn("this node's wall clock is far from the others'; handing the leadership on", "offset", l.Clock.WallOffset())
			if err := l.StepDown(ctx); err != nil {
				l.Logger.Warn("the leadership was not handed on; trying again", "error", err)
			}
			since = now
		}
	}
}

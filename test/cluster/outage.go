package cluster

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/rota-scheduler/rota/test/cluster/record"
)

// MoveWindow is how long after the election of a leader what the dead one held may
// come due.
const MoveWindow = 4 * time.Second

// succeedWithin bounds the wait for a new leader.
const succeedWithin = time.Minute

// Succession is who leads next, and how long it took.
type Succession struct {
	Name  string
	After time.Duration
}

// NextLeader returns once any other node names a leader that is not the old one.
func NextLeader(t testing.TB, c *Cluster, old string, since time.Time) (found Succession) {
	t.Helper()
	Eventually(t, succeedWithin, "a new leader", func() error {
		for _, n := range c.Nodes {
			if n.Name == old {
				continue
			}
			leader, err := n.Client().Leader(t.Context())
			if err == nil && leader.Name != old {
				found = Succession{leader.Name, time.Since(since)}
				return nil
			}
		}
		return errors.New("the others name none")
	})
	return found
}

// Outage is from the kill of a leader to the word of who leads next.
type Outage struct{ From, To time.Time }

// LateAround returns how late starts were that were due in outages: first attempts,
// which are of living nodes, and those that were moved from a dead one.
func LateAround(outages []Outage, records []record.Record) (living, moved []time.Duration) {
	for _, r := range records {
		if r.Event != record.Begin {
			continue
		}
		late := r.At.Sub(r.ScheduledAt)
		for _, o := range outages {
			switch {
			case r.ScheduledAt.Before(o.From) || r.ScheduledAt.After(o.To.Add(MoveWindow)):
			case r.Attempt > 1:
				moved = append(moved, late)
			case r.ScheduledAt.Before(o.To):
				living = append(living, late)
			}
		}
	}
	return living, moved
}

// Percentiles describes durations, which it sorts.
func Percentiles(d []time.Duration) string {
	if len(d) == 0 {
		return "none"
	}
	slices.Sort(d)
	at := func(i int) time.Duration { return d[min(len(d)-1, i)].Round(10 * time.Microsecond) }
	return fmt.Sprintf("p50 %s, p99 %s, most %s", at(len(d)/2), at(len(d)*99/100), at(len(d)-1))
}

package fsm

import (
	"fmt"
	"slices"
	"strings"
)

// Settings is the cluster's own row.
type Settings struct {
	// Format is the newest log format that may be written.
	Format int `codec:"f" json:"format"`
	ClusterSettings
	SetBy       string `codec:"sb,omitempty" json:"set_by,omitempty"`
	SetAt       Time   `codec:"sa,omitempty" json:"set_at,omitempty"`
	ModifyIndex uint64 `codec:"mi,omitempty" json:"modify_index"`
}

// ClusterSettings is what an operator may set for the whole cluster.
type ClusterSettings struct {
	// RegionLatency is declared: it counts instead of what is measured.
	RegionLatency []RegionLatency `codec:"rl,omitempty" json:"region_latency,omitempty"`
	// RemoveDeadAfter is how long a server may be dead before it is taken out of
	// Raft, where enough others vote; 0 means ten minutes.
	RemoveDeadAfter Duration  `codec:"rd,omitempty" json:"remove_dead_after,omitempty"`
	Autoscale       Autoscale `codec:"as" json:"autoscale,omitzero"`
}

// RegionLatency is the round trip between two regions, in either direction. The
// names stand in their order.
type RegionLatency struct {
	Regions [2]string `codec:"r" json:"regions"`
	RTT     Duration  `codec:"t" json:"rtt"`
}

// Bounds of the cluster's settings.
const (
	MaxRegionLatencies     = 1000
	MaxRTT                 = Duration(10e9)
	DefaultRemoveDeadAfter = Duration(600e9)
	minRemoveDeadAfter     = Duration(10e9)
	maxRemoveDeadAfter     = Duration(30 * 24 * 3600 * 1e9)
)

// DeadFor returns how long a server may be dead before it is removed.
func (s *ClusterSettings) DeadFor() Duration {
	if s.RemoveDeadAfter == 0 {
		return DefaultRemoveDeadAfter
	}
	return s.RemoveDeadAfter
}

// Normalise brings the pairs of regions into their order. It returns a copy.
func (s ClusterSettings) Normalise() ClusterSettings {
	s.RegionLatency = slices.Clone(s.RegionLatency)
	for i := range s.RegionLatency {
		slices.Sort(s.RegionLatency[i].Regions[:])
	}
	slices.SortFunc(s.RegionLatency, func(a, b RegionLatency) int {
		return slices.Compare(a.Regions[:], b.Regions[:])
	})
	return s
}

// Validate returns the first rule that normalised settings break; its text names
// the field.
func (s *ClusterSettings) Validate() error {
	invalid := func(format string, args ...any) error {
		return fmt.Errorf("%w: %s", ErrInvalid, fmt.Sprintf(format, args...))
	}
	if len(s.RegionLatency) > MaxRegionLatencies {
		return invalid("region_latency: %d pairs, at most %d are taken", len(s.RegionLatency), MaxRegionLatencies)
	}
	for i, l := range s.RegionLatency {
		pair := strings.Join(l.Regions[:], " and ")
		for _, name := range l.Regions {
			if err := CheckName(name); err != nil {
				return fmt.Errorf("region_latency: %w", err)
			}
		}
		switch {
		case l.Regions[0] == l.Regions[1]:
			return invalid("region_latency: %s: want two different regions", pair)
		case l.RTT <= 0 || l.RTT > MaxRTT:
			return invalid("region_latency of %s: %s: want more than 0, at most %s", pair, l.RTT, MaxRTT)
		case i > 0 && s.RegionLatency[i-1].Regions == l.Regions:
			return invalid("region_latency: %s stand there twice", pair)
		}
	}
	if d := s.RemoveDeadAfter; d != 0 && (d < minRemoveDeadAfter || d > maxRemoveDeadAfter) {
		return invalid("remove_dead_after: %s: want %s to %s, or 0 for %s", d, minRemoveDeadAfter, maxRemoveDeadAfter, DefaultRemoveDeadAfter)
	}
	return s.Autoscale.validate()
}

// PutSettings replaces what operators may set. Index, if not 0, is the
// ModifyIndex that they were read at.
type PutSettings struct {
	At       Time            `codec:"at"`
	By       string          `codec:"by"`
	Index    uint64          `codec:"i,omitempty"`
	Settings ClusterSettings `codec:"s"`
}

func applyPutSettings(c *change, cmd *PutSettings) (any, error) {
	old := c.settings()
	if cmd.Index != 0 && cmd.Index != old.ModifyIndex {
		return nil, fmt.Errorf("%w: the settings were changed meanwhile, at index %d: read them again and repeat the change", ErrConflict, old.ModifyIndex)
	}
	next := cmd.Settings.Normalise()
	if err := next.Validate(); err != nil {
		return nil, err
	}
	s := *old
	s.ClusterSettings, s.SetBy, s.SetAt, s.ModifyIndex = next, clip(cmd.By, MaxStatusBy), cmd.At, c.index
	c.putSettings(&s)
	return nil, nil
}

// JobStats counts what has become of a job's fires, and how much of its past is
// kept.
type JobStats struct {
	Namespace string            `codec:"ns" json:"namespace"`
	Job       string            `codec:"j" json:"job"`
	Ran       uint64            `codec:"r" json:"ran"`
	Skipped   map[string]uint64 `codec:"s,omitempty" json:"skipped,omitempty"`
	// Runs and Fires are how many ended runs and decided fires are kept now.
	Runs  int `codec:"kr" json:"kept_runs"`
	Fires int `codec:"kf" json:"kept_fires"`
}

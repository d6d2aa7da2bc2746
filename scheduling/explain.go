package scheduling

import (
	"fmt"
	"time"

	"github.com/rota-scheduler/rota/fsm"
)

// WhyPending says what a pending shard waits for, by a snapshot and what the
// caller knows of the nodes' readiness. It decides nothing: any node may ask.
func WhyPending(v *fsm.View, s *fsm.Shard, ready Readiness, now fsm.Time) string {
	run := v.Run(s.RunID)
	if s.State != fsm.ShardPending || run == nil {
		return ""
	}
	start := max(now, s.NotBefore)
	if !run.Opened {
		start = max(now, run.NotBefore)
	}
	switch {
	case len(run.WaitsFor) > 0:
		return fmt.Sprintf("waits for %d committed fires to be taken back", len(run.WaitsFor))
	case s.NotBefore > now:
		return fmt.Sprintf("%s, not before %s", s.Reason, s.NotBefore.Time().Format(time.RFC3339))
	case !run.Opened && run.NotBefore > now:
		return "not due before " + run.NotBefore.Time().Format(time.RFC3339)
	}
	_, why := NewCluster(v, Facts{Ready: ready}, now).Place(Request{Ref: s.Ref(), Weight: s.Weight, Start: start, Only: s.NodeID})
	if why == "" {
		return "waits for the leader to place it"
	}
	return why
}

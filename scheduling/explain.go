package scheduling

import (
	"fmt"
	"time"

	"github.com/rota-scheduler/rota/fsm"
)

// Explainer says what pending shards wait for, by a snapshot and what the caller
// knows of the nodes. It decides nothing: any node may ask. It is for one answer,
// and not safe for concurrent use.
type Explainer struct {
	view    *fsm.View
	facts   Facts
	now     fsm.Time
	rules   *ruleBook
	cluster *Cluster // made for the first that needs it
}

// NewExplainer returns an explainer of the state that v shows.
func NewExplainer(v *fsm.View, facts Facts, now fsm.Time) *Explainer {
	return &Explainer{view: v, facts: facts, now: now, rules: newRuleBook()}
}

// WhyPending says what a pending shard waits for; "" if it does not.
func (e *Explainer) WhyPending(s *fsm.Shard) string {
	now, run := e.now, e.view.Run(s.RunID)
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
	case mustWait(e.view, run, s):
		return "waits for an earlier run of its job to end; until then it takes nothing of its pools"
	}
	return e.whyNoPlace(run, s, start)
}

func (e *Explainer) whyNoPlace(run *fsm.Run, s *fsm.Shard, start fsm.Time) string {
	if e.cluster == nil {
		e.cluster = NewCluster(e.view, e.facts, e.now)
		e.keepRoom()
	}
	r := e.request(run, s, start)
	if why := e.cluster.WhyNot(r); why != "" {
		return why
	}
	return "waits for the leader to place it"
}

// maxKeeping bounds the work that has waited for long and is looked at.
const maxKeeping = 1000

// keepRoom keeps what the leader keeps for work that has waited for long.
func (e *Explainer) keepRoom() {
	seen := 0
	for s := range e.view.Pending() {
		if seen++; s.Line > fsm.Aged(e.now) || seen > maxKeeping {
			return
		}
		run := e.view.Run(s.RunID)
		if run == nil || run.Cancelling || len(run.WaitsFor) > 0 || s.NotBefore > e.now || mustWait(e.view, run, s) {
			continue
		}
		if r := e.request(run, s, e.now); e.cluster.Place(r) == nil {
			e.cluster.keep(r)
		}
	}
}

func (e *Explainer) request(run *fsm.Run, s *fsm.Shard, start fsm.Time) *Request {
	return requestFor(e.view, run, s, e.rules.of(e.view, s.JobKey(), s.Version, s.Task), start)
}

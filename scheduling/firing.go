package scheduling

import (
	"context"
	"maps"
	"time"

	"github.com/rota-scheduler/rota/fsm"
)

const (
	// maxDecisions bounds one entry of the log.
	maxDecisions = 512
	// gather is how much further than the horizon a pass looks, so that fires
	// close to each other share an entry.
	gather = 200 * time.Millisecond
	// brokenPause is how long a schedule that cannot be evaluated is left alone.
	brokenPause = time.Minute
	// maxPostponed is past how many postponed cursors the past ones are dropped.
	maxPostponed = 1000
)

// firer is the state of one term's firing loop.
type firer struct {
	*Leader
	// broken holds schedules that failed, and when to try them again.
	broken map[scheduleKey]fsm.Time
	// later holds cursors whose decision was refused for now.
	later map[scheduleKey]fsm.Time
}

// fire commits due instants a horizon ahead. Its cost follows the number of due
// instants: the store orders cursors by their next one.
func (l *Leader) fire(ctx context.Context) error {
	f := &firer{Leader: l, broken: map[scheduleKey]fsm.Time{}, later: map[scheduleKey]fsm.Time{}}
	for ctx.Err() == nil {
		v := l.Store.Watch()
		decisions, wake := f.collect(v)
		if len(decisions) == 0 {
			l.wait(ctx, v, wake)
			continue
		}
		f.propose(ctx, decisions)
	}
	return nil
}

// collect decides what is due within the horizon, up to the bound of one entry,
// and returns when to look again if nothing is.
func (f *firer) collect(v *fsm.View) ([]fsm.FireDecision, fsm.Time) {
	now := f.Clock.Now()
	forget(f.broken, now)
	forget(f.later, now)
	var decisions []fsm.FireDecision
	var plan *firePlan
	ahead := now.Add(fsm.Duration(f.Timing.Horizon))
	wake := fsm.Time(0)
	sooner := func(t fsm.Time) {
		if wake == 0 || t < wake {
			wake = t
		}
	}
	for cur := range v.Due() {
		if cur.Next > ahead.Add(fsm.Duration(gather)) {
			sooner(cur.Next.Add(-fsm.Duration(f.Timing.Horizon)))
			break
		}
		if t := f.postponed(cur, v, now); t != 0 {
			sooner(t)
			continue
		}
		if plan == nil {
			quiet := f.Store.Read() // what a plan reads is nothing to be woken by
			plan = f.newPlan(quiet, now)
		}
		decided, err := f.decide(plan, cur)
		if err != nil {
			f.Logger.Error("schedule cannot be evaluated; it does not fire", "job", cur.JobKey(), "schedule", cur.Schedule, "error", err)
			f.broken[keyOf(cur)] = now.Add(fsm.Duration(brokenPause))
			sooner(f.broken[keyOf(cur)])
			continue
		}
		decisions = append(decisions, decided...)
		if len(decisions) >= maxDecisions {
			break
		}
	}
	return decisions, wake
}

func keyOf(cur *fsm.Cursor) scheduleKey {
	return scheduleKey{cur.JobKey(), cur.Version, cur.Schedule}
}

// postponed returns when to look at a cursor again, or 0 if it can be decided.
// A paused job's instants are decided when they come, so that resuming it does
// not find the next seconds already skipped.
func (f *firer) postponed(cur *fsm.Cursor, v *fsm.View, now fsm.Time) fsm.Time {
	key := keyOf(cur)
	for _, m := range []map[scheduleKey]fsm.Time{f.broken, f.later} {
		if t, ok := m[key]; ok {
			if t > now {
				return t
			}
			delete(m, key)
		}
	}
	job := v.Job(cur.JobKey())
	if job.Deleting {
		return now.Add(fsm.Duration(time.Hour)) // it goes away with its last run
	}
	if job.Paused && cur.Next > now {
		return cur.Next
	}
	if f := v.Fire(cur.JobKey(), cur.Next); f != nil && f.Outcome == "" && f.Version != cur.Version {
		// The version before has not been taken back there yet. That changes
		// the fire, which v watches.
		return now.Add(fsm.Duration(brokenPause))
	}
	return 0
}

// forget drops what is past from a map of postponed cursors: jobs go away, and
// with them the visits that would drop it one by one.
func forget(m map[scheduleKey]fsm.Time, now fsm.Time) {
	if len(m) > maxPostponed {
		maps.DeleteFunc(m, func(_ scheduleKey, t fsm.Time) bool { return t <= now })
	}
}

// firePlan is what the decisions of one pass share.
type firePlan struct {
	view    *fsm.View
	cluster *Cluster
	rules   *ruleBook
	now     fsm.Time
	// with remembers where this pass has put a job that runs one at a time, and ran
	// that it has made a run of it.
	with map[fsm.JobKey]string
	ran  map[fsm.JobKey]bool
}

// newPlan takes a snapshot in which what waits already has the room that it will be
// given: what is due in some seconds must not take it away.
func (f *firer) newPlan(quiet *fsm.View, now fsm.Time) *firePlan {
	cluster := NewCluster(quiet, f.facts(), now)
	f.planPending(quiet, quiet, cluster)
	return &firePlan{view: quiet, cluster: cluster, rules: f.rules, now: now, with: map[fsm.JobKey]string{}, ran: map[fsm.JobKey]bool{}}
}

func (f *firer) decide(p *firePlan, cur *fsm.Cursor) ([]fsm.FireDecision, error) {
	job := cur.JobKey()
	version := p.view.Version(job, cur.Version)
	if version == nil {
		return nil, nil // a newer version came between the two reads
	}
	spec := version.Spec()
	sched := &spec.Schedules[cur.Schedule]
	compiled, err := f.schedules.get(job, cur.Version, cur.Schedule, spec)
	if err != nil {
		return nil, err
	}
	instants, err := decideInstant(sched, compiled, cur, p.now, f.Timing)
	if err != nil {
		return nil, err
	}
	decisions := make([]fsm.FireDecision, len(instants))
	for i, d := range instants {
		decisions[i] = fsm.FireDecision{
			Job: job, Version: cur.Version, Schedule: cur.Schedule, Instant: d.instant, Next: d.next,
			Skip: d.skip, Until: d.until, Count: d.count, NotBefore: d.notBefore,
		}
		start := max(d.instant, d.notBefore)
		if d.skip == "" && start <= p.now.Add(fsm.Duration(f.Timing.Horizon+gather)) {
			decisions[i].Arm = p.placeGate(version, sched, start)
		}
	}
	return decisions, nil
}

// placeGate finds a node for the gate of a new run. A job that runs one at a
// time goes where its active run sits: there the condition can be judged even
// while no leader answers (rule 23). No place is no error: the placing loop
// tries again.
func (p *firePlan) placeGate(version *fsm.JobVersion, sched *fsm.Schedule, start fsm.Time) *fsm.Placement {
	spec := version.Spec()
	job, gate := spec.Key(), gateOf(spec)
	req := &Request{
		Ref: fsm.AttemptRef{Task: gate.Name}, Job: job, Rules: p.rules.of(p.view, job, version.Version, gate.Name),
		Weight: gate.Load(), Pools: gate.Pools, Line: fsm.PlaceInLine(start, spec.Rank()), Start: start,
	}
	exclusive := sched.OverlapPolicy() != fsm.OverlapAllow
	first := !p.ran[job]
	p.ran[job] = true
	if exclusive && len(gate.Pools) > 0 && (!first || hasActive(p.view, job)) {
		return nil // it must wait, see mustWait
	}
	if exclusive {
		req.With = p.with[job]
		if req.With == "" {
			req.With = holderOf(p.view, job)
		}
	}
	placement := p.cluster.Place(req)
	if placement != nil && exclusive {
		p.with[job] = placement.Node
	}
	return placement
}

// gateOf returns the first task that waits for no other; a valid job has one.
func gateOf(spec *fsm.JobSpec) *fsm.Task {
	for i := range spec.Tasks {
		if len(spec.Tasks[i].DependsOn) == 0 {
			return &spec.Tasks[i]
		}
	}
	return &spec.Tasks[0]
}

// holderOf returns the node that holds the gate of the job's newest active run.
func holderOf(v *fsm.View, job fsm.JobKey) string {
	node := ""
	for run := range v.ActiveRuns(job) {
		if s := v.Shard(run.ID, run.Gate, 0); s != nil && s.State.Held() {
			node = s.Current.Node
		}
	}
	return node
}

func hasActive(v *fsm.View, job fsm.JobKey) bool {
	for range v.ActiveRuns(job) {
		return true
	}
	return false
}

// propose commits decisions, and remembers those that were refused for now.
func (f *firer) propose(ctx context.Context, decisions []fsm.FireDecision) {
	now := f.Clock.Now()
	value, _, err := f.Proposer.Propose(ctx, fsm.OpDecideFires, fsm.DecideFires{At: now, Decisions: decisions})
	if err != nil {
		if ctx.Err() == nil {
			f.Logger.Warn("fires were not committed; trying again", "fires", len(decisions), "error", err)
			f.pause(ctx)
		}
		return
	}
	for i, err := range itemErrors(value) {
		if err == nil {
			continue
		}
		d := &decisions[i]
		f.Logger.Debug("fire refused", "job", d.Job, "instant", d.Instant, "error", err)
		f.later[scheduleKey{d.Job, d.Version, d.Schedule}] = now.Add(fsm.Duration(retryPause))
	}
}

package fsm

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// author writes a random but plausible log: it looks at the state, picks a gate
// or a shard, and does to it what has been done least to shards in that state.
// Now and then it writes commands that fit nothing.
type author struct {
	*lab
	rng    *rand.Rand
	runs   int
	counts map[string]int // by "state/event"
}

func newAuthor(l *lab, seed uint64) *author {
	a := &author{lab: l, rng: rand.New(rand.NewPCG(seed, 1)), counts: map[string]int{}}
	for _, n := range authorNodes {
		a.node(n, 1)
	}
	return a
}

var authorNodes = []string{"n1", "n2", "n3"}

// authorSpecs are the jobs of the random log; every one is changed now and then.
func authorSpec(i, change int) JobSpec {
	var s JobSpec
	switch i {
	case 0:
		s = spec("forbid", 1)
	case 1:
		s = spec("diamond", 1, task("a"), task("b", "a"), task("c", "a"), task("d", "b", "c"))
	case 2:
		s = spec("twice", 2, task("x"), task("y"), task("z", "x", "y"))
	case 3:
		s = spec("allow", 1, task("a"), task("b", "a"))
		s.Schedules[0].Overlap = OverlapAllow
	case 4:
		s = spec("queue", 1)
		s.Schedules[0].Overlap = OverlapQueue
		if change%3 > 1 {
			s.Tasks[0].Pools = []PoolUse{{"p1", 1}, {"p2", 2}}
		}
	case 5:
		s = spec("replace", 1, task("a"), task("b", "a"))
		s.Schedules[0].Overlap = OverlapReplace
	case 6:
		s = spec("manual", 0, task("a"), task("b"))
	case 7:
		s = spec("cut", 1, task("a"), task("done", "a"), task("failed", "a"), task("after", "failed", "a"))
		s.Tasks[0].Shards = &Shards{Count: 4, MaxParallel: 2 + change%2}
		s.Tasks[1].RunIf, s.Tasks[2].RunIf = RunIfAllDone, RunIfAnyFailed
		s.Timeout = Duration(15 * second)
		s.Tasks[0].Pools = []PoolUse{{"p1", 1}}
		s.Priority = new(change % 101)
	case 8:
		s = spec("nodes", change%2, task("each"), task("again", "each"))
		s.Tasks[0].Shards = &Shards{PerNode: true}
		s.Tasks[1].Shards = &Shards{Count: 3, Range: &[2]int64{-5, 5}}
		s.Tasks[1].RunIf = RunIfAllDone
	default:
		s = spec("list", 0, task("write"), task("read", "write"), task("end", "read"))
		s.Tasks[0].Driver, s.Tasks[0].Command = DriverExec, "list"
		s.Tasks[1].Shards = &Shards{ItemsFrom: "write", Count: change % 3}
		s.Params = []Param{{Name: "p", Default: new("d")}}
		if change%3 > 0 {
			s.After = []string{"manual", "allow"}[:change%3]
		}
	}
	if i%2 == 0 || change%3 == 0 {
		s.ExpectedDuration = Duration(5 * second)
		s.Notify = []Notify{
			{Kind: NotifyWebhook, On: EventNames, URL: "http://127.0.0.1/hook", Secret: "s"},
			{Kind: NotifyExec, On: []string{EventFailure, EventMissed}, Command: "tell"},
		}
	}
	s.History.Runs, s.History.Age = 3+change%3, Duration(20*second)
	s.Labels = map[string]string{"change": fmt.Sprint(change % 4), "a": "b", "c": "d"}
	if len(s.Schedules) > 0 && change%2 == 0 {
		s.Schedules[0].StartDeadline = Duration(30 * second)
	}
	return s
}

const authorJobs = 10

// Events that aim at one shard, and events that aim at its run or job.
var (
	shardEvents = []string{
		"arm", "started", "succeeded", "failed", "cancelled", "killed", "never", "skipped", "missed",
		"move", "lose", "evict", "leader_skip", "leader_miss", "strand", "stale_report", "stale_arm",
	}
	jobEvents = []string{"pause", "resume", "new_version", "manual", "cancel", "delete", "prune", "replace", "retry", "timeout", "slow"}
	allEvents = slices.Concat(shardEvents, jobEvents)
)

// stateOf names a shard's state as the coverage counts it.
func stateOf(v *View, s *Shard) string {
	name := string(s.State)
	if s.Why != "" {
		name += "_" + s.Why
	}
	switch {
	case s.State.Ended():
	case s.Known && s.State != ShardRunning:
		name += "_retry"
	case s.Maybe && s.State != ShardRunning:
		name += "_maybe"
	}
	if r := v.Run(s.RunID); s.State == ShardPending && r.Trigger == TriggerManual {
		name += "_manual"
	}
	return name
}

// step writes the next command of the log.
func (a *author) step() (Opcode, any) {
	a.now += Time(a.rng.Int64N(int64(second / 10)))
	v := a.view()
	if s := a.crowd(v); s != nil {
		return a.command(v, s, map[bool]string{true: "cancel", false: "succeeded"}[a.rng.IntN(3) == 0])
	}
	switch n := a.rng.IntN(100); {
	case n < 12:
		return a.putJob(v)
	case n < 37:
		return a.decideDue(v)
	case n < 42:
		return a.nodeEvent(v)
	case n < 45:
		return a.nonsense()
	case n == 45 && a.rng.IntN(3) == 0:
		return OpDeletePool, DeletePool{a.now, []string{"p1", "p2", "p3"}[a.rng.IntN(3)]}
	case n < 46:
		return OpRaiseFormat, RaiseFormat{Format: a.rng.IntN(4)}
	case n < 48:
		return a.deliver(v)
	case n < 52:
		return a.startRun(a.anyJob())
	case n < 54:
		for r := range v.Replacing() {
			return OpReplaceRuns, ReplaceRuns{a.now, r.ID}
		}
	case n < 55:
		return a.scale(v)
	}
	if s, event := a.anyEvent(v); s != nil {
		return a.command(v, s, event)
	}
	return a.putJob(v)
}

// crowd returns a held shard if there are so many live ones that the states would
// only grow wide.
func (a *author) crowd(v *View) *Shard {
	live := slices.Collect(v.Held())
	waiting := slices.Collect(v.Pending())
	if len(live)+len(waiting) < 24 {
		return nil
	}
	if len(live) > 0 && a.rng.IntN(2) == 0 {
		return live[a.rng.IntN(len(live))]
	}
	if len(waiting) > 0 && a.rng.IntN(2) == 0 {
		return waiting[a.rng.IntN(len(waiting))]
	}
	return nil
}

func (a *author) anyJob() JobKey { return authorSpecPtr(a.rng.IntN(authorJobs)).Key() }

func authorSpecPtr(i int) *JobSpec { s := authorSpec(i, 0); return &s }

func (a *author) putJob(v *View) (Opcode, any) {
	p := PutJobs{At: a.now}
	i := a.rng.IntN(authorJobs)
	s := authorSpec(i, a.rng.IntN(12))
	j := PutJob{Spec: s}
	for range s.Schedules {
		// Whole seconds, so that versions and schedules meet at the same instants.
		j.Next = append(j.Next, (a.now/second+1+Time(a.rng.IntN(3)))*second)
	}
	if job := v.Job(s.Key()); job != nil && a.rng.IntN(4) == 0 {
		j.Version = job.Version - uint64(a.rng.IntN(2))
	}
	p.Jobs = append(p.Jobs, j)
	if a.rng.IntN(10) == 0 {
		p.Jobs = append(p.Jobs, PutJob{Spec: authorSpec(a.rng.IntN(authorJobs), 1)})
	}
	if len(s.PoolNames()) == 0 || v.Pool("p1") != nil && a.rng.IntN(3) > 0 {
		return OpPutJobs, p
	}
	return OpApplyFile, ApplyFile{[]PutPool{{"p1", 2 + a.rng.IntN(2)}, {"p2", 2}}, p}
}

// decideDue decides some of the cursors, the earliest first.
func (a *author) decideDue(v *View) (Opcode, any) {
	d := DecideFires{At: a.now}
	for cur := range v.Due() {
		if len(d.Decisions) > a.rng.IntN(4) || cur.Next > a.now+6*second {
			break
		}
		x := FireDecision{
			Job: cur.JobKey(), Version: cur.Version, Schedule: cur.Schedule, Instant: cur.Next,
			Next: cur.Next + second*Time(1+a.rng.IntN(3)),
		}
		switch a.rng.IntN(12) {
		case 0:
			x.Skip = []string{ReasonMissed, ReasonBlackout, ReasonSuperseded}[a.rng.IntN(3)]
		case 1:
			x.Skip, x.Until, x.Count = ReasonMissed, x.Next-second/2, 1+a.rng.IntN(9)
		case 2:
			x.Version--
		case 3:
			x.NotBefore = a.now + second
		case 4, 5, 6, 7, 8:
			n := v.Node(authorNodes[a.rng.IntN(3)])
			x.Arm = &Placement{Node: n.ID, Incarnation: n.Incarnation, Reason: "spread"}
		}
		d.Decisions = append(d.Decisions, x)
	}
	return OpDecideFires, d
}

func (a *author) nodeEvent(v *View) (Opcode, any) {
	n := v.Node(authorNodes[a.rng.IntN(3)])
	switch a.rng.IntN(8) {
	case 0, 1:
		statuses := []NodeStatus{NodeReady, NodeReady, NodeDraining, NodeMaintenance, NodeDown, NodeLeft, "odd"}
		return OpSetNodeStatus, SetNodeStatus{a.now, n.ID, statuses[a.rng.IntN(len(statuses))], "author", n.ModifyIndex * uint64(a.rng.IntN(2))}
	case 2, 3, 4:
		return OpSetNodeStatus, SetNodeStatus{a.now, n.ID, NodeReady, "author", 0}
	case 5:
		statuses := []NodeStatus{NodeDraining, NodeStandby, NodeReady}
		return OpDrainNode, DrainNode{a.now, n.ID, statuses[a.rng.IntN(3)], "author", a.now + second, n.Incarnation * uint64(a.rng.IntN(2))}
	}
	next := Node{ID: n.ID, Name: n.Name, Incarnation: n.Incarnation + uint64(a.rng.IntN(2)), Capacity: a.rng.IntN(200), Labels: map[string]string{"x": "y", "a": "b"}}
	if a.rng.IntN(5) == 0 {
		next.Name = authorNodes[a.rng.IntN(3)]
	}
	return OpRegisterNode, RegisterNode{a.now, next}
}

// scale changes the settings, or begins or carries on a change of size.
func (a *author) scale(v *View) (Opcode, any) {
	var last *ScaleEvent
	for e := range v.ScaleEvents() {
		last = e
	}
	switch n := a.rng.IntN(4); {
	case n == 0:
		s := ClusterSettings{Autoscale: Autoscale{Provider: ProviderStandby, Min: a.rng.IntN(2), Max: 3}}
		s.RegionLatency = []RegionLatency{{[2]string{"b", "a"}, Duration(second)}, {[2]string{"a", "c"}, Duration(1 + a.rng.IntN(9))}}
		return OpPutSettings, PutSettings{a.now, "author", v.Settings().ModifyIndex * uint64(a.rng.IntN(2)), s}
	case last == nil || last.Ended() || n == 1:
		e := ScaleEvent{Kind: []string{ScaleUp, ScaleDown}[a.rng.IntN(2)], At: a.now, Load: 0.9, Steps: make([]ScaleStep, 1+a.rng.IntN(3))}
		return OpStartScaling, StartScaling{e, v.Settings().ModifyIndex}
	}
	i := a.rng.IntN(len(last.Steps))
	s := last.Steps[i]
	s.State = []string{ScaleDraining, ScaleRemoving, ScaleDone, ScaleFailed}[a.rng.IntN(4)]
	return OpAdvanceScaling, AdvanceScaling{a.now, last.Index, i, last.Steps[i].State, last.Steps[i].Tries, s}
}

func (a *author) startRun(k JobKey) (Opcode, any) {
	a.runs++
	id := fmt.Sprintf("m%d", a.runs-a.rng.IntN(2))
	cmd := StartRun{At: a.now, ID: id, Job: k}
	if k.Name == "list" {
		cmd.Params = map[string]string{[]string{"p", "p", "p", "q"}[a.rng.IntN(4)]: "given"}
	}
	return OpStartRun, cmd
}

// anyEvent picks a live shard and what has been done least to shards in its
// state. Now and then it picks a shard that has ended.
func (a *author) anyEvent(v *View) (*Shard, string) {
	var best *Shard
	var event string
	least := -1
	consider := func(s *Shard) {
		state := stateOf(v, s)
		for _, e := range allEvents {
			if n := a.counts[state+"/"+e]*4 + a.rng.IntN(8); least < 0 || n < least {
				best, event, least = s, e, n
			}
		}
	}
	ended := a.rng.IntN(12) == 0
	for s := range scan[Shard](v, tableShards, indexID, nil) {
		if s.State.Ended() == ended {
			consider(s)
		}
	}
	switch {
	case best == nil:
		return nil, ""
	case best.State.Held() && a.rng.IntN(4) == 0: // so that graphs come to their ends
		event = []string{"started", "succeeded"}[a.rng.IntN(2)]
	case best.State == ShardPending && a.rng.IntN(3) == 0:
		event = "arm"
	}
	a.counts[stateOf(v, best)+"/"+event]++
	return best, event
}

func (a *author) command(v *View, s *Shard, event string) (Opcode, any) {
	job, ref := s.JobKey(), s.Ref()
	node := v.Node(authorNodes[a.rng.IntN(3)])
	switch event {
	case "arm", "stale_arm":
		if event == "stale_arm" {
			ref.Attempt--
		}
		return OpArmShards, ArmShards{a.now, []Placement{{AttemptRef: ref, Node: node.ID, Incarnation: node.Incarnation}}}
	case "move", "lose", "strand":
		return OpDisplaceShards, DisplaceShards{a.now, DisplaceKind(event), []AttemptRef{ref}, "silent"}
	case "evict":
		return OpEvictShards, EvictShards{a.now, []AttemptRef{ref}}
	case "leader_skip", "leader_miss":
		return OpDisplaceShards, DisplaceShards{a.now, DisplaceKind(strings.TrimPrefix(event, "leader_")), []AttemptRef{ref}, ""}
	case "pause", "resume":
		return OpSetPaused, SetPaused{a.now, job, event == "pause"}
	case "new_version":
		for i := range authorJobs {
			if s := authorSpec(i, a.rng.IntN(12)); s.Key() == job {
				p := PutJob{Spec: s}
				for range s.Schedules {
					p.Next = append(p.Next, (a.now/second+1)*second)
				}
				return OpPutJobs, PutJobs{a.now, []PutJob{p}}
			}
		}
	case "manual":
		return a.startRun(job)
	case "cancel":
		return OpCancelRun, CancelRun{a.now, s.RunID}
	case "delete":
		return OpDeleteJob, DeleteJob{a.now, job}
	case "retry":
		// Of all ended runs: few shards that are looked at belong to one.
		var ended []*Run
		for r := range v.AllRuns("") {
			if r.State == RunFailed || r.State == RunCancelled {
				ended = append(ended, r)
			}
		}
		if len(ended) == 0 || a.rng.IntN(8) == 0 {
			return OpRetryRun, RetryRun{a.now, s.RunID, 1}
		}
		r := ended[a.rng.IntN(len(ended))]
		return OpRetryRun, RetryRun{a.now, r.ID, r.Retries + a.rng.IntN(3)}
	case "timeout":
		late := TimeoutRuns{At: a.now, IDs: []string{s.RunID}}
		for r := range v.Deadlines() {
			if a.rng.IntN(2) == 0 {
				late.At = max(late.At, r.Deadline)
				late.IDs = append(late.IDs, r.ID)
			}
		}
		return OpTimeoutRuns, late
	case "slow":
		slow := NoteSlowRuns{At: a.now, IDs: []string{s.RunID}}
		for r := range v.SlowRuns() {
			if a.rng.IntN(2) == 0 {
				slow.At = max(slow.At, r.SlowAt)
				slow.IDs = append(slow.IDs, r.ID, r.ID)
			}
		}
		return OpNoteSlowRuns, slow
	case "prune":
		return OpPruneHistory, PruneHistory{a.now, []JobKey{job}}
	case "replace":
		for r := range v.Replacing() {
			if r.JobKey() == job || a.rng.IntN(4) > 0 {
				return OpReplaceRuns, ReplaceRuns{a.now, r.ID}
			}
		}
		return OpReplaceRuns, ReplaceRuns{a.now, s.RunID}
	}
	return OpReportAttempts, a.reportOf(s, event)
}

func (a *author) reportOf(s *Shard, event string) ReportAttempts {
	r := Report{AttemptRef: s.Ref(), StartedAt: a.now - second, EndedAt: a.now, Tail: []byte("tail"), ExitCode: a.rng.IntN(3)}
	switch event {
	case "succeeded", "failed", "cancelled":
		r.Kind, r.Outcome = ReportEnded, event
		if s.Task == "write" && a.rng.IntN(4) > 0 {
			r.Listed, r.Output = true, "last line"
			for i := range a.rng.IntN(7) {
				r.Items = append(r.Items, fmt.Sprint("item", i))
			}
		}
	case "stale_report":
		r.Kind = ReportNever
		r.Attempt -= 1 + a.rng.IntN(2)
	default:
		r.Kind = ReportKind(event)
	}
	c := ReportAttempts{At: a.now, Node: s.Current.Node, Incarnation: s.Current.Incarnation + uint64(a.rng.IntN(2)), Reports: []Report{r}}
	if a.rng.IntN(4) == 0 {
		c.Reports = append(c.Reports, r) // sent twice
	}
	return c
}

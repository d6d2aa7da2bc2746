package model

// agent offers the decisions of node x's agent. Each looks at what the agent has
// applied; nothing lies between a decision and its being acted on, however late.
func (st *step) agent(x int) {
	e := &st.state.Exec[x]
	if e.AgentUp == 0 || e.Frozen == 1 {
		return
	}
	for i := range shards {
		l, v := e.Local[i], &e.View.Shards[i]
		held := int(v.Node) == x && v.State.held()
		current := held && l.State != unknown && l.Attempt == v.Attempt
		if l.State == live && e.SupervisorUp == 1 {
			st.kill(x, i, current)
		}
		if l.State == decided {
			st.do(of(tellSupervisor, x, i), func(n *State) { n.Exec[x].Local[i].State = sent })
		}
		if !held {
			continue
		}
		free := l.State == unknown || (l.Attempt != v.Attempt && l.State.over())
		if free && v.State != running {
			st.judge(x, i)
		}
		if e.Report.Entry == noEntry {
			st.tell(x, i, current, free)
		}
	}
}

// kill offers to end what the log no longer wants here.
func (st *step) kill(x, i int, current bool) {
	s, e := st.state, &st.state.Exec[x]
	if !current && e.Applied == s.Head {
		st.do(of(killSuperseded, x, i), func(n *State) { n.Exec[x].Local[i].State = killed })
	}
	if current && e.View.Shards[i].Why == whyCancel {
		st.do(of(killCancelled, x, i), func(n *State) { n.Exec[x].Local[i].State = killedOnRequest })
	}
}

// judge offers what may be decided about an attempt that is armed or asked back
// and that the node has not decided about.
func (st *step) judge(x, i int) {
	s, e := st.state, &st.state.Exec[x]
	v := &e.View.Shards[i]
	clock := s.Now + st.Offset[x]
	decide := func(k Kind, state LocalState) {
		st.do(of(k, x, i), func(n *State) { n.Exec[x].Local[i] = Local{State: state, Attempt: v.Attempt} })
	}
	mine := v.Life == e.Life || !st.on(IncarnationTie)
	due := clock >= st.due(i)
	late := st.bounded(i, v) && clock > st.due(i)+st.Deadline
	holds := st.conditionHolds(s, x, v.Condition)
	if v.State == armed && mine && due && !late && holds && st.leased(s, x) {
		st.do(of(decideStart, x, i), func(n *State) {
			n.Exec[x].Local[i] = Local{decided, v.Attempt, st.expiry(e, i, v, x)}
		})
	}
	if mine && due && !holds && st.Overlap == Forbid && (v.Maybe == 0 || !st.on(MaybeWaits)) {
		decide(decideSkip, skipped)
	}
	if mine && late {
		decide(decideMissed, missed)
	}
	if v.State == retracting || (v.Life < e.Life && st.on(IncarnationTie)) {
		if v.Life < e.BootLife && st.on(RebootMaybe) {
			decide(decideLost, killed)
		} else {
			decide(decideNever, never)
		}
	}
}

// leased says whether node x may start work.
func (m *Model) leased(s *State, x int) bool {
	e := &s.Exec[x]
	return e.LeaseLost == 0 && e.LeaseBase != 0 && s.Now < e.LeaseBase+m.Lease && e.Applied >= e.LeaseFloor
}

// expiry is the instant from which a start is refused.
func (st *step) expiry(e *Executor, i int, v *Shard, x int) uint8 {
	end := e.LeaseBase + st.Lease
	if st.bounded(i, v) {
		end = min(end, st.due(i)+st.Deadline+1-st.Offset[x])
	}
	return end
}

// conditionHolds says whether node x knows that every run of the set has ended.
func (m *Model) conditionHolds(s *State, x int, set uint8) bool {
	e := &s.Exec[x]
	for r := range runs {
		if set&bit(r) != 0 && !e.View.ended(r) && !m.endedHere(e, x, r) {
			return false
		}
	}
	return true
}

// endedHere: the run is one attempt, it is this node's as far as the node knows,
// and it came to an end here after which no other can follow.
func (m *Model) endedHere(e *Executor, x, run int) bool {
	v, l := &e.View.Shards[run], e.Local[run]
	if !m.on(ConditionFinal) {
		return l.State == endedWell || l.State == killed || l.State == skipped || l.State == missed
	}
	if m.on(SingleAttempt) && run == 0 && m.Second != NoSecond {
		return false
	}
	return int(v.Node) == x && v.State.held() && v.Life <= e.Life && l.Attempt == v.Attempt &&
		(l.State == endedWell || l.State == skipped || l.State == missed)
}

// reportsOf is what a node says of an attempt that stands as it does.
var reportsOf = [...]Entry{
	live: reportStarted, endedWell: reportEnded, killed: reportKilled, killedOnRequest: reportCancelled,
	skipped: reportSkipped, never: reportNever, missed: reportMissed,
}

// tell offers to report what the log does not show yet.
func (st *step) tell(x, i int, current, free bool) {
	e := &st.state.Exec[x]
	v := &e.View.Shards[i]
	entry := noEntry
	switch {
	case current:
		entry = reportsOf[e.Local[i].State]
	case v.State == running && free:
		entry = reportKilled
	}
	known := v.State == running && entry != reportEnded && entry != reportKilled && entry != reportCancelled
	if entry == noEntry || known {
		return
	}
	a := of(report, x, i)
	a.Entry = entry
	st.do(a, func(n *State) {
		n.Exec[x].Report = Message{Entry: entry, Shard: uint8(i), Attempt: v.Attempt, Reporter: e.Life}
	})
}

// reports offers that a report reaches the log.
func (st *step) reports(x int) {
	s := st.state
	msg := s.Exec[x].Report
	if msg.Entry == noEntry || !leads(s) || !s.Cut.reaches(uint8(x), s.Leader) || s.Exec[x].Frozen == 1 {
		return
	}
	a := of(takeReport, x, int(msg.Shard))
	a.Entry = msg.Entry
	st.do(a, func(n *State) {
		st.commit(n, msg.Entry, int(msg.Shard), msg.Attempt)
		if msg.Reporter > n.Answering[x] {
			n.Answering[x] = 0 // nothing more is armed there before that life's heartbeat
		}
		n.Exec[x].Report = Message{}
	})
}

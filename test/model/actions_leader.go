package model

// leader offers the leader's decisions.
func (st *step) leader() {
	s := st.state
	if p := s.Proposal; p.Entry != noEntry {
		a := of(enterProposal, none, int(p.Shard))
		a.Entry = p.Entry
		st.do(a, st.enter)
	}
	for i := range shards {
		v := &s.Log.Shards[i]
		switch {
		case v.State == absent && i < st.Fires:
			st.commitFire(i)
		case v.State == pending:
			st.place(i)
		case v.State.held() && s.Proposal.Entry == noEntry:
			st.displace(i)
		}
		if st.Overlap == Replace && i < runs {
			st.makeRoom(i)
		}
	}
}

// clock is the leader's.
func (st *step) clock() uint8 { return st.state.Now + st.Offset[st.state.Leader] }

// enter appends the decision in flight. The node's next lease needs it applied.
func (st *step) enter(n *State) {
	p := n.Proposal
	node := n.Log.Shards[p.Shard].Node
	st.commit(n, p.Entry, int(p.Shard), p.Attempt)
	if p.Entry == leaderMoves || p.Entry == leaderLoses {
		n.Floor[node] = n.Head
	}
	n.Proposal = Proposal{}
}

// commitFire offers to make a fire's run, a horizon ahead and in order.
func (st *step) commitFire(i int) {
	l := &st.state.Log
	if st.clock()+st.Horizon < st.Due[i] || l.Paused == 1 || l.Deleting == 1 || (i > 0 && l.Shards[i-1].State == absent) {
		return
	}
	if st.clock() > st.Due[i]+st.Deadline {
		st.do(of(miss, none, i), func(n *State) { n.Log.Shards[i].State = skippedMissed; n.Head++ })
		return
	}
	condition := uint8(0)
	if st.Overlap != Allow {
		condition = l.activeRuns()
	}
	st.armOn(arm, i, condition)
	if st.Unplaced {
		st.do(of(commitUnplaced, none, i), func(n *State) {
			v := &n.Log.Shards[i]
			v.State, v.Condition = pending, condition
			n.Head++
		})
	}
}

// place offers to place a shard that sits on no node, or to end its run.
func (st *step) place(i int) {
	l := &st.state.Log
	v := &l.Shards[i]
	condition := v.Condition
	for r := range runs {
		if l.ended(r) {
			condition &^= bit(r)
		}
	}
	unstarted := st.bounded(i, v)
	if unstarted && st.clock() > st.Due[i]+st.Deadline {
		st.do(of(miss, none, i), func(n *State) { n.Log.Shards[i].State = skippedMissed; n.Head++ })
		return
	}
	if st.Unplaced && st.Overlap == Forbid && unstarted && st.clock() >= st.Due[i] && condition != 0 {
		st.do(of(skip, none, i), func(n *State) { n.Log.Shards[i].State = skippedOverlap; n.Head++ })
	}
	wanted := v.Known == 1 || l.Paused == 0 || i == second || (st.ManualWhilePaused && st.isManual(i))
	if l.Shards[runOf(i)].Cancelling == 0 && wanted {
		st.armOn(rearm, i, condition)
	}
}

// armOn offers to arm a shard on each node that is in touch.
func (st *step) armOn(kind Kind, i int, condition uint8) {
	s := st.state
	for x := range executors {
		lapsed := s.Now >= s.Answered[x]+st.Lease
		if s.Answering[x] == 0 || (lapsed && !st.LateArming) || s.Log.Drained&bit(x) != 0 || (st.FirstOnA && kind == arm && x != nodeA) {
			continue
		}
		a := of(kind, x, i)
		if lapsed {
			a.Kind = armLate
		}
		if x == nodeA {
			a.Late = 1
		}
		st.do(a, func(n *State) { st.arm(n, x, i, condition) })
	}
}

func (st *step) arm(n *State, x, i int, condition uint8) {
	v := &n.Log.Shards[i]
	v.State, v.Node, v.Life, v.Condition = armed, uint8(x), n.Answering[x], condition
	if clock := st.clock(); (st.ArmedDue || i == second) && clock > st.due(i) {
		v.ArmedAt = clock
	}
	if i == 0 && v.Known == 0 && st.Second != NoSecond && !st.on(GateFirst) && n.Log.Shards[second].State == absent {
		n.Log.Shards[second].State = pending
	}
	n.Head++
}

// displace offers to take an attempt from a node that cannot speak for itself.
func (st *step) displace(i int) {
	s := st.state
	v := &s.Log.Shards[i]
	answered := s.Answered[v.Node]
	silent := s.Now >= answered+st.Lease
	fenced := s.Now > answered+st.StopAfter+st.Grace
	dead, note := st.dead(v)
	propose := func(k Kind, e Entry) {
		a := of(k, int(v.Node), i)
		a.Entry = e
		st.do(a, func(n *State) { n.Proposal = Proposal{e, uint8(i), v.Attempt} })
	}
	due := max(st.due(i), v.ArmedAt)
	ahead := st.Offset[s.Leader] + st.Skew
	move := v.State != running && silent && (due >= answered+st.Lease+ahead || !st.on(MaybeStarted))
	if st.on(SkewDead) {
		note += ahead
	} else {
		note += st.Offset[s.Leader]
	}
	move = move || (v.State != running && dead && due > note)
	switch {
	case move:
		propose(decideMove, leaderMoves)
	case fenced || (st.Idempotent && (silent || (!st.on(LapseFirst) && (dead || s.Now+1 >= answered+st.Lease)))):
		propose(decideLose, leaderLoses)
	}
	if !st.on(OneDecider) && v.State == armed {
		st.overrule(i, propose)
	}
}

// dead says whether the agent that an attempt is armed for is known to be dead,
// and from when on it surely started nothing.
func (st *step) dead(v *Shard) (dead bool, since uint8) {
	note := st.state.Notes[st.state.Leader][v.Node]
	if note.ClosedAt == 0 || note.RefusedAt == 0 || (st.on(NoteIncarnation) && v.Life > note.Life) {
		return false, 0
	}
	if st.on(RefusedAt) {
		return true, note.RefusedAt
	}
	return true, note.ClosedAt
}

// overrule is what a leader does that decides what is its node's to decide.
func (st *step) overrule(i int, propose func(Kind, Entry)) {
	l := &st.state.Log
	v := &l.Shards[i]
	if st.clock() >= st.due(i) && v.Condition&l.activeRuns() != 0 {
		propose(leaderDecides, leaderSkips)
	}
	if st.bounded(i, v) && st.clock() > st.due(i)+st.Deadline {
		propose(leaderDecides, leaderMisses)
	}
}

// makeRoom offers to cancel or take back what a run replaces, once it is due.
func (st *step) makeRoom(i int) {
	l := &st.state.Log
	v := &l.Shards[i]
	if !v.State.active() || v.State == waiting || v.Known == 1 || v.Cancelling == 1 || st.clock() < st.due(i) {
		return
	}
	if v.State == retracting && st.on(ReplacerWanted) {
		return
	}
	for r := range runs {
		if v.Condition&bit(r) != 0 && l.replaceable(r) {
			st.do(of(replaceRuns, none, i), func(n *State) { st.makeWay(&n.Log, i); n.Head++ })
			return
		}
	}
}

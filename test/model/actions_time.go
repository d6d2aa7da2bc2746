package model

// time offers the next tick. It waits for a supervisor that must fence: nothing
// else is urgent, so that every other process may be as slow as it likes.
func (st *step) time() {
	s := st.state
	if s.Now >= st.Until || st.fenceOverdue() {
		return
	}
	st.do(Action{Kind: tick, Node: none, Other: none, Shard: none}, func(n *State) {
		n.Now++
		if !st.EagerBeats {
			return
		}
		for x := range st.real() {
			st.eagerBeat(n, x)
		}
	})
}

func (st *step) fenceOverdue() bool {
	s := st.state
	for x := range s.Exec {
		e := &s.Exec[x]
		if e.SupervisorUp == 0 || e.Frozen == 1 {
			continue
		}
		overdue := s.Now >= e.Contact+st.StopAfter+st.Grace && (e.ThawedAt == 0 || s.Now >= e.ThawedAt+st.Grace)
		for i := range e.Local {
			if overdue && e.Local[i].State == live {
				return true
			}
		}
	}
	return false
}

// eagerBeat is a heartbeat that takes no time.
func (st *step) eagerBeat(n *State, x int) {
	e := &n.Exec[x]
	if e.AgentUp == 0 || e.Frozen == 1 || e.LeaseLost == 1 || e.Beat.State != beatNone || !leads(n) ||
		!n.hears(uint8(x), n.Leader) || n.Answering[x] != e.Life || n.Notes[n.Leader][x].ClosedAt != 0 ||
		(st.on(Hold) && n.Proposal.Entry != noEntry) || n.Now >= e.Contact+st.StopAfter {
		return
	}
	e.LeaseBase, n.Answered[x] = n.Now, n.Now
	if e.SupervisorUp == 1 {
		e.Contact = n.Now
	}
	if st.on(Floor) {
		e.LeaseFloor = max(e.LeaseFloor, n.Floor[x])
	}
}

// network offers partitions and their end.
func (st *step) network() {
	s := st.state
	if s.Left.Partition > 0 && s.Cut == Whole {
		for _, p := range st.Partitions {
			st.do(Action{Kind: partition, Node: none, Other: uint8(p), Shard: none}, func(n *State) {
				n.Left.Partition--
				n.Cut, n.CutAt = p, n.Now
			})
		}
	}
	if s.Cut != Whole {
		st.do(on(heal, none), func(n *State) { n.Cut, n.CutAt = Whole, 0 })
	}
}

// elections offers new leaders, and deposed ones the insight.
func (st *step) elections() {
	s := st.state
	healthy := leads(s)
	for _, k := range st.Candidates {
		if !s.up(k) || k == s.Leader || k == s.Deposed || !s.Cut.majority(k) || (healthy && s.Left.Election == 0) {
			continue
		}
		kind := elect
		if healthy {
			kind = unseat
		}
		st.do(on(kind, int(k)), func(n *State) {
			if healthy {
				n.Left.Election--
			}
			st.takeOver(n, k)
		})
	}
	if s.Deposed != nobody && s.up(s.Deposed) {
		st.do(on(stepDown, int(s.Deposed)), func(n *State) { n.Deposed = nobody })
	}
}

// takeOver makes k the leader. Its barrier has passed; every node counts as
// answered now, and as not answered by this leader.
func (st *step) takeOver(n *State, k uint8) {
	if old := n.Leader; old != nobody && (old == nodeC || n.Exec[old].AgentUp == 1) {
		n.Deposed, n.DeposedProof = old, n.Now
		n.DeposedFloor, n.DeposedKnows = [executors]uint8{n.Head, n.Head}, [executors]uint8{}
		if st.Registration {
			n.DeposedKnows = n.Registered
			for x := range n.Exec {
				n.DeposedFloor[x] = max(n.Floor[x], n.RegisteredAt[x])
			}
		}
		if !n.Cut.majority(old) {
			n.DeposedProof = min(n.DeposedProof, n.CutAt)
		}
	}
	n.Leader, n.Proposal = k, Proposal{}
	for x := range n.Exec {
		n.Answered[x], n.Floor[x], n.Answering[x] = n.Now, n.Head, 0
	}
	if k < executors {
		n.Exec[k].View, n.Exec[k].Applied = n.Log, n.Head
	}
}

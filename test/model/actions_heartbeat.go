package model

// heartbeats offers the three parts of a heartbeat of node x, and its applying of
// the log.
func (st *step) heartbeats(x int) {
	s, e := st.state, &st.state.Exec[x]
	if e.AgentUp == 0 || e.Frozen == 1 {
		return
	}
	if e.ListenerClosed == 0 || !st.on(DropFirst) {
		st.sendBeat(x)
		st.answerBeat(x)
		if e.Beat.State == beatAnswered && s.Cut.reaches(e.Beat.To, uint8(x)) {
			st.do(on(beatDeliver, x), func(n *State) { st.renew(n, x) })
		}
	}
	if e.Applied < s.Head {
		st.do(on(applyLog, x), func(n *State) { n.Exec[x].View, n.Exec[x].Applied = n.Log, n.Head })
	}
}

// sendBeat offers a heartbeat to whoever believes to lead. A later one replaces an
// earlier one that has no answer yet.
func (st *step) sendBeat(x int) {
	s, e := st.state, &st.state.Exec[x]
	if (e.Beat.State == beatNone && e.LeaseBase >= s.Now) || (e.Beat.State != beatNone && e.Beat.SentAt >= s.Now) {
		return
	}
	for to := range uint8(nodes) {
		if (to == s.Leader || to == s.Deposed) && s.Cut.reaches(uint8(x), to) {
			st.do(Action{Kind: beatSend, Node: uint8(x), Other: to, Shard: none}, func(n *State) {
				n.Exec[x].Beat = Heartbeat{State: beatSent, SentAt: n.Now, To: to}
			})
		}
	}
}

// answerBeat offers the answer of a leader, or of one that was.
func (st *step) answerBeat(x int) {
	s, e := st.state, &st.state.Exec[x]
	to := e.Beat.To
	if e.Beat.State != beatSent || !s.Cut.reaches(uint8(x), to) || !s.up(to) || (to != s.Leader && to != s.Deposed) {
		return
	}
	leader := to == s.Leader
	answer := Action{Kind: beatAnswer, Node: uint8(x), Other: to, Shard: none}
	switch {
	case leader && st.Registration && s.Registered[x] != e.Life:
		if leads(s) {
			st.do(on(register, x), func(n *State) {
				n.Head++
				n.Registered[x], n.RegisteredAt[x] = n.Exec[x].Life, n.Head
			})
		}
	case leader && st.holds(x):
	case leader:
		st.do(answer, func(n *State) { st.grant(n, x) })
	case !st.Registration || s.DeposedKnows[x] == e.Life:
		st.do(answer, func(n *State) {
			st.answered(n, x, n.DeposedProof, n.DeposedFloor[x])
		})
	}
}

// holds says whether a decision to take work from node x is under way.
func (st *step) holds(x int) bool {
	s := st.state
	return st.on(Hold) && s.Proposal.Entry != noEntry && int(s.Log.Shards[s.Proposal.Shard].Node) == x
}

// grant is the leader's answer.
func (st *step) grant(n *State, x int) {
	life := n.Exec[x].Life
	proof := n.Now
	if !n.Cut.majority(n.Leader) {
		proof = n.CutAt
	}
	floor := n.Floor[x]
	if st.Registration {
		floor = max(floor, n.RegisteredAt[x])
	} else if n.Answering[x] != life || !st.on(Floor) {
		floor = n.Head
	}
	n.Answered[x], n.Answering[x] = n.Now, life
	n.Connected[n.Leader][x] = life
	n.Notes[n.Leader][x] = Note{}
	st.answered(n, x, proof, floor)
}

func (st *step) answered(n *State, x int, proof, floor uint8) {
	b := &n.Exec[x].Beat
	b.State, b.Proof, b.Floor = beatAnswered, proof, floor
	if !st.on(AgeFromSend) {
		b.AnsweredAt = n.Now
	}
	if st.AtomicBeats {
		st.renew(n, x)
	}
}

// renew takes an answer: it renews the lease and, at the supervisor, the contact.
func (st *step) renew(n *State, x int) {
	e := &n.Exec[x]
	base := e.Beat.SentAt
	if st.on(Quorum) {
		proof := e.Beat.Proof
		if !st.on(AgeFromSend) {
			proof += n.Now - e.Beat.AnsweredAt // reckoned back from when it arrived
		}
		base = min(base, proof)
	}
	e.LeaseBase = max(e.LeaseBase, base)
	if st.on(Floor) {
		e.LeaseFloor = max(e.LeaseFloor, e.Beat.Floor)
	} else if e.LeaseLost == 1 {
		e.LeaseFloor = e.Beat.Floor
	}
	e.LeaseLost, e.Beat = 0, Heartbeat{}
	if e.SupervisorUp == 0 || base <= e.Contact {
		return
	}
	if st.on(Latch) && n.Now >= e.Contact+st.StopAfter {
		for i := range e.Local {
			if e.Local[i].State == live {
				e.Local[i].State = killed
			}
		}
	}
	e.Contact = base
}

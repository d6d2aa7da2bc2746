package model

// normalise forgets what can make no difference any more, so that states which
// behave alike are one state.
func (m *Model) normalise(s *State) {
	m.forgetAges(s)
	for x := range s.Exec {
		forgetLocals(&s.Exec[x])
		if e := &s.Exec[x]; e.ThawedAt != 0 && s.Now-e.ThawedAt > m.Grace+1 {
			e.ThawedAt = 0
		}
	}
	if m.SteadyB {
		m.steady(s, nodeB)
	}
	if s.Deposed == nobody {
		s.DeposedProof, s.DeposedFloor, s.DeposedKnows = 0, [executors]uint8{}, [executors]uint8{}
	}
	rankIndexes(s)
}

// forgetAges keeps instants of the past no more exact than any patience asks.
func (m *Model) forgetAges(s *State) {
	oldest := m.StopAfter + m.Grace + 2
	clamp := func(t *uint8) {
		if *t != 0 && s.Now > oldest && *t < s.Now-oldest {
			*t = s.Now - oldest
		}
	}
	for x := range s.Exec {
		e := &s.Exec[x]
		clamp(&e.LeaseBase)
		clamp(&e.Contact)
		clamp(&e.Beat.SentAt)
		clamp(&e.Beat.Proof)
		clamp(&e.Beat.AnsweredAt)
		clamp(&s.Answered[x])
	}
	clamp(&s.DeposedProof)
}

func forgetLocals(e *Executor) {
	for i := range e.Local {
		l := &e.Local[i]
		if l.State != decided && l.State != sent && l.State != checked {
			l.Expiry = 0
		}
		if l.State == unknown {
			l.Attempt = 0
		}
	}
}

// steady keeps a node in touch and up to date by itself.
func (m *Model) steady(s *State, node int) {
	e := &s.Exec[node]
	e.LeaseBase, e.Contact = s.Now, s.Now
	e.View, e.Applied = s.Log, s.Head
	e.LeaseFloor, s.Floor[node] = 0, 0
	s.Answered[node], s.Answering[node] = s.Now, e.Life
}

// rankIndexes renumbers the log's indexes: only their order matters.
func rankIndexes(s *State) {
	a, b := &s.Exec[nodeA], &s.Exec[nodeB]
	indexes := [...]*uint8{
		&s.Head, &s.DeposedFloor[nodeA], &s.DeposedFloor[nodeB], &s.Floor[nodeA], &s.Floor[nodeB], &s.RegisteredAt[nodeA], &s.RegisteredAt[nodeB],
		&a.Applied, &b.Applied, &a.LeaseFloor, &b.LeaseFloor, &a.Beat.Floor, &b.Beat.Floor,
	}
	var used [256]bool
	used[0] = true
	var top uint8
	for _, i := range indexes {
		used[*i] = true
		top = max(top, *i)
	}
	var rank [256]uint8
	next := uint8(0)
	for i := 0; i <= int(top); i++ {
		if used[i] {
			rank[i] = next
			next++
		}
	}
	for _, i := range indexes {
		*i = rank[*i]
	}
}

package model

// supervisor offers what the supervisor and the processes of node x do.
func (st *step) supervisor(x int) {
	e := &st.state.Exec[x]
	if e.Frozen == 1 {
		return
	}
	for i := range shards {
		if e.Local[i].State == live {
			st.process(x, i)
		}
		if e.SupervisorUp == 1 {
			st.starts(x, i)
		}
	}
}

// process offers the ends of a process.
func (st *step) process(x, i int) {
	s, e := st.state, &st.state.Exec[x]
	end := func(to LocalState) func(n *State) { return func(n *State) { n.Exec[x].Local[i].State = to } }
	if e.SupervisorUp == 0 {
		st.do(of(exitWell, x, i), end(killed)) // nobody saw how it ended
		return
	}
	st.do(of(exitWell, x, i), end(endedWell))
	if s.Left.Failure > 0 {
		st.do(of(exitFail, x, i), func(n *State) { n.Left.Failure--; n.Exec[x].Local[i].State = killed })
	}
	if s.Now >= e.Contact+st.StopAfter {
		st.do(of(fenceKill, x, i), end(killed))
	}
}

// starts offers the steps of a start.
func (st *step) starts(x, i int) {
	e := &st.state.Exec[x]
	l := e.Local[i]
	switch l.State {
	case sent:
		st.do(of(check, x, i), func(n *State) { st.checkStart(n, x, i, l.Attempt, l.Expiry) })
	case checked:
		st.do(of(fork, x, i), func(n *State) { st.fork(n, x, i) })
	}
	// The supervisor knows nothing of what the agent has decided about it since.
	if e.StaleShard == uint8(i+1) && (l.State == unknown || l.State >= skipped) {
		st.do(of(checkStale, x, i), func(n *State) {
			st.checkStart(n, x, i, e.StaleAttempt, e.StaleExpiry)
			q := &n.Exec[x]
			q.StaleShard, q.StaleAttempt, q.StaleExpiry = 0, 0, 0
		})
	}
}

// checkStart refuses a start that comes too late.
func (st *step) checkStart(n *State, x, i int, attempt, expiry uint8) {
	l := &n.Exec[x].Local[i]
	*l = Local{}
	if !st.on(Token) || n.Now < expiry {
		*l = Local{checked, attempt, expiry}
	}
}

// fork looks at the expiry once more, takes the contact that comes with the start,
// and starts the process.
func (st *step) fork(n *State, x, i int) {
	e := &n.Exec[x]
	l := &e.Local[i]
	if st.on(Token) && st.on(ForkCheck) && n.Now >= l.Expiry {
		*l = Local{}
		return
	}
	if l.Expiry > st.Lease && e.Contact < l.Expiry-st.Lease && e.Contact+st.StopAfter > n.Now {
		e.Contact = l.Expiry - st.Lease
	}
	l.State = live
	n.Started |= bit(runOf(i))
}

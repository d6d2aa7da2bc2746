package model

// agentFaults offers the ends and beginnings of an agent.
func (st *step) agentFaults(x int) {
	s, e := st.state, &st.state.Exec[x]
	if e.Frozen == 1 {
		return
	}
	if e.AgentUp == 0 && e.SupervisorUp == 1 {
		st.do(on(agentRestart, x), func(n *State) {
			st.restart(n, x)
			n.Exec[x].Report = Message{}
		})
		if e.Report.Entry != noEntry {
			st.do(on(agentRestartReport, x), func(n *State) { st.restart(n, x) })
		}
	}
	if e.AgentUp == 0 {
		return
	}
	if s.Left.AgentCrash > 0 {
		st.do(on(agentCrash, x), func(n *State) { n.Left.AgentCrash--; st.crash(n, x) })
	}
	if s.Left.ListenerClose > 0 && e.ListenerClosed == 0 {
		st.do(on(listenerCloses, x), func(n *State) { n.Left.ListenerClose--; st.closeListener(n, x) })
	}
	if e.ListenerClosed == 1 {
		st.do(on(agentExits, x), func(n *State) { st.crash(n, x) })
	}
}

// restart begins the agent's next life. Its supervisor has thrown away what the
// last one wrote and was not read yet.
func (st *step) restart(n *State, x int) {
	e := &n.Exec[x]
	e.AgentUp, e.LeaseLost, e.LeaseBase, e.LeaseFloor = 1, 1, 0, 0
	e.Life++
	for i := range e.Local {
		l := &e.Local[i]
		if l.State != sent {
			continue
		}
		if !st.on(Discard) {
			e.StaleShard, e.StaleAttempt, e.StaleExpiry = uint8(i+1), l.Attempt, l.Expiry
		}
		*l = Local{}
	}
}

// closeListener begins a shutdown: the lease is given up first, for good.
func (st *step) closeListener(n *State, x int) {
	e := &n.Exec[x]
	e.ListenerClosed = 1
	if st.on(DropFirst) {
		e.LeaseBase, e.LeaseLost, e.Beat = 0, 1, Heartbeat{}
	}
}

// crash ends an agent. What its supervisor keeps for it stays.
func (st *step) crash(n *State, x int) {
	e := &n.Exec[x]
	e.AgentUp, e.ListenerClosed, e.LeaseBase, e.LeaseFloor, e.LeaseLost = 0, 0, 0, 0, 0
	e.Beat = Heartbeat{}
	for i := range e.Local {
		switch l := &e.Local[i]; {
		case l.State == decided, l.State == never:
			*l = Local{}
		case (l.State == skipped || l.State == missed) && !st.on(SkipKept):
			*l = Local{}
		}
	}
	if n.Leader == uint8(x) {
		n.Leader, n.Proposal = nobody, Proposal{}
	}
	if n.Deposed == uint8(x) {
		n.Deposed = nobody
	}
	for k := range executors {
		n.Notes[x][k] = Note{}
		if k != x {
			n.Connected[x][k] = n.Exec[k].Life
		}
	}
}

// hostFaults offers what happens to a supervisor and to a whole machine.
func (st *step) hostFaults(x int) {
	s, e := st.state, &st.state.Exec[x]
	if e.Frozen == 1 {
		st.do(on(thaw, x), func(n *State) { n.Exec[x].Frozen, n.Exec[x].ThawedAt = 0, n.Now })
		return
	}
	if e.SupervisorUp == 0 {
		st.do(on(supervisorRestarts, x), func(n *State) { st.superviseAgain(n, x) })
	} else {
		if s.Left.SupervisorDeath > 0 {
			st.do(on(supervisorDies, x), func(n *State) { n.Left.SupervisorDeath--; st.supervisorDeath(n, x) })
		}
		if s.Left.PowerCut > 0 {
			st.do(on(powerCut, x), func(n *State) { n.Left.PowerCut--; st.cutPower(n, x) })
		}
	}
	if s.Left.Freeze > 0 {
		st.do(on(freeze, x), func(n *State) { n.Left.Freeze--; n.Exec[x].Frozen = 1 })
	}
}

// supervisorDeath ends a supervisor and with it, by the parent-death signal, what
// it started and its agent.
func (st *step) supervisorDeath(n *State, x int) {
	if n.Exec[x].AgentUp == 1 {
		st.crash(n, x)
	}
	e := &n.Exec[x]
	e.SupervisorUp, e.StaleShard, e.StaleAttempt, e.StaleExpiry = 0, 0, 0, 0
	for i := range e.Local {
		switch l := &e.Local[i]; l.State {
		case sent, skipped, missed:
			*l = Local{}
		case checked:
			st.remember(l)
		case live:
			if st.on(OrphansDie) {
				st.remember(l)
			}
		}
	}
}

// remember is what a start record is for: what may have begun is known as killed.
func (st *step) remember(l *Local) {
	if st.on(StartRecord) {
		l.State = killed
	} else {
		*l = Local{}
	}
}

// superviseAgain starts a supervisor, which first kills what is left over.
func (st *step) superviseAgain(n *State, x int) {
	e := &n.Exec[x]
	e.SupervisorUp, e.Contact = 1, 0
	for i := range e.Local {
		if e.Local[i].State == live {
			st.remember(&e.Local[i])
		}
	}
}

// cutPower ends a machine at once. Records that were not on the disk are gone.
func (st *step) cutPower(n *State, x int) {
	st.supervisorDeath(n, x)
	e := &n.Exec[x]
	e.Local = [shards]Local{}
	e.BootLife = e.Life + 1
}

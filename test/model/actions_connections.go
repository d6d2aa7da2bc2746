package model

// connections offers what the nodes that may lead see of the executors' agents.
func (st *step) connections() {
	b := st.Budget
	if b.AgentCrash+b.Reset+b.SupervisorDeath+b.ListenerClose+b.PowerCut == 0 {
		return // nothing will ever be seen
	}
	s := st.state
	for o := range nodes {
		for x := range st.real() {
			if o != x && st.mayLead(uint8(o)) && s.up(uint8(o)) && s.hears(uint8(o), uint8(x)) {
				st.connection(o, x)
			}
		}
	}
}

func (m *Model) mayLead(node uint8) bool {
	if node == m.FirstLeader {
		return true
	}
	for _, k := range m.Candidates {
		if k == node {
			return true
		}
	}
	return false
}

// connection offers what may become of the connection from o to x.
func (st *step) connection(o, x int) {
	s := st.state
	e, note := &s.Exec[x], s.Notes[o][x]
	between := func(k Kind) Action {
		return Action{Kind: k, Node: uint8(x), Other: uint8(o), Shard: none}
	}
	closed := func(n *State) { n.Notes[o][x] = Note{Life: n.Connected[o][x], ClosedAt: n.Now} }
	if note.ClosedAt == 0 {
		if s.Connected[o][x] != 0 && (e.AgentUp == 0 || e.Life != s.Connected[o][x]) && e.Frozen == 0 {
			st.do(between(seeClose), closed)
		}
		if s.Left.Reset > 0 && e.AgentUp == 1 {
			st.do(between(reset), func(n *State) { n.Left.Reset--; closed(n) })
		}
		return
	}
	if e.Frozen == 1 {
		return
	}
	if (e.AgentUp == 0 || e.ListenerClosed == 1) && note.RefusedAt == 0 {
		st.do(between(probeRefused), func(n *State) { n.Notes[o][x].RefusedAt = n.Now })
	}
	if e.AgentUp == 1 && e.ListenerClosed == 0 {
		st.do(between(reconnect), func(n *State) {
			n.Notes[o][x] = Note{}
			n.Connected[o][x] = n.Exec[x].Life
		})
	}
}

package model

// step offers every step that is possible in one state.
type step struct {
	*Model
	state *State
	next  State // scratch
	emit  func(a *Action, next *State)
}

// Steps calls emit with every step that is possible in s and changes it. The state
// given to emit is only valid during the call.
func (m *Model) Steps(s *State, emit func(a *Action, next *State)) {
	st := step{Model: m, state: s, emit: emit}
	st.time()
	st.network()
	for x := range m.real() {
		st.agentFaults(x)
		st.hostFaults(x)
	}
	st.elections()
	st.connections()
	for x := range m.real() {
		st.heartbeats(x)
	}
	for x := range executors {
		st.reports(x)
	}
	for x := range executors {
		st.supervisor(x)
	}
	for x := range executors {
		st.agent(x)
	}
	if leads(s) {
		st.leader()
		st.people()
	}
}

// real returns how many executors can fail.
func (m *Model) real() int {
	if m.SteadyB {
		return 1
	}
	return executors
}

// do offers a step, unless it changes nothing.
func (st *step) do(a Action, change func(n *State)) {
	st.next = *st.state
	change(&st.next)
	st.normalise(&st.next)
	if st.next != *st.state {
		st.emit(&a, &st.next)
	}
}

// up says whether a node's agent runs.
func (s *State) up(node uint8) bool {
	if node >= executors {
		return node == nodeC
	}
	e := &s.Exec[node]
	return e.AgentUp == 1 && e.Frozen == 0
}

// leads says whether there is a leader that can get entries into the log.
func leads(s *State) bool {
	return s.Leader != nobody && s.up(s.Leader) && s.Cut.majority(s.Leader)
}

// hears says whether messages go both ways between two nodes.
func (s *State) hears(a, b uint8) bool { return s.Cut.reaches(a, b) && s.Cut.reaches(b, a) }

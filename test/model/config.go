package model

// Overlap is what a fire does about runs of its job that are active.
type Overlap uint8

// Overlap policies.
const (
	Allow Overlap = iota
	Forbid
	Queue
	Replace
)

// Partition says which messages do not arrive.
type Partition uint8

// Partitions. The voters that are not shown are always with the majority.
const (
	Whole     Partition = iota
	AAlone              // A is cut off from everybody
	BAway               // A and C are cut off from B and the majority
	AMute               // nobody hears A
	ADeaf               // A hears nobody
	ANotHeard           // C alone does not hear A
)

// reaches says whether a message from one node arrives at another.
func (p Partition) reaches(from, to uint8) bool {
	switch p {
	case AAlone:
		return (from == nodeA) == (to == nodeA)
	case BAway:
		return (from == nodeB) == (to == nodeB)
	case AMute:
		return from != nodeA || to == nodeA
	case ADeaf:
		return to != nodeA || from == nodeA
	case ANotHeard:
		return from != nodeA || to != nodeC
	}
	return true
}

// majority says whether a node can get a quorum's word: there and back.
func (p Partition) majority(node uint8) bool {
	switch p {
	case AAlone, AMute, ADeaf:
		return node != nodeA
	case BAway:
		return node == nodeB
	}
	return true
}

// SecondShard says what run 0 has besides its gate.
type SecondShard uint8

// Second shards.
const (
	NoSecond        SecondShard = iota
	SecondRoot                  // of another task that waits for none
	SecondDependent             // of a task that waits for the gate's
)

// Config is one bounded scene.
type Config struct {
	Name string
	// Fires are runs 0 to Fires-1, due at Due, with a start deadline that many
	// ticks later, committed a horizon ahead. Manual runs take the last slots.
	Fires    int
	Manuals  int
	Due      [runs]uint8
	Deadline uint8
	Horizon  uint8
	Overlap  Overlap
	Second   SecondShard
	// Idempotent: what may have started on a node is replaced once its lease has lapsed.
	Idempotent bool

	Lease, StopAfter, Grace, Skew uint8
	// Offset is how far each node's clock is ahead; at most Skew apart.
	Offset      [nodes]uint8
	FirstLeader uint8
	Candidates  []uint8
	Partitions  []Partition
	Budget      Budget
	// From and Until bound time.
	From, Until uint8

	// SteadyB: node B never fails and is always in touch.
	SteadyB bool
	// FirstOnA: a fire's first place is always A.
	FirstOnA bool
	// AtomicBeats: the answer to a heartbeat arrives at once.
	AtomicBeats bool
	// EagerBeats: heartbeats succeed by themselves while the link is whole.
	EagerBeats bool
	// ArmedDue: an attempt armed after its instant is due when it was armed.
	ArmedDue bool
	// Registration: a new incarnation gets a lease once the log knows of it, and
	// with the index of that entry as its floor.
	Registration bool
	// Unplaced: a fire may be committed without a node, and the leader decides
	// what sits on none.
	Unplaced bool
	// LateArming: an arming may enter the log after the lease it was decided under.
	LateArming bool

	// ManualWhilePaused: a manual run may be asked for although the job is paused.
	ManualWhilePaused bool

	// Off are the rules left out.
	Off RuleSet
}

// Model is a configuration with its steps.
type Model struct{ Config }

// on says whether a rule is in force.
func (m *Model) on(r Rule) bool { return !m.Off.Has(r) }

// isManual says whether a run's slot is one for manual runs.
func (m *Model) isManual(run int) bool { return run >= runs-m.Manuals && run < runs }

// due returns the instant before which a shard must not start.
func (m *Model) due(shard int) uint8 {
	if shard == second {
		return 0
	}
	return m.Due[shard]
}

// bounded says whether a shard's start has a deadline: a fire's first.
func (m *Model) bounded(shard int, v *Shard) bool { return shard < m.Fires && v.Maybe == 0 }

func (m *Model) initial() State {
	s := State{Now: max(1, m.From), Leader: m.FirstLeader, Deposed: nobody, Left: m.Budget}
	for x := range s.Exec {
		e := &s.Exec[x]
		e.AgentUp, e.SupervisorUp, e.Life = 1, 1, 1
		e.LeaseBase, e.Contact = s.Now, s.Now
		s.Answered[x], s.Answering[x] = s.Now, 1
		if m.Registration {
			s.Registered[x] = 1
		}
		for o := range s.Connected {
			s.Connected[o][x] = 1
		}
	}
	m.normalise(&s)
	return s
}

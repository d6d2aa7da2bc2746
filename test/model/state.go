package model

// Sizes of the system. Nodes A and B execute; C only leads.
const (
	executors = 2
	nodes     = 3
	runs      = 3
	shards    = runs + 1

	nodeA = 0
	nodeB = 1
	nodeC = 2
	// nobody stands where a node could.
	nobody = 255

	// second is the slot of the second shard of run 0. A run's other shard, its
	// gate, has the run's own number.
	second = runs
)

// ShardState is what the log says of a shard. A run's own state is its gate's.
type ShardState uint8

// States of a shard; those from succeeded on are final.
const (
	absent ShardState = iota
	pending
	armed
	retracting
	running
	waiting // a manual run whose retractions are not answered yet
	succeeded
	failed // among them: ran, lost
	skippedPaused
	skippedOverlap
	skippedMissed
	refused // a manual run that was turned down
	cancelled
	deleted // a fire of a job that is no more
)

var shardStateNames = []string{
	"absent", "pending", "armed", "retracting", "running", "waiting", "succeeded", "failed",
	"skipped: paused", "skipped: overlap", "skipped: missed", "refused", "cancelled", "deleted",
}

func (s ShardState) String() string { return shardStateNames[s] }

func (s ShardState) ended() bool  { return s >= succeeded }
func (s ShardState) active() bool { return s >= pending && s <= waiting }
func (s ShardState) held() bool   { return s == armed || s == retracting || s == running }

// neverRan: the outcome says that nothing was started.
func (s ShardState) neverRan() bool { return s >= skippedPaused && s <= refused }

// Why says what an attempt was asked back for.
type Why uint8

const (
	whyNone Why = iota
	whyPause
	whyManual
	whyReplace
	whyDrain
	whyVersion
	whyCancel
)

// Shard is what the log holds of one shard and, if it is a gate, of its run.
type Shard struct {
	State   ShardState
	Node    uint8
	Life    uint8 // the incarnation of the node's agent that it is armed for
	Attempt uint8
	// Condition is a set of runs that must have ended before this one starts; for
	// a waiting manual run, the fires that it has asked back.
	Condition uint8
	Why       Why
	Maybe     uint8 // an attempt may have started
	Known     uint8 // an attempt is known to have started
	ArmedAt   uint8 // leader's clock, where that is later than the due instant
	// Of the run: its end was asked for; the runs that were active when a manual
	// run was made.
	Cancelling, Ahead uint8
}

// Log is what the replicated log adds up to.
type Log struct {
	Shards   [shards]Shard
	Paused   uint8
	Deleting uint8
	Drained  uint8 // a set of nodes
}

// LocalState is where an attempt stands on a node.
type LocalState uint8

// Local states. The agent holds decided, skipped, never and missed; the supervisor
// the others.
const (
	unknown LocalState = iota
	decided
	sent
	checked
	live
	endedWell
	killed
	killedOnRequest
	skipped
	never
	missed
)

var localStateNames = []string{
	"-", "decided", "sent", "checked", "LIVE", "ended well", "killed", "cancelled", "skipped", "never", "missed",
}

func (s LocalState) String() string { return localStateNames[s] }

// over: the attempt has come to its end here, or never will begin.
func (s LocalState) over() bool {
	return s == endedWell || s == killed || s == killedOnRequest || s >= skipped
}

// Local is what a node knows of its attempt of a shard.
type Local struct {
	State           LocalState
	Attempt, Expiry uint8
}

// Heartbeat is one exchange of a node with a leader.
type Heartbeat struct {
	State                    uint8 // beatNone, beatSent, beatAnswered
	SentAt, To               uint8
	Floor, Proof, AnsweredAt uint8 // of the answer
}

const (
	beatNone uint8 = iota
	beatSent
	beatAnswered
)

// Message is a report on its way to the leader.
type Message struct {
	Entry             Entry
	Shard             uint8
	Attempt, Reporter uint8
}

// Executor is a node that runs attempts: its host, supervisor and agent.
type Executor struct {
	AgentUp, SupervisorUp, Frozen uint8
	Life                          uint8 // incarnation of the agent
	BootLife                      uint8 // the first since the machine lost its power
	LeaseLost                     uint8 // no lease since this life began, or given up
	LeaseBase, LeaseFloor         uint8
	Contact                       uint8 // what the supervisor fences by
	Applied                       uint8 // log index
	Beat                          Heartbeat
	Report                        Message
	StaleShard                    uint8 // 1 + the shard of an unread message of a dead agent
	StaleAttempt, StaleExpiry     uint8
	ThawedAt                      uint8
	ListenerClosed                uint8
	Local                         [shards]Local
	View                          Log // what the agent has applied
}

// Note is what a node knows of a peer whose connection has closed.
type Note struct{ Life, ClosedAt, RefusedAt uint8 }

// Proposal is a decision of the leader that is not in the log yet.
type Proposal struct {
	Entry          Entry
	Shard, Attempt uint8
}

// Budget is how often each thing that need not happen may still happen.
type Budget struct {
	AgentCrash, Election, Partition, Reset, Freeze, SupervisorDeath, PowerCut uint8
	ListenerClose, Failure                                                    uint8
	Pause, Manual, Drain, Version, Delete                                     uint8
}

// State is the whole system at one moment. It must stay comparable and without
// padding: searches hash it.
type State struct {
	Now    uint8
	Leader uint8
	// Deposed is a leader that does not know yet that it is none any more: its last
	// proof of a quorum, and what it holds of each node.
	Deposed, DeposedProof      uint8
	DeposedFloor, DeposedKnows [executors]uint8
	Head                       uint8 // the log's last index
	Log                        Log
	// The leader's lease table: its last answer, and the incarnation answered.
	Answered, Floor, Answering [executors]uint8
	// What the log knows of a node's incarnation, and since which index.
	Registered, RegisteredAt [executors]uint8
	Proposal                 Proposal
	Exec                     [executors]Executor
	Cut                      Partition
	CutAt                    uint8
	Connected                [nodes][executors]uint8 // incarnation
	Notes                    [nodes][executors]Note
	PauseAnswered            uint8
	Started                  uint8 // the runs that ever had a process
	Left                     Budget
}

func bit[T ~uint8 | ~int](n T) uint8 { return 1 << uint8(n) }

// runOf returns the run that a shard belongs to.
func runOf(shard int) int {
	if shard == second {
		return 0
	}
	return shard
}

// ended says whether a run has come to its end by the log.
func (l *Log) ended(run int) bool {
	return l.Shards[run].State.ended() && (run != 0 || !l.Shards[second].State.active())
}

// active says whether a run is in the log and has not ended.
func (l *Log) active(run int) bool {
	return l.Shards[run].State.active() || (run == 0 && l.Shards[second].State.active())
}

// activeRuns returns the set of runs that are active.
func (l *Log) activeRuns() uint8 {
	var set uint8
	for r := range runs {
		if l.active(r) {
			set |= bit(r)
		}
	}
	return set
}

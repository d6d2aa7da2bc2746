package check

import (
	"time"

	"github.com/rota-scheduler/rota/fsm"
)

// Evidence is what the checker goes by.
type Evidence struct {
	// Skew is by how much cluster time may differ from the clock that processes
	// write their times by.
	Skew time.Duration
	// ExecSlack is by how much a process's own first word may come later than its
	// start: a promise of no more starts concerns the start.
	ExecSlack time.Duration

	Due []Due
	// Fires is the ledger of the jobs in Due, or of more.
	Fires []fsm.Fire
	// Runs and Attempts are what the replicated state says of them.
	Runs     []fsm.Run
	Attempts []Attempt
	// Processes are what the jobs' processes wrote.
	Processes []Process

	// Calls are the changes that were asked of the API, and Jobs what it lists
	// after the last of them.
	Calls []Call
	Jobs  []Job

	Hashes   []Hash
	Recovery *Recovery

	// Timeline is everything that may explain a failure.
	Timeline []Event
	// Describe, if set, tells what the API says of a run and its attempts.
	Describe func(run string) string
}

// Due are the instants that a job's schedule names, within the time that is
// checked.
type Due struct {
	Job      fsm.JobKey
	Instants []fsm.Time
	// Version of the job that names them, if it is known: what an older one had
	// committed ahead of its time may stand beside them.
	Version uint64
	// Terms are what the job's file and the faults allow.
	Terms Terms
}

// Terms say what may become of a job's fires besides one start of each shard.
type Terms struct {
	// Again: a shard may be tried again, because it failed or its node was lost:
	// each attempt may start once.
	Again bool
	// Beside: an attempt may run beside the one before (idempotent).
	Beside bool
	// Cut: a run may be cancelled before its process has written anything.
	Cut bool
	// Alone: runs must not overlap.
	Alone bool
	// Within is the start deadline; 0 means that there is none. What follows an
	// attempt that may have started is not judged by it.
	Within time.Duration
}

// Every returns the instants of a schedule that is due phase after each multiple
// of step: those after from, and up to to.
func Every(job fsm.JobKey, step time.Duration, phase, from, to fsm.Time) Due {
	d := Due{Job: job}
	s := fsm.Time(step)
	for t := ((from-phase)/s+1)*s + phase; t <= to; t += s {
		d.Instants = append(d.Instants, t)
	}
	return d
}

// Process is one process of a job, as it wrote of itself.
type Process struct {
	Job fsm.JobKey
	// ScheduledAt is the instant of the fire; 0 for a run without one.
	ScheduledAt fsm.Time
	Run, Task   string
	Shard       int
	Attempt     int
	Fence       uint64
	Node        string
	PID         int
	// Begin and End are when it lived. End is zero if it wrote none: it was killed,
	// or lives on.
	Begin, End time.Time
	// Succeeded: it is known to have come to its end by itself, and well.
	Succeeded bool
	// Terms are those of its job at the time; if it was not told, those in Due.
	Terms *Terms
}

// Attempt is what the replicated state says of one attempt.
type Attempt struct {
	Run, Task string
	Shard     int
	Number    int
	// Outcome is one of fsm's; empty while it is current.
	Outcome string
	Node    string
}

// Fate is what is known of a change that was asked for.
type Fate int

// The fates.
const (
	// Done: it was acknowledged.
	Done Fate = iota
	// NotDone: it was refused, and surely has no effect.
	NotDone
	// Unknown: no answer came, or one that leaves it open. It may have happened,
	// and may still happen.
	Unknown
)

// String returns a word for the fate.
func (f Fate) String() string {
	return map[Fate]string{Done: "done", NotDone: "refused", Unknown: "unknown"}[f]
}

// Op is a change of a job.
type Op string

// The changes that are judged.
const (
	Apply  Op = "apply"
	Delete Op = "delete"
	Pause  Op = "pause"
	Resume Op = "resume"
	Run    Op = "run"
)

// Call is one change that was asked of the API.
type Call struct {
	Op  Op
	Job fsm.JobKey
	// Mark tells the content of an Apply from every other's.
	Mark string
	// RunID is the answer to a Run, Version that to an Apply.
	RunID        string
	Version      uint64
	Begin, End   time.Time // End is zero if no answer came
	Fate         Fate
	Node, Detail string
}

// Job is a job as it is listed in the end.
type Job struct {
	Key    fsm.JobKey
	Mark   string
	Paused bool
}

// Hash is the digest of one node's state.
type Hash struct {
	Node   string
	Index  uint64
	Digest string
}

// Recovery is what became of the cluster after the last fault had ended.
type Recovery struct {
	// Healed is when it ended; Within is how long recovery may take.
	Healed time.Time
	Within time.Duration
	// Leaders are the nodes that lead at Healed+Within, Indexes what each has
	// applied then.
	Leaders []string
	Indexes map[string]uint64
	// Unready are nodes that the leader gives no work to, then.
	Unready []string
	// Ghosts are attempts that run by the replicated state, then, and have no
	// process.
	Ghosts []string
	// Probe is a job that is due often, and Late how late it may be from
	// Healed+Within on.
	Probe fsm.JobKey
	Late  time.Duration
	// Stuck are runs that did not end in the time that they had.
	Stuck []string
}

// Event is something that happened, or that a node learned.
type Event struct {
	At time.Time
	// Node is where; empty for what concerns all.
	Node string
	// Runs and Job say whom it concerns; neither means everybody.
	Runs []string
	Job  fsm.JobKey
	Text string
}

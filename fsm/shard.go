package fsm

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// ShardState is where a shard stands; see the package documentation.
type ShardState string

// States of a shard. The last three are final.
const (
	ShardPending    ShardState = "pending"
	ShardArmed      ShardState = "armed"
	ShardRetracting ShardState = "retracting"
	ShardRunning    ShardState = "running"
	ShardSucceeded  ShardState = "succeeded"
	ShardFailed     ShardState = "failed"
	ShardCancelled  ShardState = "cancelled"
)

// Held says whether the shard's attempt is bound to a node.
func (s ShardState) Held() bool {
	return s == ShardArmed || s == ShardRetracting || s == ShardRunning
}

// Ended says whether the state is final.
func (s ShardState) Ended() bool {
	return s == ShardSucceeded || s == ShardFailed || s == ShardCancelled
}

// Why an armed attempt is being taken back.
const (
	WhyPause   = "pause"
	WhyManual  = "manual"
	WhyVersion = "version"
	WhyCancel  = "cancel"
	WhyReplace = "replace"
	WhyDrain   = "drain"
)

// Outcomes of an attempt.
const (
	AttemptSucceeded   = "succeeded"
	AttemptFailed      = "failed"
	AttemptTimeout     = "timeout"
	AttemptCancelled   = "cancelled"
	AttemptStartFailed = "start_failed"
	AttemptKilled      = "killed"
	AttemptLost        = "lost"
	AttemptNever       = "not_started"
)

// Bounds of a shard's past and of what a report may carry.
const (
	maxPastAttempts = 10
	MaxTail         = 4 << 10
	maxErrorText    = 1 << 10
	// maxLosses ends a shard that has lost its process this often: it is more
	// likely to be what kills the nodes than their victim.
	maxLosses = 10
)

// Attempt is one try of one shard on one node.
type Attempt struct {
	// Number counts the shard's attempts from 1; 0 means that none was made.
	Number      int    `codec:"n" json:"number"`
	Node        string `codec:"no,omitempty" json:"node,omitempty"`
	Incarnation uint64 `codec:"i,omitempty" json:"incarnation,omitempty"`
	// Fence grows with every attempt of a shard.
	Fence     uint64 `codec:"f,omitempty" json:"fence,omitempty"`
	ArmedAt   Time   `codec:"a,omitempty" json:"armed_at"`
	StartedAt Time   `codec:"s,omitempty" json:"started_at"`
	EndedAt   Time   `codec:"e,omitempty" json:"ended_at"`
	Outcome   string `codec:"o,omitempty" json:"outcome,omitempty"`
	ExitCode  int    `codec:"x,omitempty" json:"exit_code"`
	Signal    string `codec:"g,omitempty" json:"signal,omitempty"`
	Error     string `codec:"r,omitempty" json:"error,omitempty"`
	// Placed says why it was given to this node, as of the decision.
	Placed string `codec:"pl,omitempty" json:"placed,omitempty"`
	// Tail is the end of the attempt's output.
	Tail      []byte `codec:"t,omitempty" json:"tail,omitempty"`
	Truncated bool   `codec:"tr,omitempty" json:"truncated,omitempty"`
	// OOM: the kernel killed a process of the attempt for want of memory.
	OOM bool `codec:"om,omitempty" json:"oom,omitempty"`
}

// Shard is one slice of a task of a run.
type Shard struct {
	RunID     string     `codec:"id" json:"run_id"`
	Task      string     `codec:"t" json:"task"`
	Index     int        `codec:"i" json:"shard"`
	Namespace string     `codec:"ns" json:"namespace"`
	Job       string     `codec:"j" json:"job"`
	Version   uint64     `codec:"v" json:"version"`
	State     ShardState `codec:"s" json:"state"`
	Reason    string     `codec:"r,omitempty" json:"reason,omitempty"`
	Weight    int        `codec:"w" json:"weight"`
	Current   Attempt    `codec:"c" json:"attempt"`
	Past      []Attempt  `codec:"p,omitempty" json:"past,omitempty"`
	// Why is set while retracting, and while running, to WhyCancel or WhyDrain, if
	// the process is to be killed.
	Why string `codec:"y,omitempty" json:"why,omitempty"`
	// Known: an attempt is known to have started. Maybe: one may have, and
	// there is no proof either way.
	Known  bool `codec:"k,omitempty" json:"known,omitempty"`
	Maybe  bool `codec:"m,omitempty" json:"maybe,omitempty"`
	Losses int  `codec:"l,omitempty" json:"losses,omitempty"`
	// Tries counts the attempts that failed; NotBefore is when the next may start.
	Tries     int  `codec:"tr,omitempty" json:"tries,omitempty"`
	NotBefore Time `codec:"nb,omitempty" json:"not_before"`
	// Count is how many shards the task has; 0 means 1.
	Count int `codec:"n,omitempty" json:"count,omitempty"`
	// NodeID is the only node that may take the shard, if it is set.
	NodeID string `codec:"ni,omitempty" json:"node_id,omitempty"`
	// Line is the shard's place in the line of those that wait: the instant from
	// which it waits, less what its job's priority puts it ahead.
	Line Time `codec:"q,omitempty" json:"-"`
	// Pools are what an attempt of the shard takes of the cluster's pools.
	Pools       []PoolUse `codec:"po,omitempty" json:"pools,omitempty"`
	ModifyIndex uint64    `codec:"mi" json:"modify_index"`
}

// Ref names the shard's current attempt.
func (s *Shard) Ref() AttemptRef { return AttemptRef{s.RunID, s.Task, s.Index, s.Current.Number} }

// AttemptRef names one attempt.
type AttemptRef struct {
	RunID   string `codec:"r" json:"run_id"`
	Task    string `codec:"t" json:"task"`
	Shard   int    `codec:"s,omitempty" json:"shard"`
	Attempt int    `codec:"a" json:"attempt"`
}

// String returns "run/task/shard/attempt", which is also the attempt's identity
// outside the state: in the supervisor, in file names, in ROTA_ATTEMPT.
func (r AttemptRef) String() string {
	return fmt.Sprintf("%s/%s/%d/%d", r.RunID, r.Task, r.Shard, r.Attempt)
}

// ParseAttemptRef reads what String wrote.
func ParseAttemptRef(s string) (AttemptRef, error) {
	parts := strings.Split(s, "/")
	if len(parts) != 4 {
		return AttemptRef{}, fmt.Errorf("%w: attempt %q: want run/task/shard/attempt", ErrInvalid, s)
	}
	shard, err := strconv.Atoi(parts[2])
	if err != nil {
		return AttemptRef{}, fmt.Errorf("%w: attempt %q: shard: %w", ErrInvalid, s, err)
	}
	attempt, err := strconv.Atoi(parts[3])
	if err != nil {
		return AttemptRef{}, fmt.Errorf("%w: attempt %q: attempt: %w", ErrInvalid, s, err)
	}
	return AttemptRef{parts[0], parts[1], shard, attempt}, nil
}

// Placement binds a pending shard to a node. Attempt is the number of the
// attempt that the plan saw: a plan made of an older state is refused.
type Placement struct {
	AttemptRef  `codec:"r"`
	Node        string `codec:"n"`
	Incarnation uint64 `codec:"i"`
	// Reason says why this node, for people.
	Reason string `codec:"y,omitempty"`
}

// ArmShards places pending shards; each answer stands at its placement's place.
type ArmShards struct {
	At         Time        `codec:"at"`
	Placements []Placement `codec:"p"`
}

func applyArmShards(c *change, cmd *ArmShards) (any, error) {
	results := make([]error, len(cmd.Placements))
	for i := range cmd.Placements {
		results[i] = arm(c, &cmd.Placements[i], cmd.At)
	}
	return results, nil
}

func arm(c *change, p *Placement, at Time) error {
	old := c.shard(p.RunID, p.Task, p.Shard)
	node := c.node(p.Node)
	if old == nil || old.State != ShardPending || old.Current.Number != p.Attempt {
		return ErrStale
	}
	if old.NodeID != "" && old.NodeID != p.Node {
		return ErrStale
	}
	if !fitsPools(c, old.Pools) {
		return ErrStale // other work took the room since the plan was made
	}
	if node == nil || node.Status != NodeReady || node.Incarnation != p.Incarnation {
		return ErrStale
	}
	run := c.run(p.RunID)
	if run.Cancelling || len(run.WaitsFor) > 0 {
		return ErrStale
	}
	if len(old.Pools) > 0 && slices.ContainsFunc(run.Condition, c.runActive) {
		return ErrStale // it would hold its pools while it waits for runs that may need them
	}
	if len(run.Condition) > 0 && !run.Opened {
		shrinkCondition(c, run)
	}
	s := *old
	s.State, s.Reason = ShardArmed, ""
	s.Current = Attempt{
		Number: p.Attempt + 1, Node: p.Node, Incarnation: p.Incarnation,
		Fence: nextFence(c, old), ArmedAt: at, Placed: clip(p.Reason, maxErrorText),
	}
	c.putShard(&s)
	return nil
}

// nextFence returns a number above that of every earlier attempt of the shard.
// The index alone is not: one entry may hold several commands.
func nextFence(c *change, s *Shard) uint64 {
	if n := len(s.Past); n > 0 {
		return max(c.index, s.Past[n-1].Fence+1)
	}
	return c.index
}

// shrinkCondition forgets the runs that have ended, so that a condition does not
// outlive the history that it names.
func shrinkCondition(c *change, run *Run) {
	r := *run
	r.Condition = nil
	for _, id := range run.Condition {
		if c.runActive(id) {
			r.Condition = append(r.Condition, id)
		}
	}
	if len(r.Condition) != len(run.Condition) {
		c.putRun(&r)
	}
}

// retract asks an armed attempt back.
func retract(c *change, old *Shard, why string) {
	s := *old
	s.State, s.Why = ShardRetracting, why
	c.putShard(&s)
}

// endAttempt moves the current attempt into the past, keeping its number, so
// that the next one counts on from it.
func endAttempt(s *Shard) {
	s.Past = append(append([]Attempt(nil), s.Past...), s.Current)
	if len(s.Past) > maxPastAttempts {
		s.Past = s.Past[len(s.Past)-maxPastAttempts:]
	}
	s.Current = Attempt{Number: s.Current.Number}
}

// finishShard gives a shard its final state.
func finishShard(c *change, old *Shard, state ShardState, reason string, at Time) {
	s := *old
	s.State, s.Reason, s.Why = state, reason, ""
	c.putShard(&s)
	shardEnded(c, &s, at)
}

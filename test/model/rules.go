package model

import "fmt"

// Rule is a part of the protocol that can be left out, to see what it is for.
type Rule uint8

// The rules. Each comment says what becomes possible without the rule.
const (
	// Token: without an expiry that the supervisor checks, a start that was decided
	// long ago happens after the attempt was replaced.
	Token Rule = iota
	// ForkCheck: the same, for a supervisor that is held up between check and fork.
	ForkCheck
	// Quorum: a deposed leader grants leases that outlive its successor's patience.
	Quorum
	// AgeFromSend: an answer of a deposed leader that was long under way counts as
	// younger than the proof it rests on.
	AgeFromSend
	// Floor: a node that lags behind starts what the log has moved elsewhere.
	Floor
	// Hold: a lease is granted between the decision to move and its entry.
	Hold
	// IncarnationTie: an agent starts what was armed for an earlier life of it.
	IncarnationTie
	// RefusedAt: what started between a connection's reset and the agent's death
	// counts as never started.
	RefusedAt
	// SkewDead: a fast clock has started what a slow one holds for not due.
	SkewDead
	// NoteIncarnation: a note about a dead agent condemns its successor's work.
	NoteIncarnation
	// DropFirst: an agent whose listener is closed counts as dead and still starts.
	DropFirst
	// MaybeStarted: what was due before the lapse is moved although it runs.
	MaybeStarted
	// LapseFirst: what may run twice is given up while its node may still start it,
	// and starts after a pause was answered.
	LapseFirst
	// ConditionFinal: a run that was killed and is tried again counts as ended.
	ConditionFinal
	// SingleAttempt: a run of several shards counts as ended with its gate.
	SingleAttempt
	// SkipKept: a skip that another start rests on is forgotten by a crash.
	SkipKept
	// Discard: a dead agent's message starts what its successor has renounced.
	Discard
	// Latch: contact that comes back revives what stop_after has condemned.
	Latch
	// StartRecord: a supervisor that died has forgotten what it started.
	StartRecord
	// OrphansDie: processes outlive their supervisor, and nobody fences them.
	OrphansDie
	// RebootMaybe: a machine that lost its power takes what it has no record of
	// for never started.
	RebootMaybe
	// OneDecider: the leader skips what its node is just starting.
	OneDecider
	// MaybeWaits: what may have started is skipped after all.
	MaybeWaits
	// AskBack: an armed fire is taken back without asking the node that holds it.
	AskBack
	// CancelWaits: a run counts as ended when its end is asked for, not when its
	// process is gone.
	CancelWaits
	// CancelFinal: what was cancelled is tried again, and never makes way.
	CancelFinal
	// ReplacerWanted: a run that is itself being taken back still ends those before it.
	ReplacerWanted
	// GateFirst: the other shards of a run start before it is known to happen.
	GateFirst
	// FreshRun: a fire that was taken back and decided anew takes a late report on
	// its earlier self for its own.
	FreshRun
	// OneLine: a manual run joins in the middle of a queue, and two runs wait for
	// each other.
	OneLine
	ruleCount
)

var ruleNames = [ruleCount]string{
	"Token", "ForkCheck", "Quorum", "AgeFromSend", "Floor", "Hold", "IncarnationTie", "RefusedAt", "SkewDead",
	"NoteIncarnation", "DropFirst", "MaybeStarted", "LapseFirst", "ConditionFinal", "SingleAttempt", "SkipKept", "Discard", "Latch",
	"StartRecord", "OrphansDie", "RebootMaybe", "OneDecider", "MaybeWaits", "AskBack", "CancelWaits", "CancelFinal",
	"ReplacerWanted", "GateFirst", "FreshRun", "OneLine",
}

func (r Rule) String() string { return ruleNames[r] }

// ParseRule finds a rule by its name.
func ParseRule(name string) (Rule, error) {
	for i, n := range ruleNames {
		if n == name {
			return Rule(i), nil
		}
	}
	return 0, fmt.Errorf("no rule %q; there are %v", name, ruleNames)
}

// RuleSet is a set of rules.
type RuleSet uint32

// Add returns the set with a rule more.
func (s RuleSet) Add(r Rule) RuleSet { return s | 1<<r }

// Has says whether a rule is in the set.
func (s RuleSet) Has(r Rule) bool { return s&(1<<r) != 0 }

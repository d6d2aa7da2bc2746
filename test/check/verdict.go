package check

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rota-scheduler/rota/fsm"
)

// maxShown bounds the violations that a failed test shows in full.
const maxShown = 10

// Kinds of violations.
const (
	NoOutcome      = "no outcome"
	TwoOutcomes    = "two outcomes"
	NotDue         = "outcome of an instant that was not due"
	RanNotStarted  = "ran, but no process started"
	StartedTwice   = "started more than once"
	SkippedStarted = "skipped, but a process started"
	UnknownStart   = "a process started for no listed fire"
	WrongRun       = "a process started for another run"
	Early          = "started early"
	PastDeadline   = "started past its deadline"
	TwoAtATime     = "two attempts at a time"
	RunsOverlap    = "two runs at a time"
	FenceBack      = "a later attempt has no greater fence"
	NeverStarted   = "recorded as never started, but a process started"
	Lost           = "an acknowledged change is lost"
	WhilePaused    = "started after a pause was acknowledged"
	WhileDeleted   = "started after a deletion was acknowledged"
	Diverged       = "replicas differ"
	NotRecovered   = "not recovered"
)

// Violation is one broken promise.
type Violation struct {
	Kind string
	Job  fsm.JobKey
	// At is the instant, 0 where none is concerned.
	At fsm.Time
	// Detail says in a line what is wrong, where the kind does not.
	Detail string
	// Story is everything known of it, in order.
	Story string
}

func (v Violation) String() string {
	var b strings.Builder
	b.WriteString(v.Kind)
	if v.Job.Name != "" {
		fmt.Fprintf(&b, ": %s", v.Job)
	}
	if v.At != 0 {
		fmt.Fprintf(&b, " at %s", v.At)
	}
	if v.Detail != "" {
		fmt.Fprintf(&b, ": %s", v.Detail)
	}
	return b.String() + "\n" + v.Story
}

// Verdict is what Check found.
type Verdict struct {
	Violations []Violation
	// Due counts the instants, Ran and Skipped (by reason) their outcomes.
	Due, Ran int
	Skipped  map[string]int
	// Late is by how much each first start was late, ascending.
	Late []time.Duration
}

// Percentile returns by how much the given share (0 to 1) of the first starts
// was late at most; 0 if there was none.
func (v *Verdict) Percentile(share float64) time.Duration {
	if len(v.Late) == 0 {
		return 0
	}
	return v.Late[min(len(v.Late)-1, int(share*float64(len(v.Late))))]
}

// String sums the verdict up in a line.
func (v *Verdict) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d due, %d ran", v.Due, v.Ran)
	for _, reason := range slices.Sorted(maps.Keys(v.Skipped)) {
		fmt.Fprintf(&b, ", %d skipped (%s)", v.Skipped[reason], reason)
	}
	if len(v.Late) > 0 {
		fmt.Fprintf(&b, "; late: least %s, p50 %s, p99 %s, most %s",
			v.Late[0], v.Percentile(0.5), v.Percentile(0.99), v.Late[len(v.Late)-1])
	}
	fmt.Fprintf(&b, "; %d violations", len(v.Violations))
	return b.String()
}

// Judge fails the test for each violation, and tells the story of the first
// ones.
func (v *Verdict) Judge(t testing.TB) {
	t.Helper()
	kinds := map[string]int{}
	for _, x := range v.Violations {
		kinds[x.Kind]++
	}
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		t.Errorf("%d × %s", kinds[kind], kind)
	}
	for i, x := range v.Violations {
		if i == maxShown {
			t.Logf("and %d violations more", len(v.Violations)-maxShown)
			break
		}
		t.Log(x)
	}
}

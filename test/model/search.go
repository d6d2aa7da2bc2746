package model

import (
	"fmt"
	"strings"
	"time"
)

// Limits bound a search or a series of walks. A zero limit is none.
type Limits struct {
	States   int
	Deadline time.Time
	// FairEvery: from every so manieth state on it is tried whether all comes to
	// its end. 0: from none.
	FairEvery int
}

func (l *Limits) passed(states int) bool {
	return (l.States > 0 && states >= l.States) || (!l.Deadline.IsZero() && time.Now().After(l.Deadline))
}

// Result is what a search or a series of walks came to.
type Result struct {
	Broken Broken
	Trace  []string
	// States are the distinct ones of a search, or the schedules of a walk.
	States, Steps, Fair int
	// Complete: every state that can be reached was.
	Complete bool
	// Seen counts the steps to new states by their kind.
	Seen  [kindCount]int
	Taken time.Duration
}

// parent is how a state was reached: from which one, by which of its steps.
type parent struct {
	state uint32
	step  uint16
}

// search is a breadth-first search under way.
type search struct {
	*Model
	limits  Limits
	seen    *seen
	fairly  *seen
	parents []parent
	next    []State
	result  Result
}

// Search visits every state that can be reached, the nearest first, so that the
// trace to a broken invariant is as short as any.
func (m *Model) Search(limits Limits) Result {
	begin := time.Now()
	f := search{Model: m, limits: limits, seen: newSeen(18), fairly: newSeen(12)}
	first := m.initial()
	f.seen.add(f.seen.hash(&first))
	f.parents = []parent{{}}
	f.result = Result{States: 1, Complete: true}
	level, base := []State{first}, 0
	for len(level) > 0 && f.result.Broken == "" {
		reached := len(f.parents)
		for i := range level {
			if !f.expand(&level[i], uint32(base+i)) {
				break
			}
			if i%1024 == 0 && limits.passed(f.result.States) {
				f.result.Complete = false
				break
			}
		}
		if !f.result.Complete {
			break
		}
		level, f.next, base = f.next, level[:0], reached
	}
	f.result.Taken = time.Since(begin)
	return f.result
}

// expand visits what follows a state, and says whether nothing is broken there.
func (f *search) expand(s *State, number uint32) bool {
	step := -1
	f.Steps(s, func(a *Action, n *State) {
		step++
		if f.result.Broken != "" {
			return
		}
		f.result.Steps++
		if b := f.Check(s, n); b != "" {
			f.fail(b, number, step, nil)
			return
		}
		if !f.seen.add(f.seen.hash(n)) {
			return
		}
		f.result.States++
		f.result.Seen[a.Kind]++
		f.parents = append(f.parents, parent{number, uint16(step)})
		f.next = append(f.next, *n)
		if f.limits.FairEvery > 0 && f.result.States%f.limits.FairEvery == 0 {
			f.result.Fair++
			if b, rest := f.fair(*n, f.fairly); b != "" {
				f.fail(b, number, step, rest)
			}
		}
	})
	return f.result.Broken == ""
}

func (f *search) fail(b Broken, number uint32, step int, rest []string) {
	f.result.Broken, f.result.Complete = b, false
	f.result.Trace = append(f.trace(number, step), rest...)
}

// Coverage tells how often each kind of step was taken.
func (r *Result) Coverage() string {
	var b strings.Builder
	for k, n := range r.Seen {
		fmt.Fprintf(&b, "%10d  %s\n", n, kinds[k].text)
	}
	return b.String()
}

package model

import (
	"math/rand/v2"
	"time"
)

const (
	walkSteps = 600
	// walkFair: one in so many states of a walk is tried for its fair end.
	walkFair = 40
)

// weight makes time pass, keeps faults rare, and lets what heals take a while.
func (a *Action) weight() int {
	switch a.Kind {
	case exitWell, heal, thaw, stepDown, supervisorRestarts:
		return 2
	case agentRestart, agentRestartReport:
		return 3
	case tick:
		return 14
	}
	if a.fault() {
		return 4
	}
	return 10
}

// Walk takes random schedules, as many as limits allow states.
func (m *Model) Walk(limits Limits, seed uint64) Result {
	begin := time.Now()
	w := walker{Model: m, rand: rand.New(rand.NewPCG(seed, seed)), good: newSeen(12)}
	for !limits.passed(w.result.States) && w.result.Broken == "" {
		w.walk()
		w.result.States++
	}
	w.result.Taken = time.Since(begin)
	return w.result
}

type walker struct {
	*Model
	rand   *rand.Rand
	good   *seen
	result Result
	steps  []Action
	states []State
}

// walk takes one schedule to its end.
func (w *walker) walk() {
	s := w.initial()
	var trace []string
	for range walkSteps {
		i := w.choose(&s)
		if i < 0 {
			return
		}
		next := w.states[i]
		w.result.Steps++
		w.result.Seen[w.steps[i].Kind]++
		trace = append(trace, stepText(&w.steps[i], &next))
		if b := w.Check(&s, &next); b != "" {
			w.result.Broken, w.result.Trace = b, append(trace, next.String())
			return
		}
		s = next
		if w.rand.IntN(walkFair) > 0 {
			continue
		}
		w.result.Fair++
		if b, rest := w.fair(s, w.good); b != "" {
			w.result.Broken, w.result.Trace = b, append(append(trace, s.String()), rest...)
			return
		}
	}
}

// choose picks one of the steps that are possible, or -1.
func (w *walker) choose(s *State) int {
	w.steps, w.states = w.steps[:0], w.states[:0]
	total := 0
	w.Steps(s, func(a *Action, n *State) {
		w.steps, w.states = append(w.steps, *a), append(w.states, *n)
		total += a.weight()
	})
	if total == 0 {
		return -1
	}
	r := w.rand.IntN(total)
	for i := range w.steps {
		if r -= w.steps[i].weight(); r < 0 {
			return i
		}
	}
	return -1
}

// Package model is the firing and fencing protocol as an explicit-state model: a
// small system of states and steps in which every message may be late or lost,
// every process may die between any two steps, and every order is tried.
//
// Each rule of the protocol that can be left out has a name (rules.go). With all
// of them in force no state that the search reaches breaks an invariant
// (invariants.go); with one left out, the configuration named for it leads to a
// short trace that does. That is what the tests of this package check, and why a
// rule may only be changed together with this model.
//
// # Where to read
//
//   - state.go: what a state holds; normalise.go: what of it does not matter
//   - apply.go, manual.go, operate.go: what an entry of the log changes
//   - actions_*.go: the steps, by who takes them: time and faults, connections,
//     heartbeats, supervisors, agents, the leader, people
//   - invariants.go: what must never be, and what must be in the end
//   - configs*.go: bounded scenes, each around one race
//   - search.go, walk.go, fair.go: breadth first, random schedules, and whether
//     everything ends once the faults are over
//
// Nodes A and B execute, node C only leads, and further voters that are not
// shown side with whoever is not cut off. Time is counted in ticks. The model is
// bounded evidence, not a proof; docs/design/model.md says what it leaves out.
package model

// Package scheduling decides: when a job's instants are due, where its work
// runs, and what becomes of work on nodes that fall silent.
//
// # What it promises
//
// Decisions are pure functions of a snapshot ([Cluster.Place], the misfire
// rules); the loops around them ([Leader]) run only while this node leads, read
// the replicated store, and change it only by proposing commands. Nothing here
// is believed because this node thinks that it leads: a command that was decided
// on an older state is refused when it is applied.
//
// # The horizon
//
// A fire is committed ahead of its instant, placed on a node and marked not to
// start before it. The node starts it by its own timer: a leader that dies in
// those seconds delays nobody. docs/design/protocol.md has the rules by number;
// comments here refer to them.
//
// # States of a term
//
// A term begins when the agent has passed a barrier: everything that an earlier
// leader committed is applied here. It then starts the clock's leading, opens
// the lease table with every node counted as granted at that moment, and runs
// the loops until its context ends. The loops share nothing with those of
// another term except the lease table, which is reset by each.
//
// # What happens when things fail
//
// A proposal that fails is decided anew from the state of the store, after a
// pause. A proposal whose fate is unknown keeps the node it concerned without a
// lease for the rest of the term. A schedule that cannot be evaluated stops
// firing and says so in the log; the rest goes on.
package scheduling

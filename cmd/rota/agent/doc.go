// Package agent wires the parts of rota into a node. It decides nothing about
// jobs: it starts the parts in an order, gives each what it needs of the others,
// and stops them in the reverse one.
//
// # States of a node
//
//	starting -> member -> (leader <-> member)* -> stopping -> stopped
//
// A node leads in terms. A term is: a barrier, so that everything an earlier
// leader committed is applied here; then it is open for writes; then the loops
// of package scheduling and the reconciler of package membership run until
// raft ends the term. One goroutine does this for one term after another, so
// that a term that ended has stopped entirely before the next one begins.
//
// # Stopping
//
// The lease goes first, and for good: from then on nothing new starts here, and
// it is safe for the others to conclude that from a refused connection. Then the
// leadership is handed on, the processes are ended and reported, and the
// listeners close.
//
// # Two processes
//
// `rota agent` is a supervisor (package scheduling/executor/supervisor) and, as
// its child, the agent proper, which is what the rest of this package is. The
// processes of jobs are the supervisor's. Only a stop that the supervisor orders
// ends them; an agent that fails, is killed, or makes room for a newer program
// leaves them to the next one. Heartbeats wait for a supervisor that does not
// answer within a second: what is frozen could end nothing.
//
// # What happens when things fail
//
// A disk that fails or hangs, a log entry that this version does not know, or a
// listener that breaks ends the process with an error that says so: a node that
// can no longer keep its promises must not stay a member. Everything else (peers
// out of reach, no leader, a call that times out) is retried until it works.
package agent

// Package executor starts what the log has armed on this node, and tells the
// leader what came of it.
//
// # What it promises
//
// An attempt starts here only if the applied log says that it is armed here, for
// this life of the agent; at or after its instant and not after its deadline, by
// cluster time; under a valid lease; and when its condition holds (rules 8, 22,
// 23). The process half, package proc, refuses a second start of the same
// attempt and checks the expiry again right before the exec.
//
// # States of an attempt on this node
//
//	(unknown) -> starting -> live -> ended
//	    |            |
//	    |            +-> (unknown)   refused: surely not started
//	    +-> declined                 never, skipped or missed
//
// One pass at a time looks at everything that the node holds; it owns every
// decision, so start, skip and never exclude each other. A decision not to start
// is recorded by the process half before anything rests on it (rule 24). Ended
// and declined attempts are kept, and reported again and again, until the log
// shows that they are known.
//
// # What happens when things fail
//
// Without a leader nothing is reported and, once the lease lapses, nothing is
// started; what runs goes on until stop_after. An agent that comes back finds
// what its processes came to in proc's list, and reports attempts of its earlier
// lives as never started if they are not in it (rule 13).
package executor

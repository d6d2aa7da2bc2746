package agent

import "runtime"

// ballastBytes are allocated and never touched, so they take address space and no
// memory. To the garbage collector they are live: it lets that much garbage
// gather on top of what it would, instead of running dozens of times a second over
// the few megabytes of a small cluster, which took a fifth of a busy agent's
// processor time. A percentage (GOGC) would do the same there and double the
// memory of an agent with a hundred thousand jobs.
const ballastBytes = 16 << 20

// ballast returns a function that must be called when the agent ends.
func ballast() (release func()) {
	b := make([]byte, ballastBytes)
	return func() { runtime.KeepAlive(b) }
}

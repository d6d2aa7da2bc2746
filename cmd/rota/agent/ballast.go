package agent

import (
	"os"
	"runtime"
	"runtime/debug"
)

// ballastBytes are allocated and never touched, so they take address space and no
// memory. To the garbage collector they are live: it lets that much garbage
// gather on top of what it would, instead of running dozens of times a second over
// the few megabytes of a small cluster, which took a fifth of a busy agent's
// processor time. A percentage (GOGC) would do the same there and double the
// memory of an agent with a hundred thousand jobs.
const ballastBytes = 24 << 20

// gcPercent is less than Go's own 100: with a hundred thousand jobs most of the
// memory lives as long as they do, and room for as much garbage again is wasted.
const gcPercent = 70

// ballast returns a function that must be called when the agent ends.
func ballast() (release func()) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	b := make([]byte, ballastBytes)
	return func() { runtime.KeepAlive(b) }
}

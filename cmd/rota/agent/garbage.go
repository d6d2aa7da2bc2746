package agent

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync/atomic"
	"time"
)

const (
	// ballastBytes are allocated and never touched, so they take address space and
	// no memory. To the garbage collector they are live: it lets that much garbage
	// gather on top of what it would, instead of running dozens of times a second
	// over the few megabytes of a small cluster, which took a fifth of a busy
	// agent's processor time. A percentage (GOGC) would do the same there and
	// double the memory of an agent with a hundred thousand jobs.
	ballastBytes = 24 << 20
	// gcPercent is less than Go's own 100: with a hundred thousand jobs most of the
	// memory lives as long as they do, and room for as much garbage again is wasted.
	gcPercent = 70
	// busyRoom bounds the garbage for which a busy agent gets room.
	busyRoom = 128 << 20
	// busyGap is how far apart its collections are to be.
	busyGap = 2 * time.Second
)

// garbage keeps the collector of a busy agent from running many times a second:
// after each collection it makes room for what is allocated in two seconds at the
// rate seen, within busyRoom. An agent that is idle again gives the room back with
// its next collection, after two minutes at most.
type garbage struct {
	ballast []byte
	stopped atomic.Bool

	// Of the goroutine that calls collected, one at a time.
	last      time.Time
	allocated uint64
}

// tendGarbage returns a function that must be called when the agent ends. Who sets
// GOGC decides alone.
func tendGarbage() (release func()) {
	g := &garbage{ballast: make([]byte, ballastBytes)}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
		g.last = time.Now()
		g.allocated, _ = heap()
		g.await()
	}
	return func() {
		g.stopped.Store(true)
		runtime.KeepAlive(g.ballast)
	}
}

// await calls collected after the next collection, which finds that nobody holds
// the object any more.
func (g *garbage) await() {
	runtime.AddCleanup(new([64]byte), (*garbage).collected, g)
}

func (g *garbage) collected() {
	if g.stopped.Load() {
		return
	}
	now := time.Now()
	allocated, live := heap()
	debug.SetGCPercent(percent(live, allocated-g.allocated, now.Sub(g.last)))
	g.last, g.allocated = now, allocated
	g.await()
}

// percent is how much garbage may gather, in percent of what is live, where so
// much was allocated in that time.
func percent(live, allocated uint64, within time.Duration) int {
	room := min(float64(allocated)/max(within.Seconds(), 1e-3)*busyGap.Seconds(), busyRoom)
	return max(gcPercent, int(100*room/float64(max(live, 1<<20))))
}

// heap returns how many bytes have been allocated so far, and how many of them
// were live at the last collection, the ballast among them.
func heap() (allocated, live uint64) {
	samples := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}, {Name: "/gc/heap/live:bytes"}}
	metrics.Read(samples)
	return samples[0].Value.Uint64(), samples[1].Value.Uint64()
}

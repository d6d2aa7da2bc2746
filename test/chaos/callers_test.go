package chaos

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/rota-scheduler/rota/test/linear"
)

const (
	callerCount = 3
	sharedJobs  = 2
	// callEvery is the mean time between two calls of a client.
	callEvery = 150 * time.Millisecond
	// sharedFor is how long the callers share the same jobs.
	sharedFor = 5 * time.Second
	// fewestCalls: with fewer answers a history shows nothing.
	fewestCalls = 30
)

// callers are clients that change and read the same few jobs, which have no
// schedule, through all nodes while the damage is done. What an editor is told is
// judged by what became of it; what a caller is told, against what the others were.
type callers struct {
	t       *testing.T
	history *linear.History
	cancel  context.CancelFunc
	group   sync.WaitGroup
}

func startCallers(w *world) *callers {
	ctx, cancel := context.WithCancel(w.t.Context())
	c := &callers{t: w.t, history: &linear.History{}, cancel: cancel}
	calls := linear.Clients{Jobs: sharedJobs, Fresh: sharedFor, Pause: callEvery, Timeout: callWithin}
	for _, n := range w.c.Nodes {
		calls.APIs = append(calls.APIs, n.Client())
	}
	seed := w.r.Uint64()
	for i := range callerCount {
		c.group.Go(func() { calls.Run(ctx, c.history, i, seed) })
	}
	w.t.Cleanup(c.stop)
	return c
}

func (c *callers) stop() {
	c.cancel()
	c.group.Wait()
}

// judge stops the callers, and fails the test unless their answers fit together.
func (c *callers) judge() {
	c.t.Helper()
	c.stop()
	answered, unknown := c.history.Count()
	c.t.Logf("callers: %d calls answered, the fate of %d unknown", answered, unknown)
	if answered < fewestCalls {
		c.t.Errorf("only %d calls were answered: they show nothing", answered)
	}
	c.history.Check(c.t)
}

package raftnode

import (
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"syscall"
	"time"

	"github.com/hashicorp/raft"
)

// stallTicks is how many looks of the watchdog a write survives. Ticks are
// counted, not time: after the process itself was stopped for a while, one tick
// has passed, so that a thaw is not taken for a hung disk.
const stallTicks = 8

// guard stands between raft and its stores. It times every write, and ends the
// node when one fails or hangs. One goroutine, run, is its watchdog.
type guard struct {
	stall   time.Duration
	logger  *slog.Logger
	onFatal func(error)

	mu       sync.Mutex
	times    writeTimes
	inflight map[*write]struct{}
	err      error // the first failure; set once
	installs int   // snapshots since the last stored entry
	entries  uint64
	bytes    uint64

	stop chan struct{}
	done chan struct{}
	once sync.Once
}

type write struct {
	start time.Time
	ticks int
}

func newGuard(stall time.Duration, logger *slog.Logger, onFatal func(error)) *guard {
	return &guard{
		stall:    stall,
		logger:   logger,
		onFatal:  onFatal,
		inflight: make(map[*write]struct{}),
		stop:     make(chan struct{}),
		done:     make(chan struct{}),
	}
}

// run watches the writes until close.
func (g *guard) run() {
	defer close(g.done)
	tick := time.NewTicker(g.stall / stallTicks)
	defer tick.Stop()
	for {
		select {
		case <-g.stop:
			return
		case <-tick.C:
			if w := g.oldest(); w != nil {
				g.fail(fmt.Errorf("%w: one has taken %s, more than %s: check the disk",
					ErrStalled, time.Since(w.start).Round(time.Millisecond), g.stall))
			}
		}
	}
}

// oldest counts a tick for every write in flight and returns one that has
// outlived them.
func (g *guard) oldest() *write {
	g.mu.Lock()
	defer g.mu.Unlock()
	var stalled *write
	for w := range g.inflight {
		if w.ticks++; w.ticks > stallTicks {
			stalled = w
		}
	}
	return stalled
}

// close ends the watchdog and releases the goroutines of raft that park holds.
func (g *guard) close() {
	g.once.Do(func() { close(g.stop) })
}

// do runs one write of the store. It refuses after a failure.
func (g *guard) do(what string, write func() error) error {
	w, err := g.begin()
	if err != nil {
		return err
	}
	err = write()
	g.end(w, err != nil)
	if err == nil {
		return nil
	}
	err = writeError(what, err)
	g.fail(err)
	return err
}

func (g *guard) begin() (*write, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.err != nil {
		return nil, g.err
	}
	w := &write{start: time.Now()}
	g.inflight[w] = struct{}{}
	return w, nil
}

func (g *guard) end(w *write, failed bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.inflight, w)
	g.times.add(time.Since(w.start), failed)
}

func writeError(what string, err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("%w: %s: %w: free some space; the agent starts by itself then", ErrNoSpace, what, err)
	}
	return fmt.Errorf("%w: %s: %w: the agent must restart, since nobody knows what the disk holds", ErrWriteFailed, what, err)
}

// fail latches the first failure and reports it. The report has a goroutine of
// its own because it may shut the node down, which waits for this one.
func (g *guard) fail(err error) {
	g.mu.Lock()
	first := g.err == nil
	if first {
		g.err = err
	}
	g.mu.Unlock()
	if !first {
		return
	}
	g.logger.Error("raft node cannot go on", "error", err)
	go g.onFatal(err)
}

func (g *guard) failure() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.err
}

// park ends the calling goroutine of raft once the node is shut down. Raft
// panics when it cannot store its term and when it cannot read an entry, which
// would replace the orderly end that OnFatal has begun with a stack trace.
func (g *guard) park() {
	<-g.stop
	runtime.Goexit()
}

// noteSnapshot counts a snapshot that was stored; noteEntries forgets them.
func (g *guard) noteSnapshot() {
	g.mu.Lock()
	g.installs++
	n := g.installs
	g.mu.Unlock()
	if n >= 3 {
		g.logger.Warn("snapshots arrive but the log does not advance", "snapshots", n)
	}
}

// noteEntries counts entries that were stored.
func (g *guard) noteEntries(logs []*raft.Log) {
	bytes := 0
	for _, l := range logs {
		bytes += len(l.Data)
	}
	g.mu.Lock()
	g.installs = 0
	g.entries += uint64(len(logs))
	g.bytes += uint64(bytes) //nolint:gosec // a length
	g.mu.Unlock()
}

func (g *guard) stats() Stats {
	g.mu.Lock()
	defer g.mu.Unlock()
	s := g.times.stats()
	s.SnapshotsWithoutProgress = g.installs
	s.Entries, s.Bytes = g.entries, g.bytes
	s.StallTimeout = g.stall
	return s
}

package proc

import (
	"context"
	"fmt"
	"math"
	"time"

	"golang.org/x/sys/unix"
)

// survivorPause lies between two looks at what a predecessor left behind.
const survivorPause = 5 * time.Millisecond

// recover takes over the list of the predecessor: first it makes true that
// nothing of it runs any more, then it says so.
func (m *Manager) recover(ctx context.Context, records []record) error {
	open := make(map[string]record)
	for _, rec := range records {
		m.replay(rec, open)
	}
	if err := m.killSurvivors(ctx, open); err != nil {
		return err
	}
	for id, rec := range open {
		r := &Result{
			ID: id, Outcome: Killed, Reason: ReasonRestarted, ExitCode: -1,
			Error:     "the process that held it ended; it may have started",
			StartedAt: rec.At, StartedMono: rec.Mono,
			EndedAt: wall(), EndedMono: Mono(),
		}
		m.describeOutput(rec.Dir, r)
		if err := m.journal.append(record{Op: opEnd, ID: id, Dir: rec.Dir, Result: r}); err != nil {
			return err
		}
		m.attempts[id] = &attempt{id: id, state: Ended, dir: rec.Dir, result: r}
	}
	return nil
}

// replay applies one record: open holds what has started and not ended.
func (m *Manager) replay(rec record, open map[string]record) {
	delete(open, rec.ID)
	delete(m.attempts, rec.ID)
	switch rec.Op {
	case opStart:
		open[rec.ID] = rec
	case opDecline:
		m.attempts[rec.ID] = &attempt{id: rec.ID, state: Declined, note: rec.Note}
	case opEnd:
		if r := rec.Result; r != nil {
			m.attempts[rec.ID] = &attempt{
				id: rec.ID, state: Ended, dir: rec.Dir, result: r,
				startedAt: r.StartedAt, startedMono: r.StartedMono,
			}
		}
	}
}

// describeOutput fills in what the files still tell.
func (m *Manager) describeOutput(dir string, r *Result) {
	if dir == "" {
		return
	}
	logs := OpenLogs(dir)
	for _, s := range []Stream{Stdout, Stderr} {
		first, end, err := logs.Size(s)
		if err == nil {
			var tail Chunk
			tail, err = logs.Tail(s, TailBytes/2)
			r.Tail = append(r.Tail, tail.Data...)
		}
		if err != nil {
			m.log.Warn("output of a lost attempt", "attempt", r.ID, "error", err)
		}
		r.OutputBytes += end
		r.Truncated = r.Truncated || first > 0
	}
}

// killSurvivors ends what carries the marker of an attempt that has not ended,
// with its session and descendants. The main processes died with their parent;
// these are the ones the parent-death signal does not reach.
func (m *Manager) killSurvivors(ctx context.Context, open map[string]record) error {
	marks, first := marksOf(m.boot, open)
	if len(marks) == 0 {
		return nil
	}
	t := time.NewTicker(survivorPause)
	defer t.Stop()
	var unsureSince time.Time
	known := make(map[procKey]bool)
	for {
		left, unsure, err := survivors(marks, first, known)
		if err != nil {
			return err
		}
		if unsureSince.IsZero() || len(left) > 0 {
			unsureSince = time.Now()
		}
		if len(left) == 0 && (!unsure || time.Since(unsureSince) >= blankPatience) {
			return nil
		}
		for _, p := range left {
			signalProcess(p, unix.SIGKILL)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%d processes of earlier attempts are still alive: %w", len(left), ctx.Err())
		case <-t.C:
		}
	}
}

// marksOf returns what processes of these attempts carry, and the first start.
// Nothing lives through a reboot; and an empty mark, which only damage can
// make, would be that of every stranger.
func marksOf(boot string, open map[string]record) (marks map[string]bool, first int64) {
	marks, first = make(map[string]bool), math.MaxInt64
	for _, rec := range open {
		if rec.Boot == boot && rec.Mark != "" {
			marks[rec.Mark], first = true, min(first, rec.Mono)
		}
	}
	return marks, first
}

// ticksPerSecond is the unit of start times in /proc, the same on every
// architecture that Go runs on.
const ticksPerSecond = 100

// survivors returns what is left of the attempts, none of which started before
// the instant first (Mono, ns), and remembers it in known: a process on its way
// out has no environment any more. unsure means that a process young enough to
// be theirs shows none, as in the middle of an exec.
func survivors(marks map[string]bool, first int64, known map[procKey]bool) (left []procStat, unsure bool, err error) {
	all, err := processes()
	if err != nil {
		return nil, false, err
	}
	own, err := unix.Getsid(0)
	if err != nil {
		return nil, false, fmt.Errorf("read own session: %w", err)
	}
	oldest := uint64(first / int64(time.Second/ticksPerSecond))
	env := make([]byte, maxEnvironBytes)
	sessions := make(map[int]bool)
	for _, p := range all {
		if p.dead() || p.session == own {
			continue // never ourselves, whoever started us
		}
		if known[p.key()] {
			continue
		}
		mark, blank := markerOf(p.pid, env)
		if mark != "" && marks[mark] {
			sessions[p.session] = true
		}
		unsure = unsure || blank && p.start >= oldest
	}
	left = alive(closure(all, func(p procStat) bool {
		return sessions[p.session] || known[p.key()]
	}))
	for _, p := range left {
		known[p.key()] = true
	}
	return left, unsure, nil
}

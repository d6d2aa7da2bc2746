package proc

import (
	"context"
	"fmt"
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
	ids := make(map[string]bool)
	for id, rec := range open {
		if rec.Boot == m.boot { // nothing lives through a reboot
			ids[id] = true
		}
	}
	if len(ids) == 0 {
		return nil
	}
	t := time.NewTicker(survivorPause)
	defer t.Stop()
	for {
		left, err := survivors(ids)
		if err != nil || len(left) == 0 {
			return err
		}
		for _, p := range left {
			signalProcess(p, unix.SIGKILL)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%d processes of earlier attempts cannot be killed, such as pid %d: %w",
				len(left), left[0].pid, ctx.Err())
		case <-t.C:
		}
	}
}

func survivors(ids map[string]bool) ([]procStat, error) {
	all, err := processes()
	if err != nil {
		return nil, err
	}
	own, err := unix.Getsid(0)
	if err != nil {
		return nil, fmt.Errorf("read own session: %w", err)
	}
	env := make([]byte, maxEnvironBytes)
	marked := make(map[int]bool)
	sessions := make(map[int]bool)
	for _, p := range all {
		if p.dead() || p.session == own {
			continue // never ourselves, whoever started us
		}
		if id, _ := markerOf(p.pid, env); ids[id] {
			marked[p.pid], sessions[p.session] = true, true
		}
	}
	found := closure(all, func(p procStat) bool { return marked[p.pid] || sessions[p.session] })
	return alive(found), nil
}

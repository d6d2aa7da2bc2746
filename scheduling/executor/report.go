package executor

import (
	"context"
	"time"

	"github.com/rota-scheduler/rota/fsm"
)

const (
	// resendAfter is when a report that the log does not show yet goes out again.
	resendAfter = time.Second
	// startedHold is how long the report of a start waits for the end, which says
	// both: most jobs are short, and each report is work for every node.
	startedHold = 50 * time.Millisecond
	// replayPause is how often a report that waits for the log is looked at.
	replayPause = 20 * time.Millisecond
	// startPatience is how long reports wait for starts; lonePatience, where each
	// is of a run that is nothing but this attempt, so that no other task waits
	// for it. startPoll is how often that is looked at, slowPoll once they have
	// waited for startPatience: each look goes over all that is known here.
	startPatience = 50 * time.Millisecond
	lonePatience  = 250 * time.Millisecond
	startPoll     = 4 * time.Millisecond
	slowPoll      = 20 * time.Millisecond
	// reportTimeout bounds one call to the leader.
	reportTimeout = 5 * time.Second
	// maxReports bounds one call; what is left follows at once. maxReportBytes
	// does so for the outputs and lists that reports carry; one may exceed it.
	maxReports     = 500
	maxReportBytes = 1 << 20
)

// report sends what the leader must hear. While one call is under way the next
// reports gather, so that a busy node costs few calls and few log entries.
func (e *Executor) report(ctx context.Context) error {
	for {
		var again <-chan time.Time
		if pause, ok := e.nextReport(); ok {
			again = time.After(pause)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-e.send:
		case <-again:
		}
		e.letStartsGo(ctx)
		for e.sendReports(ctx) {
		}
	}
}

// letStartsGo waits a moment for the starts that are under way: when many are due
// at once they have the machine to themselves, and their reports go together.
func (e *Executor) letStartsGo(ctx context.Context) {
	pause := startPoll
	for waited := time.Duration(0); waited < lonePatience; waited += pause {
		starts, urgent := e.underWay()
		if !starts || (urgent && waited >= startPatience) {
			return
		}
		if waited >= startPatience {
			pause = slowPoll
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

// underWay says whether starts are under way, and whether another task may wait
// for something that there is to report.
func (e *Executor) underWay() (starts, urgent bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, l := range e.locals {
		starts = starts || l.state == starting
		urgent = urgent || (l.report != nil && !l.alone)
	}
	return starts, urgent
}

// nextReport returns how long until a report is due that is not new, if there is
// one.
func (e *Executor) nextReport() (time.Duration, bool) {
	now := e.cfg.Clock.Mono()
	e.mu.Lock()
	defer e.mu.Unlock()
	var next time.Duration
	found := false
	for _, l := range e.locals {
		if l.report == nil {
			continue
		}
		pause := resendAfter
		switch {
		case l.unharvested:
			pause = replayPause
		case l.sentAt == 0:
			pause = max(time.Duration(l.holdUntil-now), 0)
		}
		if !found || pause < next {
			next, found = pause, true
		}
	}
	return next, found
}

// sendReports makes one call, and says whether there may be more to send now.
func (e *Executor) sendReports(ctx context.Context) bool {
	e.harvestEnded()
	reports, more := e.outbox()
	if len(reports) == 0 {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, reportTimeout)
	defer cancel()
	if err := e.cfg.Report(ctx, reports); err != nil {
		if ctx.Err() == nil {
			e.cfg.Logger.Debug("reports were not taken; they go out again", "reports", len(reports), "error", err)
		}
		return false
	}
	return more
}

// outbox returns the reports that are new or overdue, up to the bound.
func (e *Executor) outbox() (reports []fsm.Report, more bool) {
	now := e.cfg.Clock.Mono()
	e.mu.Lock()
	defer e.mu.Unlock()
	size := 0
	for _, l := range e.locals {
		if l.report == nil || l.unharvested || now < l.holdUntil || (l.sentAt != 0 && now-l.sentAt < int64(resendAfter)) {
			continue
		}
		size += sizeOf(l.report)
		if len(reports) == maxReports || (len(reports) > 0 && size > maxReportBytes) {
			return reports, true
		}
		l.sentAt = now
		reports = append(reports, *l.report)
	}
	return reports, false
}

// sizeOf returns about how many bytes a report carries.
func sizeOf(r *fsm.Report) int {
	size := len(r.Tail) + len(r.Error) + len(r.Output)
	for _, item := range r.Items {
		size += len(item)
	}
	return size
}

// Load returns the weight of what is starting or runs here.
func (e *Executor) Load() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.busy
}

// Flush waits until every report has been sent and shows in the log, or ctx ends.
func (e *Executor) Flush(ctx context.Context) {
	e.again()
	poke(e.send)
	tick := time.NewTicker(flushPoll)
	defer tick.Stop()
	for e.owes() {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Retreat gives back what is armed here, and returns when the log shows that, or
// when ctx ends. The lease must have been dropped before (rule 7).
func (e *Executor) Retreat(ctx context.Context) {
	e.again()
	tick := time.NewTicker(flushPoll)
	defer tick.Stop()
	for e.holdsUnstarted() {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (e *Executor) holdsUnstarted() bool {
	for s := range e.cfg.Store.Read().HeldBy(e.cfg.NodeID) {
		if s.State != fsm.ShardRunning {
			return true
		}
	}
	return false
}

const flushPoll = 10 * time.Millisecond

func (e *Executor) owes() bool {
	v := e.cfg.Store.Read()
	e.mu.Lock()
	defer e.mu.Unlock()
	for ref, l := range e.locals {
		if l.report == nil {
			continue
		}
		if s := v.Shard(ref.RunID, ref.Task, ref.Shard); s != nil && s.State.Held() && s.Ref() == ref {
			return true
		}
	}
	return false
}

package executor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/scheduling/executor/httpcall"
	"github.com/rota-scheduler/rota/scheduling/executor/proc"
)

// Clock is cluster time, and the monotonic clock that leases and the processes'
// expiries are counted in (nanoseconds).
type Clock interface {
	Now() fsm.Time
	// Latest is the latest that cluster time can be: deadlines are kept by it.
	Latest() fsm.Time
	Mono() int64
}

// Config is what an executor needs. All fields are required.
type Config struct {
	Store       *fsm.Store
	Processes   proc.Processes
	Clock       Clock
	Lease       *Lease
	NodeID      string
	NodeName    string
	Incarnation uint64
	// Capacity is the weight that may run at once.
	Capacity int
	// OutputDir is the root of the attempts' output folders.
	OutputDir string
	// OutputMaxAge and OutputMaxBytes bound what is kept there.
	OutputMaxAge   time.Duration
	OutputMaxBytes int64
	// Report hands reports to the leader. An error means that they are to be
	// sent again; so does silence in the log.
	Report func(ctx context.Context, reports []fsm.Report) error
	Logger *slog.Logger
}

// Executor runs the attempts that this node holds.
type Executor struct {
	cfg  Config
	send chan struct{} // of one: there is something new to report

	// ahead is when what is armed ahead of its time is due. Only a pass uses it, and
	// passes, which counts them.
	ahead  map[*fsm.Shard]fsm.Time
	passes uint64

	mu     sync.Mutex
	wake   chan struct{} // closed, and replaced, when something other than the store changed
	locals map[fsm.AttemptRef]*local
	busy   int // weight of what is starting or live
	starts sync.WaitGroup
	calls  *httpcall.Client
	// commands are those that are waited for; stale ones have ended and are to be
	// forgotten.
	commands map[string]chan proc.Result
	stale    []string
}

// localState is where an attempt stands on this node.
type localState int

const (
	starting localState = iota
	live
	ended
	declined
)

// local is what this node knows of an attempt beyond the log. The executor's
// lock guards it.
type local struct {
	state  localState
	weight int
	// report is what the leader must hear, nil if the log shows it already.
	report *fsm.Report
	// sentAt is the mono instant at which report went out last; 0: not yet.
	sentAt int64
	// alone: nothing of the run waits to hear that this has started.
	alone bool
	// unharvested: what later tasks read of the output is not in report yet.
	unharvested bool
	// holdUntil is the mono instant before which report does not go out.
	holdUntil int64
	// heldIn is the last pass that found it held here.
	heldIn uint64
	killed bool
	// cancel ends a call of the http driver; nil for a process.
	cancel context.CancelFunc
}

// New returns an executor that does nothing before Run.
func New(cfg Config) *Executor {
	return &Executor{
		cfg: cfg, locals: map[fsm.AttemptRef]*local{}, calls: httpcall.New(), commands: map[string]chan proc.Result{},
		ahead: map[*fsm.Shard]fsm.Time{}, wake: make(chan struct{}), send: make(chan struct{}, 1),
	}
}

// Run works until ctx ends. Processes that run then go on running: to end them
// is up to the owner of the process half. It first takes over what an earlier
// life of the agent left there.
func (e *Executor) Run(ctx context.Context) error {
	if err := e.adopt(ctx); err != nil {
		return err
	}
	defer e.calls.Close()
	defer e.starts.Wait()
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return e.decide(ctx) })
	g.Go(func() error { return e.report(ctx) })
	g.Go(func() error { return e.sweep(ctx) })
	return g.Wait()
}

// adopt takes over what the process half knows and the executor does not.
func (e *Executor) adopt(ctx context.Context) error {
	list, err := e.cfg.Processes.List(ctx)
	if err != nil {
		return fmt.Errorf("listing the attempts that the process half knows: %w", err)
	}
	defer e.again()
	for _, st := range list {
		if strings.HasPrefix(st.ID, commandPrefix) {
			if st.Result != nil {
				e.commandEnded(*st.Result)
			}
			continue // or it ends by itself
		}
		ref, err := fsm.ParseAttemptRef(st.ID)
		if err != nil {
			e.cfg.Logger.Warn("the process list names something that is no attempt", "id", st.ID)
			continue
		}
		e.adoptOne(ref, &st)
	}
	poke(e.send)
	return nil
}

// adoptOne takes over one attempt. What it came to may have to be read from a
// disk, which no lock may wait for.
func (e *Executor) adoptOne(ref fsm.AttemptRef, st *proc.Status) {
	e.mu.Lock()
	known := e.locals[ref] != nil // it ended since the list was made, say
	e.mu.Unlock()
	if known {
		return
	}
	l := e.adopted(ref, st)
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.locals[ref] == nil {
		e.locals[ref] = l
	}
}

// adopted makes a local of what the process half says of an attempt.
func (e *Executor) adopted(ref fsm.AttemptRef, st *proc.Status) *local {
	switch {
	case st.State == proc.Declined:
		return &local{state: declined, report: &fsm.Report{AttemptRef: ref, Kind: fsm.ReportKind(st.Note)}}
	case st.Result != nil:
		return &local{state: ended, report: e.endReport(ref, st.Result), unharvested: true}
	}
	return &local{state: live, report: &fsm.Report{
		AttemptRef: ref, Kind: fsm.ReportStarted, StartedAt: e.clusterTime(st.StartedMono),
	}}
}

// Ended takes the end of an attempt; it is proc's OnEnd. It does not block.
func (e *Executor) Ended(r proc.Result) {
	if e.commandEnded(r) {
		return
	}
	ref, err := fsm.ParseAttemptRef(r.ID)
	if err != nil {
		return
	}
	report := e.endReport(ref, &r)
	e.mu.Lock()
	l := e.locals[ref]
	if l == nil {
		l = &local{}
		e.locals[ref] = l
	}
	if l.state == starting || l.state == live {
		e.busy -= l.weight
	}
	l.state, l.report, l.sentAt, l.holdUntil, l.unharvested = ended, report, 0, 0, true
	e.mu.Unlock()
	poke(e.send)
	e.again()
}

// again asks for another pass.
func (e *Executor) again() {
	e.mu.Lock()
	defer e.mu.Unlock()
	close(e.wake)
	e.wake = make(chan struct{})
}

// asked returns a channel that closes when another pass is asked for.
func (e *Executor) asked() <-chan struct{} {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.wake
}

func poke(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}

// clusterTime converts a mono instant. One that lies ahead is of an earlier run of
// the machine, and counts as now.
func (e *Executor) clusterTime(mono int64) fsm.Time {
	if mono == 0 {
		return 0
	}
	return e.cfg.Clock.Now() - fsm.Time(max(e.cfg.Clock.Mono()-mono, 0))
}

// endReport says what a process came to.
func (e *Executor) endReport(ref fsm.AttemptRef, r *proc.Result) *fsm.Report {
	rep := &fsm.Report{
		AttemptRef: ref, Kind: fsm.ReportEnded, Outcome: string(r.Outcome),
		EndedAt:  e.clusterTime(r.EndedMono),
		ExitCode: r.ExitCode, Signal: r.Signal, Error: r.Error, Tail: r.Tail, Truncated: r.Truncated, OOM: r.OOM,
	}
	// From the end, so that no sample of the clock in between makes it negative.
	rep.StartedAt = rep.EndedAt
	if r.StartedMono != 0 { // a program that could not be started has no start
		rep.StartedAt -= fsm.Time(max(r.EndedMono-r.StartedMono, 0))
	}
	if r.Outcome == proc.Killed {
		rep.Kind, rep.Error = fsm.ReportKilled, "killed on its node: "+r.Reason
	}
	return rep
}

// decide passes over what the node holds whenever something has changed.
func (e *Executor) decide(ctx context.Context) error {
	for ctx.Err() == nil {
		asked, renewed := e.asked(), e.cfg.Lease.Renewed()
		began := e.cfg.Clock.Mono()
		v := e.cfg.Store.Watch()
		p := e.pass(ctx, v)
		ended := e.cfg.Clock.Mono()
		v.Changed().Add(asked)
		if p.leaseless {
			v.Changed().Add(renewed)
		}
		e.wait(ctx, v, p.next)
		e.breathe(ctx, ended, passGap(time.Duration(ended-began)), p.next)
	}
	return nil
}

// passGap is the least time between two passes that events ask for, after one that
// took so long: each looks at everything that the node holds, and events come in
// bursts. A node that holds a thousand attempts spends a tenth of a processor on
// looking at most, one with more than the gap allows for, more.
func passGap(took time.Duration) time.Duration {
	return min(max(10*took, 2*time.Millisecond), 30*time.Millisecond)
}

// breathe lets a gap pass since the last pass, unless the next instant comes.
func (e *Executor) breathe(ctx context.Context, since int64, gap time.Duration, next fsm.Time) {
	gap -= time.Duration(e.cfg.Clock.Mono() - since)
	if next != 0 {
		gap = min(gap, next.Sub(e.cfg.Clock.Now()))
	}
	if gap <= 0 {
		return
	}
	select {
	case <-ctx.Done():
	case <-time.After(gap):
	}
}

// wait returns when the store, the process half or the clock asks for a pass.
func (e *Executor) wait(ctx context.Context, v *fsm.View, next fsm.Time) {
	if next != 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, max(next.Sub(e.cfg.Clock.Now()), 0))
		defer cancel()
	}
	_ = v.Changed().WatchCtx(ctx) // its error only says which of them it was
}

// ErrNoLog: this node has no output of that attempt.
var ErrNoLog = errors.New("no output of this attempt on this node")

const (
	// retryStart is how long a start that was refused for want of resources waits.
	retryStart = 100 * time.Millisecond
	// floorPoll is how often a store that is behind the lease's floor is looked
	// at: entries that concern no attempt of this node wake nobody.
	floorPoll = 5 * time.Millisecond
)

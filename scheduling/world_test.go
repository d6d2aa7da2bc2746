package scheduling

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"
	"go.uber.org/goleak"

	"github.com/rota-scheduler/rota/fsm"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var errNoQuorum = errors.New("no quorum, on purpose")

// fault is what becomes of a proposal.
type fault int

const (
	works fault = iota
	refused
	unknownApplied
	unknownDropped
)

// world is a log in memory, its store, the clocks, and nodes without processes.
// It lives inside a synctest bubble.
type world struct {
	t      *testing.T
	store  *fsm.Store
	clock  *Clock
	leases *Leases
	timing Timing
	began  time.Time
	// fault decides the fate of each proposal; it is called under the lock.
	fault func(op fsm.Opcode) fault
	// refusals are this node's notes on its peers.
	refusals map[string]Refusal

	mu    sync.Mutex
	index uint64
	shift time.Duration
	calls map[fsm.Opcode]int
	// starts counts what the nodes started, by job and instant.
	starts map[string]int
}

func newWorld(t *testing.T) *world {
	w := &world{
		t: t, began: time.Now(), timing: DefaultTiming(), refusals: map[string]Refusal{},
		calls: map[fsm.Opcode]int{}, starts: map[string]int{},
	}
	w.store = fsm.NewStore(func(err error) { t.Error(err) })
	w.clock = NewClock(w.wall, w.mono)
	w.leases = NewLeases(w.mono, w.timing)
	return w
}

// bubble runs a test in virtual time.
func bubble(t *testing.T, test func(w *world)) {
	synctest.Test(t, func(t *testing.T) { test(newWorld(t)) })
}

func (w *world) wall() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Now().Add(w.shift)
}

// step moves this machine's wall clock.
func (w *world) step(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.shift += d
}

func (w *world) mono() int64 { return int64(time.Since(w.began)) + 1e12 }

func (w *world) now() fsm.Time { return w.clock.Now() }

func (w *world) after(d time.Duration) {
	timer := time.NewTimer(d)
	<-timer.C
	synctest.Wait()
}

func (w *world) leader() *Leader {
	return NewLeader(Config{
		Store: w.store, Proposer: w, Clock: w.clock, Leases: w.leases, Timing: w.timing, Self: "n1",
		StepDown: func(context.Context) error { return nil }, Verify: func(context.Context) error { return nil },
		Refusals: func(id string) (Refusal, bool) { r, ok := w.refusals[id]; return r, ok },
		Logger:   slog.New(slog.DiscardHandler),
	})
}

// lead runs loops of a term until the returned function is called.
func (w *world) lead(loops ...func(context.Context) error) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	for _, loop := range loops {
		wg.Go(func() {
			if err := loop(ctx); err != nil {
				w.t.Error(err)
			}
		})
	}
	synctest.Wait()
	return func() { cancel(); wg.Wait() }
}

// Propose implements Proposer.
func (w *world) Propose(ctx context.Context, op fsm.Opcode, command any) (any, uint64, error) {
	if err := ctx.Err(); err != nil {
		return nil, 0, err
	}
	w.mu.Lock()
	w.calls[op]++
	fate := works
	if w.fault != nil {
		fate = w.fault(op)
	}
	w.mu.Unlock()
	switch fate {
	case refused:
		return nil, 0, errNoQuorum
	case unknownDropped:
		return nil, 0, fmt.Errorf("%w: %w", ErrUnknownFate, errNoQuorum)
	}
	res, index := w.entry(op, command)
	if fate == unknownApplied {
		return nil, 0, fmt.Errorf("%w: %w", ErrUnknownFate, errNoQuorum)
	}
	return res.Value, index, res.Err
}

func (w *world) proposed(op fsm.Opcode) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.calls[op]
}

func (w *world) entry(op fsm.Opcode, command any) (fsm.Result, uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.index++
	return w.store.Apply(&raft.Log{Index: w.index, Type: raft.LogCommand, Data: fsm.Encode(op, command)}).(fsm.Result), w.index
}

func (w *world) apply(op fsm.Opcode, command any) any {
	w.t.Helper()
	res, _ := w.entry(op, command)
	if res.Err != nil {
		w.t.Errorf("opcode %d: %v", op, res.Err)
	}
	return res.Value
}

// open begins a term in which every node has just been answered.
func (w *world) open(nodes ...string) {
	w.leases.Open(w.store.Index(), nil)
	w.leases.Verified(w.mono())
	for _, id := range nodes {
		w.beat(id)
	}
}

// beat is a node's heartbeat.
func (w *world) beat(id string) Grant {
	n := w.store.Read().Node(id)
	if n == nil {
		return Grant{}
	}
	return w.leases.Heartbeat(id, n.Incarnation, n.ModifyIndex)
}

// beating sends heartbeats until ctx ends.
func (w *world) beating(id string) func(context.Context) error {
	return func(ctx context.Context) error {
		tick := time.NewTicker(w.timing.Heartbeat)
		defer tick.Stop()
		for {
			w.beat(id)
			select {
			case <-ctx.Done():
				return nil
			case <-tick.C:
			}
		}
	}
}

func (w *world) register(id string, incarnation uint64, capacity int) {
	w.apply(fsm.OpRegisterNode, fsm.RegisterNode{At: w.now(), Node: fsm.Node{ID: id, Name: id, Incarnation: incarnation, Capacity: capacity}})
}

func key(name string) fsm.JobKey { return fsm.JobKey{Namespace: fsm.DefaultNamespace, Name: name} }

func specOf(name string, schedules ...fsm.Schedule) fsm.JobSpec {
	return fsm.JobSpec{
		Namespace: fsm.DefaultNamespace, Name: name, Schedules: schedules, History: fsm.History{Runs: 10_000},
		Tasks: []fsm.Task{{Name: "main", Driver: fsm.DriverNoop}},
	}
}

func (w *world) put(specs ...fsm.JobSpec) {
	w.t.Helper()
	cmd := fsm.PutJobs{At: w.now()}
	for _, s := range specs {
		next, err := FirstInstants(&s, cmd.At)
		if err != nil {
			w.t.Fatal(err)
		}
		cmd.Jobs = append(cmd.Jobs, fsm.PutJob{Spec: s, Next: next})
	}
	w.apply(fsm.OpPutJobs, cmd)
}

func every(d time.Duration) fsm.Schedule {
	return fsm.Schedule{Every: fsm.Duration(d), Overlap: fsm.OverlapAllow}
}

func (w *world) report(node string, r fsm.Report) {
	n := w.store.Read().Node(node)
	r.EndedAt = w.now()
	w.apply(fsm.OpReportAttempts, fsm.ReportAttempts{At: w.now(), Node: node, Incarnation: n.Incarnation, Reports: []fsm.Report{r}})
}

// works runs a node: what it holds succeeds at its instant, in no time.
func (w *world) node(id string) func(context.Context) error {
	return func(ctx context.Context) error {
		for ctx.Err() == nil {
			v := w.store.Watch()
			next := w.nodePass(v, id)
			wait := ctx
			cancel := func() {}
			if next != 0 {
				wait, cancel = context.WithTimeout(ctx, max(next.Sub(w.now()), 0))
			}
			_ = v.Changed().WatchCtx(wait)
			cancel()
		}
		return nil
	}
}

func (w *world) nodePass(v *fsm.View, id string) (next fsm.Time) {
	var held []*fsm.Shard
	for s := range v.HeldBy(id) {
		held = append(held, s)
	}
	for _, s := range held {
		run := w.store.Read().Run(s.RunID)
		r := fsm.Report{AttemptRef: s.Ref(), Kind: fsm.ReportEnded, Outcome: fsm.AttemptSucceeded, StartedAt: w.now()}
		switch {
		case run == nil:
			continue
		case s.State == fsm.ShardRetracting:
			r.Kind = fsm.ReportNever
		case !run.Opened && w.now() < run.NotBefore:
			next = earliest(next, run.NotBefore)
			continue
		case run.ScheduledAt != 0:
			w.mu.Lock()
			w.starts[run.Job+"@"+run.ScheduledAt.String()]++
			w.mu.Unlock()
		}
		w.report(id, r)
	}
	return next
}

// checkFires compares a job's ledger in (after, until] with its schedule, and
// returns how many instants there were.
func (w *world) checkFires(spec *fsm.JobSpec, after, until fsm.Time) int {
	w.t.Helper()
	want := map[fsm.Time]bool{}
	for i := range spec.Schedules {
		c, err := CompileSchedule(spec.Key(), &spec.Schedules[i])
		if err != nil {
			w.t.Fatal(err)
		}
		instants, _, err := c.Between(after.Time(), until.Time(), 1_000_000)
		if err != nil {
			w.t.Fatal(err)
		}
		for _, at := range instants {
			want[fsm.At(at)] = true
		}
	}
	n := len(want)
	for f := range w.store.Read().Fires(spec.Key()) {
		if f.ScheduledAt <= after || f.ScheduledAt > until {
			continue
		}
		if !want[f.ScheduledAt] {
			w.t.Errorf("%s: a fire at %s that is not due, or the second", spec.Name, f.ScheduledAt)
		}
		delete(want, f.ScheduledAt)
		if f.Outcome == "" {
			w.t.Errorf("%s: no outcome of %s", spec.Name, f.ScheduledAt)
		}
		if got := w.starts[spec.Name+"@"+f.ScheduledAt.String()]; got != map[bool]int{true: 1}[f.Outcome == fsm.OutcomeRan] {
			w.t.Errorf("%s: %s was started %d times, its outcome is %s %s", spec.Name, f.ScheduledAt, got, f.Outcome, f.Reason)
		}
	}
	for at := range want {
		w.t.Errorf("%s: nothing known of %s", spec.Name, at)
	}
	return n
}

package executor

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"
	"go.uber.org/goleak"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/scheduling/executor/proc"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	self        = "node-1"
	elsewhere   = "node-2"
	incarnation = 5
	leaseLength = 3 * time.Second
	step        = 10 * time.Millisecond // more than any poll under test
)

var errRefused = errors.New("refused on purpose")

// clock counts the bubble's virtual time.
type clock struct{ began time.Time }

func (c clock) Now() fsm.Time    { return fsm.At(time.Now()) }
func (c clock) Latest() fsm.Time { return c.Now() }
func (c clock) Mono() int64      { return int64(time.Since(c.began)) + 1e12 }

// processes is a process half without processes.
type processes struct {
	t     testing.TB
	clock clock
	ended func(proc.Result)

	mu       sync.Mutex
	known    map[string]*proc.Status
	requests map[string]proc.StartRequest
	startsAt map[string]time.Time
	killed   map[string]string
	// refuse holds what the next starts are answered with, before anything else.
	refuse    []error
	attempted int
	// slow holds starts that take until the channel closes.
	slow map[string]chan struct{}
	// hide makes the next start or decision succeed and its answer get lost.
	hide bool
	// failing: decisions cannot be written, and nothing can be killed.
	failing   bool
	forgotten []string
}

func (p *processes) Start(_ context.Context, r proc.StartRequest) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.attempted++
	if len(p.refuse) > 0 {
		err := p.refuse[0]
		p.refuse = p.refuse[1:]
		return err
	}
	if p.known[r.ID] != nil {
		return proc.ErrRepeated
	}
	if p.clock.Mono() >= r.Expiry {
		return proc.ErrExpired
	}
	if slow := p.slow[r.ID]; slow != nil {
		p.mu.Unlock()
		<-slow
		p.mu.Lock()
	}
	p.known[r.ID] = &proc.Status{ID: r.ID, State: proc.Running, StartedMono: p.clock.Mono()}
	p.requests[r.ID], p.startsAt[r.ID] = r, time.Now()
	if p.hide {
		p.hide = false
		return errRefused
	}
	return nil
}

func (p *processes) Kill(_ context.Context, id, reason string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.known[id] == nil:
		return proc.ErrUnknown
	case p.failing:
		return errRefused
	}
	p.killed[id] = reason
	return nil
}

func (p *processes) Contact(context.Context, int64) error { return nil }

func (p *processes) Decline(_ context.Context, id string, note []byte) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.failing {
		return proc.ErrJournal
	}
	if p.known[id] != nil {
		return proc.ErrRepeated
	}
	p.known[id] = &proc.Status{ID: id, State: proc.Declined, Note: note}
	if p.hide {
		p.hide = false
		return errRefused
	}
	return nil
}

func (p *processes) List(context.Context) ([]proc.Status, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var list []proc.Status
	for _, s := range p.known {
		list = append(list, *s)
	}
	return list, nil
}

func (p *processes) Forget(_ context.Context, ids ...string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, id := range ids {
		if s := p.known[id]; s != nil && s.State == proc.Running {
			p.t.Errorf("%s was forgotten while it ran", id)
		}
		delete(p.known, id)
	}
	p.forgotten = append(p.forgotten, ids...)
	return nil
}

func (p *processes) delay(ref fsm.AttemptRef, until chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.slow = map[string]chan struct{}{ref.String(): until}
}

func (p *processes) fail(failing bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.failing = failing
}

// end ends a process.
func (p *processes) end(ref fsm.AttemptRef, outcome proc.Outcome) {
	r := proc.Result{ID: ref.String(), Outcome: outcome, StartedMono: p.clock.Mono(), EndedMono: p.clock.Mono()}
	p.mu.Lock()
	if p.known[r.ID] == nil {
		p.t.Errorf("%s is to end and was never started", r.ID)
		p.known[r.ID] = &proc.Status{ID: r.ID}
	}
	p.known[r.ID].State, p.known[r.ID].Result = proc.Ended, &r
	p.mu.Unlock()
	p.ended(r)
}

// started returns when an attempt started.
func (p *processes) started(ref fsm.AttemptRef) (time.Time, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	at, ok := p.startsAt[ref.String()]
	return at, ok
}

func (p *processes) state(ref fsm.AttemptRef) proc.State {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s := p.known[ref.String()]; s != nil {
		return s.State
	}
	return ""
}

func (p *processes) killReason(ref fsm.AttemptRef) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.killed[ref.String()]
}

func (p *processes) tries() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.attempted
}

// rig is a node with a log of its own and no leader: the test is the leader.
type rig struct {
	*Executor
	t     testing.TB
	store *fsm.Store
	procs *processes
	lease *Lease
	clock clock

	mu    sync.Mutex
	index uint64
	sent  []fsm.Report
	// deaf: reports are answered and go no further. failing: they are refused.
	deaf, failing bool
	stop          context.CancelFunc
	done          chan struct{}
}

// newRig makes a node that does not run yet. Call it inside a bubble.
func newRig(t testing.TB) *rig {
	r := &rig{t: t, clock: clock{time.Now()}, lease: NewLease(leaseLength)}
	r.store = fsm.NewStore(func(err error) { t.Error(err) })
	r.procs = &processes{
		t: t, clock: r.clock, known: map[string]*proc.Status{}, requests: map[string]proc.StartRequest{},
		startsAt: map[string]time.Time{}, killed: map[string]string{},
	}
	r.Executor = New(Config{
		Store: r.store, Processes: r.procs, Clock: r.clock, Lease: r.lease, NodeID: self, NodeName: self,
		Incarnation: incarnation, Capacity: 100, OutputDir: t.TempDir(), Report: r.report, Logger: slog.New(slog.DiscardHandler),
	})
	r.procs.ended = r.Ended
	r.register(self, incarnation)
	r.register(elsewhere, 1)
	return r
}

// bubble runs a test in virtual time with a node that runs and holds a lease.
func bubble(t *testing.T, test func(r *rig)) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.grant()
		r.run()
		defer r.end()
		test(r)
	})
}

func (r *rig) run() {
	ctx, cancel := context.WithCancel(context.Background())
	r.stop, r.done = cancel, make(chan struct{})
	go func() {
		defer close(r.done)
		if err := r.Run(ctx); err != nil {
			r.t.Error(err)
		}
	}()
	synctest.Wait()
}

func (r *rig) end() {
	r.stop()
	<-r.done
}

// pass lets virtual time go by.
func (r *rig) after(d time.Duration) {
	timer := time.NewTimer(d)
	<-timer.C
	synctest.Wait()
}

// grant renews the lease at this moment, at the floor of the whole log.
func (r *rig) grant() {
	r.lease.Renew(r.clock.Mono(), Grant{OK: true, Floor: r.store.Index()})
}

func (r *rig) report(_ context.Context, reports []fsm.Report) error {
	r.mu.Lock()
	r.sent = append(r.sent, reports...)
	deaf, failing := r.deaf, r.failing
	r.mu.Unlock()
	if failing {
		return errRefused
	}
	if !deaf {
		r.apply(fsm.OpReportAttempts, fsm.ReportAttempts{At: r.clock.Now(), Node: self, Incarnation: incarnation, Reports: reports})
	}
	return nil
}

func (r *rig) listen(deaf, failing bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.deaf, r.failing = deaf, failing
}

// kinds returns what was reported of an attempt, repeats included.
func (r *rig) kinds(ref fsm.AttemptRef) []fsm.ReportKind {
	r.mu.Lock()
	defer r.mu.Unlock()
	var kinds []fsm.ReportKind
	for _, rep := range r.sent {
		if rep.AttemptRef == ref {
			kinds = append(kinds, rep.Kind)
		}
	}
	return kinds
}

func (r *rig) reported(ref fsm.AttemptRef, kind fsm.ReportKind) bool {
	return slices.Contains(r.kinds(ref), kind)
}

func (r *rig) apply(op fsm.Opcode, command any) any {
	r.t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.index++
	res := r.store.Apply(&raft.Log{Index: r.index, Type: raft.LogCommand, Data: fsm.Encode(op, command)}).(fsm.Result)
	if res.Err != nil {
		r.t.Errorf("opcode %d: %v", op, res.Err)
	}
	return res.Value
}

func (r *rig) register(id string, inc uint64) {
	r.apply(fsm.OpRegisterNode, fsm.RegisterNode{At: r.clock.Now(), Node: fsm.Node{ID: id, Name: id, Incarnation: inc, Capacity: 100}})
}

// job describes a job of one task, or two.
type job struct {
	name     string
	driver   string
	weight   int
	overlap  string
	deadline time.Duration
	pair     bool // a second task waits for the first
}

func (j job) key() fsm.JobKey { return fsm.JobKey{Namespace: fsm.DefaultNamespace, Name: j.name} }

// put applies a job whose first instant is a second from now.
func (r *rig) put(j job) {
	if j.driver == "" {
		j.driver = fsm.DriverExec
	}
	task := fsm.Task{Name: "main", Driver: j.driver, Weight: j.weight}
	if j.driver != fsm.DriverNoop {
		task.Command = "/bin/true"
	}
	tasks := []fsm.Task{task}
	if j.pair {
		tasks = append(tasks, fsm.Task{Name: "then", Driver: fsm.DriverNoop, DependsOn: []string{task.Name}})
	}
	r.apply(fsm.OpPutJobs, fsm.PutJobs{At: r.clock.Now(), Jobs: []fsm.PutJob{{
		Spec: fsm.JobSpec{
			Namespace: fsm.DefaultNamespace, Name: j.name, Tasks: tasks,
			Schedules: []fsm.Schedule{{Every: fsm.Duration(time.Second), Overlap: j.overlap, StartDeadline: fsm.Duration(j.deadline)}},
		},
		Next: []fsm.Time{r.clock.Now().Add(fsm.Duration(time.Second))},
	}}})
}

// arm commits a job's next instant, armed on a node, and returns its attempt.
func (r *rig) arm(j job, node string, inc uint64) fsm.AttemptRef {
	r.t.Helper()
	var cur *fsm.Cursor
	for c := range r.store.Read().Cursors(j.key()) {
		cur = c
	}
	r.apply(fsm.OpDecideFires, fsm.DecideFires{At: r.clock.Now(), Decisions: []fsm.FireDecision{{
		Job: j.key(), Version: cur.Version, Instant: cur.Next, Next: cur.Next.Add(fsm.Duration(time.Second)),
		Arm: &fsm.Placement{Node: node, Incarnation: inc},
	}}})
	f := r.store.Read().Fire(j.key(), cur.Next)
	if f == nil || f.RunID == "" {
		r.t.Fatalf("job %s has no run at %s", j.name, cur.Next)
	}
	return r.shard(f.RunID).Ref()
}

// fire puts a job and arms its first instant here, a second from now.
func (r *rig) fire(j job) fsm.AttemptRef {
	r.t.Helper()
	r.put(j)
	return r.arm(j, self, incarnation)
}

func (r *rig) shard(run string) *fsm.Shard { return r.store.Read().Shard(run, "main", 0) }

// outcome returns what became of an attempt's fire.
func (r *rig) outcome(j job) (outcome, reason string) {
	for f := range r.store.Read().Fires(j.key()) {
		outcome, reason = f.Outcome, f.Reason
	}
	return outcome, reason
}

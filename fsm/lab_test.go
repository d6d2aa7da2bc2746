package fsm

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/raft"
)

var update = flag.Bool("update", false, "write the golden files anew")

// lab is a store with a log index and a clock that tests move.
type lab struct {
	t      testing.TB
	store  *Store
	index  uint64
	now    Time
	faults []error
}

const (
	second = Time(1e9)
	// start is when every lab begins; instants of jobs lie after it.
	start = 1_000 * second
)

func newLab(t testing.TB) *lab {
	l := &lab{t: t, now: start}
	l.store = NewStore(func(err error) { l.faults = append(l.faults, err) })
	return l
}

// apply applies one command in an entry of its own.
func (l *lab) apply(op Opcode, command any) Result {
	l.t.Helper()
	return l.entry(Encode(op, command)).(Result)
}

func (l *lab) entry(data []byte) any {
	l.index++
	return l.store.Apply(&raft.Log{Index: l.index, Type: raft.LogCommand, Data: data})
}

// must applies a command that has to be taken, and returns its answer.
func (l *lab) must(op Opcode, command any) any {
	l.t.Helper()
	r := l.apply(op, command)
	if r.Err != nil {
		l.t.Fatalf("opcode %d: %v", op, r.Err)
	}
	return r.Value
}

// one applies a command of one item, and returns that item's answer.
func (l *lab) one(op Opcode, command any) error {
	l.t.Helper()
	errs := l.must(op, command).([]error)
	if len(errs) != 1 {
		l.t.Fatalf("opcode %d: %d answers to one item", op, len(errs))
	}
	return errs[0]
}

// took fails the test if an item was refused.
func (l *lab) took(err error) {
	l.t.Helper()
	if err != nil {
		l.t.Fatalf("refused: %v", err)
	}
}

func (l *lab) view() *View { return l.store.Read() }

func (l *lab) hash() string {
	_, digest := l.store.Hash()
	return digest
}

func key(name string) JobKey { return JobKey{DefaultNamespace, name} }

// spec makes a job whose tasks are given as "name" or "name<dep,dep".
func spec(name string, schedules int, tasks ...Task) JobSpec {
	s := JobSpec{Namespace: DefaultNamespace, Name: name, Tasks: tasks}
	for range schedules {
		s.Schedules = append(s.Schedules, Schedule{Every: Duration(10 * second)})
	}
	if len(tasks) == 0 {
		s.Tasks = []Task{task("main")}
	}
	return s
}

func task(name string, deps ...string) Task {
	return Task{Name: name, Driver: DriverNoop, DependsOn: deps}
}

func (l *lab) put(s JobSpec) PutResult {
	l.t.Helper()
	next := make([]Time, len(s.Schedules))
	for i := range next {
		next[i] = l.now + 10*second
	}
	return l.must(OpPutJobs, PutJobs{At: l.now, Jobs: []PutJob{{Spec: s, Next: next}}}).([]PutResult)[0]
}

func (l *lab) node(id string, incarnation uint64) {
	l.t.Helper()
	l.must(OpRegisterNode, RegisterNode{At: l.now, Node: Node{ID: id, Name: id, Incarnation: incarnation, Capacity: 100}})
}

// decide decides a job's next instant.
func (l *lab) decide(job string, arm *Placement) (*Run, error) {
	l.t.Helper()
	k := key(job)
	cur := l.view().cursor(k, 0)
	err := l.one(OpDecideFires, DecideFires{At: l.now, Decisions: []FireDecision{{
		Job: k, Version: cur.Version, Instant: cur.Next, Next: cur.Next + 10*second, Arm: arm,
	}}})
	if f := l.view().fire(k, cur.Next); f != nil && f.RunID != "" {
		return l.view().run(f.RunID), err
	}
	return nil, err
}

// fired decides a job's next instant, which has to make a run.
func (l *lab) fired(job string, arm *Placement) *Run {
	l.t.Helper()
	run, err := l.decide(job, arm)
	l.took(err)
	if run == nil {
		l.t.Fatal("the fire made no run")
	}
	return run
}

func on(node string) *Placement { return &Placement{Node: node, Incarnation: 1} }

func (l *lab) gate(run *Run) *Shard { return l.view().shard(run.ID, run.Gate, 0) }

func (l *lab) arm(s *Shard, node string) error {
	l.t.Helper()
	return l.one(OpArmShards, ArmShards{At: l.now, Placements: []Placement{{AttemptRef: s.Ref(), Node: node, Incarnation: 1}}})
}

// report sends a report of the shard's current attempt by the node that holds it.
func (l *lab) report(s *Shard, kind ReportKind, outcome string) error {
	l.t.Helper()
	return l.one(OpReportAttempts, ReportAttempts{
		At: l.now, Node: s.Current.Node, Incarnation: s.Current.Incarnation,
		Reports: []Report{{AttemptRef: s.Ref(), Kind: kind, StartedAt: l.now, EndedAt: l.now, Outcome: outcome}},
	})
}

func (l *lab) displace(s *Shard, kind DisplaceKind) error {
	l.t.Helper()
	return l.one(OpDisplaceShards, DisplaceShards{At: l.now, Kind: kind, Items: []AttemptRef{s.Ref()}, Reason: "node silent"})
}

func (l *lab) pause(job string, paused bool) {
	l.t.Helper()
	l.must(OpSetPaused, SetPaused{At: l.now, Job: key(job), Paused: paused})
}

// start makes a manual run.
func (l *lab) start(job, id string) error {
	l.t.Helper()
	return l.apply(OpStartRun, StartRun{At: l.now, ID: id, Job: key(job)}).Err
}

// snapshotBytes persists a snapshot into memory.
func snapshotBytes(t testing.TB, snap raft.FSMSnapshot) []byte {
	t.Helper()
	sink := &memorySink{}
	if err := snap.Persist(sink); err != nil {
		t.Fatal(err)
	}
	snap.Release()
	if !sink.closed {
		t.Fatal("the snapshot was not closed")
	}
	return sink.Bytes()
}

// restored makes a lab of a snapshot.
func restored(t testing.TB, data []byte) *lab {
	t.Helper()
	l := newLab(t)
	if err := l.store.Restore(io.NopCloser(bytes.NewReader(data))); err != nil {
		t.Fatal(err)
	}
	l.index = l.store.Index()
	return l
}

// memorySink is a raft.SnapshotSink that keeps what is written.
type memorySink struct {
	bytes.Buffer
	closed, cancelled bool
	fail              error
}

func (s *memorySink) Write(p []byte) (int, error) {
	if s.fail != nil {
		return 0, s.fail
	}
	return s.Buffer.Write(p)
}
func (s *memorySink) ID() string    { return "memory" }
func (s *memorySink) Close() error  { s.closed = true; return nil }
func (s *memorySink) Cancel() error { s.cancelled = true; return nil }

// golden compares text with a file of testdata, or writes it with -update.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v; run the test with -update and review the file", err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-file +now):\n%s", path, diff)
	}
}

// sentinel names the refusal that an error is.
func sentinel(err error) string {
	for _, s := range []struct {
		err  error
		name string
	}{
		{ErrNotFound, "not_found"}, {ErrInvalid, "invalid"}, {ErrConflict, "conflict"}, {ErrStale, "stale"},
		{ErrDeleting, "deleting"}, {ErrOverlap, "overlap"}, {ErrEnded, "ended"},
	} {
		if errors.Is(err, s.err) {
			return s.name
		}
	}
	return fmt.Sprint(err)
}

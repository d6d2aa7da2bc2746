package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/raft"
	"go.uber.org/goleak"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/transport/api"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start is the cluster time at which tests begin.
var start = fsm.At(time.Date(2026, 3, 1, 2, 0, 0, 0, time.UTC))

// world is a node: a real store, driven by real commands, and fakes around it.
type world struct {
	t      testing.TB
	store  *fsm.Store
	api    *API
	mu     sync.Mutex // of index
	index  uint64
	leader atomic.Bool
	// proposeErr, if set, is what every proposal fails with.
	proposeErr atomic.Pointer[error]
	proposed   atomic.Int64
	waited     atomic.Uint64
	caughtUp   atomic.Bool
	replaying  atomic.Bool
	leaderless atomic.Bool
	voters     atomic.Int32
	logs       fakeLogs
}

func newWorld(t testing.TB) *world {
	w := &world{t: t}
	w.store = fsm.NewStore(func(err error) { t.Errorf("the store stopped: %v", err) })
	w.leader.Store(true)
	w.caughtUp.Store(true)
	w.api = New(Config{
		Store: w.store, Cluster: fakeCluster{w}, Proposer: w, Jobs: fakeCompiler{}, Logs: &w.logs,
		Forward: nowhere{}, ForwardNode: nowhere{},
		Clock:  func() fsm.Time { return start },
		NodeID: "id-1", NodeName: "n1", Version: "1.2.3",
		Logger: slog.New(slog.DiscardHandler),
	})
	w.api.limits.pace = time.Millisecond
	w.api.limits.eventPause = time.Millisecond
	return w
}

// nowhere fails every test that forwards without meaning to.
type nowhere struct{}

// apply commits a command and returns what it answered.
func (w *world) apply(op fsm.Opcode, command any) (any, uint64, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.index++
	entry := &raft.Log{Index: w.index, Type: raft.LogCommand, Data: fsm.Encode(op, command)}
	result := w.store.Apply(entry).(fsm.Result)
	return result.Value, w.index, result.Err
}

func (w *world) Propose(_ context.Context, op fsm.Opcode, command any) (any, uint64, error) {
	w.proposed.Add(1)
	if err := w.proposeErr.Load(); err != nil {
		return nil, 0, *err
	}
	return w.apply(op, command)
}

// must applies a command that is not refused.
func (w *world) must(op fsm.Opcode, command any) {
	w.t.Helper()
	value, _, err := w.apply(op, command)
	if err != nil {
		w.t.Fatalf("opcode %d: %v", op, err)
	}
	if errs, ok := value.([]error); ok {
		if err := errors.Join(errs...); err != nil {
			w.t.Fatalf("opcode %d: %v", op, err)
		}
	}
}

func key(name string) fsm.JobKey { return fsm.JobKey{Namespace: "default", Name: name} }

func spec(name string, tasks ...string) fsm.JobSpec {
	s := fsm.JobSpec{Namespace: "default", Name: name}
	for _, t := range append(tasks, "main")[:max(1, len(tasks))] {
		s.Tasks = append(s.Tasks, fsm.Task{Name: t, Driver: fsm.DriverNoop})
	}
	return s
}

// putJob applies a job; every gives it a schedule.
func (w *world) putJob(s fsm.JobSpec, every time.Duration) {
	w.t.Helper()
	p := fsm.PutJob{Spec: s}
	if every > 0 {
		p.Spec.Schedules = []fsm.Schedule{{Every: fsm.Duration(every)}}
		p.Next = []fsm.Time{start.Add(fsm.Duration(every))}
	}
	w.must(fsm.OpPutJobs, &fsm.PutJobs{At: start, Jobs: []fsm.PutJob{p}})
}

func (w *world) node(n int) {
	w.t.Helper()
	w.must(fsm.OpRegisterNode, &fsm.RegisterNode{At: start, Node: fsm.Node{
		ID: fmt.Sprintf("id-%d", n), Name: fmt.Sprintf("n%d", n), Incarnation: 1,
		HTTPAddr: fmt.Sprintf("127.0.0.1:%d", 7700+n), Capacity: 100,
	}})
}

// fire decides the next instant of a job, armed on the node or, for 0, skipped.
func (w *world) fire(job string, node int) string {
	w.t.Helper()
	var cursor *fsm.Cursor
	for c := range w.store.Read().Cursors(key(job)) {
		cursor = c
	}
	row := w.store.Read().Job(key(job))
	d := fsm.FireDecision{
		Job: key(job), Version: row.Version, Instant: cursor.Next, Next: cursor.Next.Add(fsm.Duration(time.Minute)),
	}
	if node == 0 {
		d.Skip = fsm.ReasonMissed
	} else {
		d.Arm = &fsm.Placement{Node: fmt.Sprintf("id-%d", node), Incarnation: 1}
	}
	w.must(fsm.OpDecideFires, &fsm.DecideFires{At: start, Decisions: []fsm.FireDecision{d}})
	return w.store.Read().Fire(key(job), d.Instant).RunID
}

// arm places the pending shards of a run on a node.
func (w *world) arm(run string, node int) {
	w.t.Helper()
	cmd := &fsm.ArmShards{At: start}
	for s := range w.store.Read().Shards(run) {
		cmd.Placements = append(cmd.Placements, fsm.Placement{
			AttemptRef: s.Ref(), Node: fmt.Sprintf("id-%d", node), Incarnation: 1,
		})
	}
	w.must(fsm.OpArmShards, cmd)
}

// report has the node that holds a run's shards say something of all of them.
func (w *world) report(run string, r fsm.Report) {
	w.t.Helper()
	for s := range w.store.Read().Shards(run) {
		r.AttemptRef = s.Ref()
		w.must(fsm.OpReportAttempts, &fsm.ReportAttempts{
			At: start, Node: s.Current.Node, Incarnation: 1, Reports: []fsm.Report{r},
		})
	}
}

func (w *world) started(run string) {
	w.t.Helper()
	w.report(run, fsm.Report{Kind: fsm.ReportStarted, StartedAt: start})
}

func (w *world) ended(run string) {
	w.t.Helper()
	w.report(run, fsm.Report{
		Kind: fsm.ReportEnded, StartedAt: start, EndedAt: start + 1,
		Outcome: fsm.AttemptSucceeded, Tail: []byte("the end\n"),
	})
}

// manual makes a run of a job without going through the API.
func (w *world) manual(job string, n int) string {
	w.t.Helper()
	id := fmt.Sprintf("01JN0000000000000000000%03d", n)
	w.must(fsm.OpStartRun, &fsm.StartRun{At: start, ID: id, Job: key(job)})
	return id
}

// call makes a request. The body is sent as it is if it is a string, otherwise
// as JSON; header is pairs of names and values.
func (w *world) call(method, path string, body any, header ...string) *httptest.ResponseRecorder {
	w.t.Helper()
	return w.callWith(w.t.Context(), method, path, body, header...)
}

func (w *world) callWith(ctx context.Context, method, path string, body any, header ...string) *httptest.ResponseRecorder {
	w.t.Helper()
	rec := httptest.NewRecorder()
	w.api.ServeHTTP(rec, request(w.t, method, path, body, header...).WithContext(ctx))
	return rec
}

func request(t testing.TB, method, path string, body any, header ...string) *http.Request {
	t.Helper()
	var reader io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		reader = strings.NewReader(b)
	default:
		data, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		reader = bytes.NewReader(data)
		header = append(header, "Content-Type", "application/json")
	}
	r := httptest.NewRequest(method, path, reader)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return r
}

// get answers a GET that must succeed.
func get[T any](w *world, path string) T {
	w.t.Helper()
	return answer[T](w.t, w.call("GET", path, nil), http.StatusOK)
}

func answer[T any](t testing.TB, rec *httptest.ResponseRecorder, status int) T {
	t.Helper()
	if rec.Code != status {
		t.Fatalf("status %d, want %d: %s", rec.Code, status, rec.Body)
	}
	var v T
	if err := json.Unmarshal(rec.Body.Bytes(), &v); err != nil {
		t.Fatalf("%v in %s", err, rec.Body)
	}
	return v
}

// wantError checks status, code and that the text says something.
func wantError(t testing.TB, rec *httptest.ResponseRecorder, status int, code string, texts ...string) {
	t.Helper()
	e := answer[api.Error](t, rec, status).Error
	if e.Code != code {
		t.Errorf("code %q, want %q: %s", e.Code, code, e.Message)
	}
	for _, text := range texts {
		if !strings.Contains(e.Message, text) {
			t.Errorf("message %q does not contain %q", e.Message, text)
		}
	}
}

// until waits for a condition.
func until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	deadline := time.After(patience)
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("not in time: %s", what)
		}
	}
}

// within waits for a value.
func within[T any](t testing.TB, what string, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatalf("not in time: %s", what)
		panic("unreachable")
	}
}

// background makes a request that is expected to block.
func (w *world) background(method, path string, header ...string) <-chan *httptest.ResponseRecorder {
	c := make(chan *httptest.ResponseRecorder, 1)
	go func() { c <- w.call(method, path, nil, header...) }()
	return c
}

// blocked waits until n requests wait.
func (w *world) blocked(n int) {
	w.t.Helper()
	until(w.t, fmt.Sprintf("%d requests wait", n), func() bool { return len(w.api.limits.blocked) == n })
}

package notifier

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"
	"go.uber.org/goleak"

	"github.com/rota-scheduler/rota/fsm"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var errNoQuorum = errors.New("no quorum, on purpose")

// rig is a log in memory with its store, and receivers on a network of pipes. It
// lives in a synctest bubble.
type rig struct {
	t     *testing.T
	store *fsm.Store
	net   *network

	mu    sync.Mutex
	index uint64
	runs  int
	// refuse has proposals fail; lose has them applied all the same.
	refuse, lose bool
	// before looks at what is to be recorded.
	before func(fsm.RecordDeliveries)
	exec   func(context.Context, Command) error
}

func bubble(t *testing.T, test func(r *rig)) {
	synctest.Test(t, func(t *testing.T) {
		r := &rig{t: t, net: newNetwork()}
		r.store = fsm.NewStore(func(err error) { t.Error(err) })
		r.apply(fsm.OpRaiseFormat, fsm.RaiseFormat{Format: fsm.Format})
		r.apply(fsm.OpRegisterNode, fsm.RegisterNode{At: r.now(), Node: fsm.Node{ID: "n1", Name: "n1", Incarnation: 1, Capacity: 1e6}})
		test(r)
	})
}

func (r *rig) now() fsm.Time { return fsm.At(time.Now()) }

func (r *rig) apply(op fsm.Opcode, command any) any {
	r.t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.index++
	res := r.store.Apply(&raft.Log{Index: r.index, Type: raft.LogCommand, Data: fsm.Encode(op, command)}).(fsm.Result)
	if res.Err != nil {
		r.t.Fatalf("opcode %d: %v", op, res.Err)
	}
	return res.Value
}

func (r *rig) propose(ctx context.Context, op fsm.Opcode, command any) (any, uint64, error) {
	if ctx.Err() != nil {
		return nil, 0, ctx.Err()
	}
	r.mu.Lock()
	refuse, lose, before := r.refuse, r.lose, r.before
	r.mu.Unlock()
	if before != nil {
		before(command.(fsm.RecordDeliveries))
	}
	if refuse {
		return nil, 0, errNoQuorum
	}
	value := r.apply(op, command)
	if lose {
		return nil, 0, errNoQuorum
	}
	return value, 0, nil
}

func (r *rig) set(refuse, lose bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.refuse, r.lose = refuse, lose
}

// lead runs a Notifier until the returned function is called.
func (r *rig) lead() (stop func()) {
	n := New(Config{
		Store: r.store, Propose: r.propose, Now: r.now, Wall: time.Now, Dial: r.net.dial,
		Exec:   func(ctx context.Context, c Command) error { return r.exec(ctx, c) },
		Logger: slog.New(slog.DiscardHandler),
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := n.Run(ctx); err != nil {
			r.t.Error(err)
		}
	}()
	synctest.Wait()
	return func() { cancel(); <-done }
}

// job applies a job that tells of every end.
func (r *rig) job(name string, blocks ...fsm.Notify) {
	r.t.Helper()
	spec := fsm.JobSpec{Namespace: fsm.DefaultNamespace, Name: name, Tasks: []fsm.Task{{Name: "t", Driver: fsm.DriverNoop}}}
	for _, b := range blocks {
		if b.Kind == "" {
			b.Kind = fsm.NotifyWebhook
		}
		b.On = []string{fsm.EventSuccess, fsm.EventFailure}
		spec.Notify = append(spec.Notify, b)
	}
	r.apply(fsm.OpPutJobs, fsm.PutJobs{At: r.now(), Jobs: []fsm.PutJob{{Spec: spec}}})
}

// end has a run of the job fail, and returns its ID.
func (r *rig) end(job string) string {
	r.t.Helper()
	r.runs++
	id := fmt.Sprintf("run-%d", r.runs)
	now := r.now()
	r.apply(fsm.OpStartRun, fsm.StartRun{At: now, ID: id, Job: fsm.JobKey{Namespace: fsm.DefaultNamespace, Name: job}})
	ref := fsm.AttemptRef{RunID: id, Task: "t"}
	r.apply(fsm.OpArmShards, fsm.ArmShards{At: now, Placements: []fsm.Placement{{AttemptRef: ref, Node: "n1", Incarnation: 1}}})
	ref.Attempt = 1
	r.apply(fsm.OpReportAttempts, fsm.ReportAttempts{At: now, Node: "n1", Incarnation: 1, Reports: []fsm.Report{{
		AttemptRef: ref, Kind: fsm.ReportEnded, StartedAt: now, EndedAt: now, Outcome: fsm.AttemptFailed,
		ExitCode: 7, Tail: []byte("disk\x00 full\xff\n"),
	}}})
	return id
}

func (r *rig) stats() fsm.NotifyStats { return *r.store.Read().NotifyStats() }

// after lets virtual time pass.
func (r *rig) after(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// network connects to receivers by their host names.
type network struct {
	mu        sync.Mutex
	receivers map[string]*web
}

func newNetwork() *network { return &network{receivers: map[string]*web{}} }

func (n *network) dial(ctx context.Context, _, addr string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	n.mu.Lock()
	w := n.receivers[host]
	n.mu.Unlock()
	if w == nil {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	}
	client, server := net.Pipe()
	select {
	case w.conns <- server:
		return client, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// web is a receiver.
type web struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
	answer http.HandlerFunc
	// handlers that run: a server does not wait for them.
	handlers sync.WaitGroup

	mu   sync.Mutex
	got  []request
	live int
	most int
}

// request is one that a receiver got.
type request struct {
	header http.Header
	body   []byte
	at     time.Time
}

// receiver serves under a host name until the test ends; answer may be nil.
func (r *rig) receiver(host string, answer http.HandlerFunc) *web {
	w := &web{conns: make(chan net.Conn), closed: make(chan struct{}), answer: answer}
	r.net.mu.Lock()
	r.net.receivers[host] = w
	r.net.mu.Unlock()
	server := &http.Server{Handler: w}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(w) // it ends by Close
	}()
	r.t.Cleanup(func() { _ = server.Close(); <-done; w.handlers.Wait() })
	return w
}

func (w *web) Accept() (net.Conn, error) {
	select {
	case c := <-w.conns:
		return c, nil
	case <-w.closed:
		return nil, net.ErrClosed
	}
}

func (w *web) Close() error   { w.once.Do(func() { close(w.closed) }); return nil }
func (w *web) Addr() net.Addr { return &net.TCPAddr{} }

func (w *web) ServeHTTP(rw http.ResponseWriter, req *http.Request) {
	w.handlers.Add(1)
	defer w.handlers.Done()
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return
	}
	w.mu.Lock()
	w.got = append(w.got, request{req.Header, body, time.Now()})
	w.live++
	w.most = max(w.most, w.live)
	w.mu.Unlock()
	if w.answer != nil {
		w.answer(rw, req)
	}
	w.mu.Lock()
	w.live--
	w.mu.Unlock()
}

func (w *web) requests() []request {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]request(nil), w.got...)
}

// ids counts the requests by the event's ID.
func (w *web) ids() map[string]int {
	ids := map[string]int{}
	for _, r := range w.requests() {
		ids[r.header.Get(HeaderEventID)]++
	}
	return ids
}

// hang answers nothing before the caller gives up.
func hang(_ http.ResponseWriter, req *http.Request) { <-req.Context().Done() }

func answers(code int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(code)
		_, _ = io.WriteString(w, body)
	}
}

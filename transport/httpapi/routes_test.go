package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/transport"
	"github.com/rota-scheduler/rota/transport/api"
)

func TestUnknownPathsAndMethods(t *testing.T) {
	w := newWorld(t)
	for _, path := range []string{"/x", "/v1", "/v1/job", "/v1/runs/a/b/c", "/metrics", "/v1/internal/x", transport.WatchPath} {
		wantError(t, w.call("GET", path, nil), 404, api.CodeNotFound, path)
	}
	rec := w.call("POST", "/v1/jobs/a", nil)
	wantError(t, rec, 405, CodeMethod, "DELETE, GET")
	if got := rec.Header().Get("Allow"); got != "DELETE, GET" {
		t.Errorf("Allow: %q", got)
	}
	if rec := w.call("HEAD", "/healthz", nil); rec.Code != 200 {
		t.Errorf("HEAD: %d", rec.Code)
	}
}

func TestMounted(t *testing.T) {
	for path, set := range map[string]func(*Config, http.Handler){
		"/metrics":                  func(c *Config, h http.Handler) { c.Metrics = h },
		transport.WatchPath:         func(c *Config, h http.Handler) { c.Peers = h },
		"/v1/internal/heartbeat/n1": func(c *Config, h http.Handler) { c.Internal = h },
	} {
		cfg := newWorld(t).api.cfg
		set(&cfg, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.URL.Path) }))
		rec := httptest.NewRecorder()
		New(cfg).ServeHTTP(rec, httptest.NewRequest("GET", path, nil))
		if rec.Body.String() != path {
			t.Errorf("%s: %s", path, rec.Body)
		}
	}
}

func TestErrorTable(t *testing.T) {
	for _, tt := range []struct {
		err    error
		status int
		code   string
	}{
		{fsm.ErrNotFound, 404, api.CodeNotFound},
		{fsm.ErrInvalid, 422, api.CodeInvalid},
		{&fsm.FieldError{Path: "name", Message: "x"}, 422, api.CodeInvalid},
		{fsm.ErrConflict, 409, api.CodeConflict},
		{fsm.ErrStale, 409, api.CodeConflict},
		{fsm.ErrDeleting, 409, api.CodeDeleting},
		{fsm.ErrOverlap, 409, api.CodeOverlap},
		{fsm.ErrEnded, 409, api.CodeEnded},
		{fsm.ErrFormat, 409, api.CodeUpgrading},
		{transport.ErrTooLarge, 413, api.CodeTooLarge},
		{&http.MaxBytesError{Limit: 5}, 413, api.CodeTooLarge},
		{transport.ErrNoLeader, 503, api.CodeNoLeader},
		{transport.ErrLoop, 503, api.CodeNoLeader},
		{transport.ErrUnreachable, 503, api.CodeUnreachable},
		{transport.ErrUnknownFate, 504, api.CodeUnknownFate},
		{fmt.Errorf("%w: %w", transport.ErrUnknownFate, context.DeadlineExceeded), 504, api.CodeUnknownFate},
		{context.DeadlineExceeded, 504, api.CodeUnknownFate}, // nobody knows what became of the proposal
		{context.Canceled, 504, api.CodeUnknownFate},
		{fmt.Errorf("%w: %w", transport.ErrNoLeader, context.Canceled), 503, api.CodeNoLeader},
		{errTimeout, 504, api.CodeTimeout},
		{errBusy, 503, CodeBusy},
		{errStopped, 503, api.CodeUnreachable},
		{errors.New("open /var/lib/secret"), 500, api.CodeInternal},
	} {
		w := newWorld(t)
		w.putJob(spec("a"), 0)
		err := fmt.Errorf("at 10.0.0.1:7701: %w", tt.err)
		w.proposeErr.Store(&err)
		rec := w.call("POST", "/v1/jobs/a/run", nil)
		wantError(t, rec, tt.status, tt.code)
		message := answer[api.Error](t, rec, tt.status).Error.Message
		foreign := tt.code == api.CodeInternal || tt.code == api.CodeNoLeader || tt.code == api.CodeUnknownFate
		if foreign && strings.Contains(message, "10.0.0.1") || strings.Contains(message, "secret") {
			t.Errorf("%v: the message says too much: %s", tt.err, message)
		}
		if len(message) < 20 {
			t.Errorf("%v: the message says too little: %s", tt.err, message)
		}
	}
}

func TestPanicIsContained(t *testing.T) {
	w := newWorld(t)
	cfg := w.api.cfg
	cfg.Metrics = http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("secret") })
	cfg.Internal = http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(rw, "half")
		panic("secret")
	})
	w.api = New(cfg)
	rec := w.call("GET", "/metrics", nil)
	wantError(t, rec, 500, api.CodeInternal)
	if strings.Contains(rec.Body.String(), "secret") {
		t.Error("the answer tells of the panic")
	}
	func() {
		defer func() {
			if p := recover(); p != http.ErrAbortHandler {
				t.Errorf("half an answer ends with %v, want the connection cut", p)
			}
		}()
		w.call("GET", "/v1/internal/x", nil)
	}()
	if rec := w.call("GET", "/healthz", nil); rec.Code != 200 {
		t.Error("the others are not served any more")
	}
}

func TestWritesAreForwarded(t *testing.T) {
	w := newWorld(t)
	w.putJob(spec("a"), 0)
	w.leader.Store(false)
	var seen []string
	w.api.cfg.Forward = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		seen = append(seen, r.Method+" "+r.URL.Path)
		setIndex(rw, 42)
		rw.WriteHeader(http.StatusOK)
	})
	for _, write := range []string{
		"PUT /v1/jobs", "DELETE /v1/jobs/a", "POST /v1/jobs/a/run", "POST /v1/jobs/a/pause", "POST /v1/jobs/a/resume",
		"POST /v1/runs/01ABCDEF/cancel", "PUT /v1/nodes/n1/status", "POST /v1/leader/transfer",
	} {
		method, path, _ := strings.Cut(write, " ")
		w.waited.Store(0)
		w.call(method, path, nil)
		if len(seen) != 1 || seen[0] != write {
			t.Errorf("%s: forwarded %v", write, seen)
		}
		if w.waited.Load() != 42 {
			t.Errorf("%s: answered before this replica shows it", write)
		}
		seen = nil
	}
	if w.proposed.Load() != 0 {
		t.Error("a follower proposed")
	}
	get[api.List[api.Job]](w, "/v1/jobs")
}

// Over real connections: a follower passes a write to the leader, and says so
// when there is none.
func TestForwardingToTheLeader(t *testing.T) {
	leader, follower := newWorld(t), newWorld(t)
	leader.putJob(spec("a"), 0)
	follower.leader.Store(false)
	server := httptest.NewServer(leader.api)
	defer server.Close()
	known := true
	f := transport.NewForwarder(transport.ForwarderConfig{
		Resolve: func(*http.Request) (string, bool) { return server.Listener.Addr().String(), known },
		OnError: ForwardError, Wait: 20 * time.Millisecond, Logger: follower.api.cfg.Logger,
	})
	defer f.Close()
	follower.api.cfg.Forward = f
	run := answer[api.Run](t, follower.call("POST", "/v1/jobs/a/run", nil), 201)
	if leader.store.Read().Run(run.ID) == nil {
		t.Error("the leader has no such run")
	}
	wantError(t, follower.call("POST", "/v1/jobs/b/run", nil), 404, api.CodeNotFound, "job b")
	known = false
	rec := follower.call("POST", "/v1/jobs/a/run", nil)
	wantError(t, rec, 503, api.CodeNoLeader, "try again")
	if rec.Header().Get(transport.NodeHeader) == "" {
		t.Error("no node header")
	}
}

// Blocked requests end when the server stops.
func TestShutdownEndsWaiting(t *testing.T) {
	w := newWorld(t)
	w.putJob(spec("a"), time.Minute)
	w.node(1)
	w.fire("a", 1)
	server := transport.NewHTTPServer(transport.HTTPConfig{Handler: w.api, Logger: w.api.cfg.Logger})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server.Start(ln)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	answers := make(chan *http.Response, 3)
	for _, req := range []string{"GET /v1/jobs?index=99&wait=10m", "POST /v1/jobs/a/pause?wait=10m", "GET /v1/events"} {
		method, path, _ := strings.Cut(req, " ")
		go func() {
			r := request(t, method, "http://"+ln.Addr().String()+path, nil)
			r.RequestURI = ""
			resp, err := client.Do(r)
			if err != nil {
				t.Error(err)
				resp = &http.Response{Body: http.NoBody}
			}
			answers <- resp
		}()
	}
	w.blocked(2)
	until(t, "the event stream", func() bool { return len(w.api.limits.events) == 1 })
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := server.Shutdown(ctx); err != nil {
		t.Errorf("shutdown: %v", err)
	}
	codes := map[int]int{}
	for range 3 {
		resp := within(t, "an answer", answers)
		codes[resp.StatusCode]++
		resp.Body.Close()
	}
	if codes[200] != 2 || codes[503] != 1 {
		t.Errorf("answers %v, want two 200 and, for the pause, 503", codes)
	}
}

func TestStatus(t *testing.T) {
	w := newWorld(t)
	if v := get[api.Version](w, "/v1/version"); v.Version != "1.2.3" || v.Go == "" {
		t.Errorf("version %+v", v)
	}
	if l := get[api.Leader](w, "/v1/leader"); l.Name != "n1" || l.HTTP != "127.0.0.1:7701" {
		t.Errorf("leader %+v", l)
	}
	if l := answer[api.Leader](t, w.call("POST", "/v1/leader/transfer", nil), 200); l.Name != "n2" {
		t.Errorf("new leader %+v", l)
	}
	get[state](w, "/healthz")
	get[state](w, "/readyz")
	w.caughtUp.Store(false)
	wantError(t, w.call("GET", "/readyz", nil), 503, api.CodeUnreachable, "catching up")
	w.leaderless.Store(true)
	wantError(t, w.call("GET", "/readyz", nil), 503, api.CodeNoLeader)
	wantError(t, w.call("GET", "/v1/leader", nil), 503, api.CodeNoLeader)
	get[state](w, "/healthz")
	rec := w.call("POST", "/v1/leader/transfer", nil)
	wantError(t, rec, 409, api.CodeConflict, "no other node has a vote")
	w.voters.Store(2)
	rec = w.call("POST", "/v1/leader/transfer", nil)
	wantError(t, rec, 504, api.CodeTimeout)
	if strings.Contains(rec.Body.String(), "secret") {
		t.Error("the answer tells of the inside")
	}
	page := w.call("GET", "/", nil)
	if page.Code != 200 || !strings.Contains(page.Body.String(), "/v1/runs") || !strings.HasPrefix(page.Header().Get("Content-Type"), "text/html") {
		t.Errorf("page: %d %v", page.Code, page.Header())
	}
}

func TestNodes(t *testing.T) {
	w, run := withRun(t, 2)
	w.arm(w.manual("a", 2), 2)
	list := get[api.List[api.Node]](w, "/v1/nodes")
	if len(list.Items) != 2 {
		t.Fatalf("%d nodes", len(list.Items))
	}
	n1, n2 := list.Items[0], list.Items[1]
	if !n1.Leader || !n1.Voter || n1.Gossip != "" || n2.Leader || n2.Voter || n2.Gossip != "suspect" {
		t.Errorf("nodes %+v, %+v", n1, n2)
	}
	if n2.Running != 1 || n2.Armed != 1 || n2.Load != 1 || n1.Running != 0 {
		t.Errorf("n2 runs %d, armed %d, load %d, after run %s", n2.Running, n2.Armed, n2.Load, run)
	}
	page := get[api.List[api.Node]](w, "/v1/nodes?per_page=1")
	page = get[api.List[api.Node]](w, "/v1/nodes?per_page=1&page_token="+page.NextPageToken)
	if len(page.Items) != 1 || page.Items[0].Name != "n2" || page.NextPageToken != "" {
		t.Errorf("second page %+v", page)
	}
}

func TestNodeStatus(t *testing.T) {
	w := newWorld(t)
	w.node(1)
	for _, name := range []string{"n1", "id-1"} {
		got := answer[api.Node](t, w.call("PUT", "/v1/nodes/"+name+"/status", api.NodeStatus{Status: fsm.NodeDraining}), 200)
		if got.Status != fsm.NodeDraining || got.StatusSetBy != operator || got.StatusSetAt != start {
			t.Errorf("node %+v", got)
		}
	}
	wantError(t, w.call("PUT", "/v1/nodes/n1/status", api.NodeStatus{Status: fsm.NodeDown}), 400, api.CodeBadRequest, "standby")
	wantError(t, w.call("PUT", "/v1/nodes/n1/status", ""), 400, api.CodeBadRequest, "standby")
	wantError(t, w.call("PUT", "/v1/nodes/n1/status", `{"state":"ready"}`), 400, api.CodeBadRequest, `"state"`)
	wantError(t, w.call("PUT", "/v1/nodes/n9/status", api.NodeStatus{Status: fsm.NodeReady}), 404, api.CodeNotFound, "n9")
}

func FuzzPutJobs(f *testing.F) {
	good, err := json.Marshal(api.PutJobs{Jobs: []fsm.JobSpec{spec("a", "x", "y"), spec("b")}})
	if err != nil {
		f.Fatal(err)
	}
	for _, body := range []string{
		string(good), "", "{}", "null", "[]", `{"jobs":null}`, `{"jobs":[null]}`, `{"jobs":[{}]}`, `{"jobs":[{"name":"a"}]} x`,
		`{"jobs":[{"name":"a","tasks":[{"name":"t","driver":"noop","depends_on":["t"]}]}]}`,
		`{"jobs":[{"name":"a","schedules":[{"every":"1h","at":[null]}],"tasks":[{"name":"t","timeout":-5}]}]}`,
		strings.Repeat(`{"jobs":[`, 100),
	} {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body string) {
		w := newWorld(t)
		dry := w.call("PUT", "/v1/jobs?dry_run", body, "Content-Type", "application/json")
		rec := w.call("PUT", "/v1/jobs", body, "Content-Type", "application/json")
		if dry.Code != rec.Code {
			t.Errorf("a dry run says %d %s, the log %d %s", dry.Code, dry.Body, rec.Code, rec.Body)
		}
		switch rec.Code {
		case 200:
			if got := get[api.List[api.Job]](w, "/v1/jobs?namespace=*"); len(got.Items) == 0 {
				t.Error("accepted, but nothing is there")
			}
		case 400, 413, 422:
			e := answer[api.Error](t, rec, rec.Code).Error
			if e.Code == "" || e.Message == "" {
				t.Errorf("an error without words: %s", rec.Body)
			}
			if w.store.Read().Job(key("a")) != nil {
				t.Error("refused, but something is there")
			}
		default:
			t.Errorf("status %d: %s", rec.Code, rec.Body)
		}
	})
}

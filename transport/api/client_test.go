package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/transport/api"
)

// newClient returns a client of a server that lives as long as the test.
func newClient(t *testing.T, h http.HandlerFunc) *api.Client {
	t.Helper()
	srv := httptest.NewServer(h)
	c, err := api.NewClient(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(); srv.Close() })
	return c
}

// seen is a request as the server got it.
type seen struct {
	Method, URI, Key, Type, Name, Body string
}

// TestRequests checks what each call sends, and that an empty object is a
// sufficient answer.
func TestRequests(t *testing.T) {
	var got seen
	c := newClient(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = seen{r.Method, r.URL.RequestURI(), r.Header.Get("Idempotency-Key"),
			r.Header.Get("Content-Type"), r.Header.Get("X-Rota-Filename"), string(body)}
		_, _ = w.Write([]byte(`{}`))
	})
	ctx := t.Context()
	key := fsm.JobKey{Namespace: "ops", Name: "backup"}
	drop := func(_ any, err error) error { return err }
	tests := []struct {
		name string
		call func() error
		want seen
	}{
		{"put json", func() error { return drop(c.PutJobs(ctx, []fsm.JobSpec{}, false)) },
			seen{Method: "PUT", URI: "/v1/jobs", Type: "application/json", Body: `{"jobs":[]}`}},
		{"put file", func() error { return drop(c.PutFile(ctx, "a.hcl", []byte("job"), "ops", true)) },
			seen{Method: "PUT", URI: "/v1/jobs?dry_run=true&namespace=ops", Type: "application/hcl", Name: "a.hcl", Body: "job"}},
		{"jobs", func() error {
			return drop(c.Jobs(ctx, "*", api.Page{PerPage: 5, Token: "t"}, api.Read{Consistent: true}))
		}, seen{Method: "GET", URI: "/v1/jobs?consistent=true&namespace=%2A&page_token=t&per_page=5"}},
		{"job version", func() error { return drop(c.Job(ctx, key, 3)) },
			seen{Method: "GET", URI: "/v1/jobs/backup?namespace=ops&version=3"}},
		{"delete", func() error { return c.DeleteJob(ctx, key, time.Minute) },
			seen{Method: "DELETE", URI: "/v1/jobs/backup?namespace=ops&wait=1m0s"}},
		{"pause", func() error { return drop(c.PauseJob(ctx, key, 0)) },
			seen{Method: "POST", URI: "/v1/jobs/backup/pause?namespace=ops"}},
		{"resume", func() error { return drop(c.ResumeJob(ctx, key)) },
			seen{Method: "POST", URI: "/v1/jobs/backup/resume?namespace=ops"}},
		{"run", func() error { return drop(c.RunJob(ctx, key, "k1")) },
			seen{Method: "POST", URI: "/v1/jobs/backup/run?namespace=ops", Key: "k1"}},
		{"fires", func() error { return drop(c.Fires(ctx, key, api.Page{}, api.Read{})) },
			seen{Method: "GET", URI: "/v1/jobs/backup/fires?namespace=ops"}},
		{"runs", func() error {
			return drop(c.Runs(ctx, api.RunFilter{Job: "backup", State: fsm.RunFailed}, api.Page{}, api.Read{}))
		}, seen{Method: "GET", URI: "/v1/runs?job=backup&state=failed"}},
		{"cancel", func() error { return drop(c.CancelRun(ctx, "01ABC")) },
			seen{Method: "POST", URI: "/v1/runs/01ABC/cancel"}},
		{"node", func() error { return drop(c.SetNodeStatus(ctx, "n1", api.NodeStatus{Status: fsm.NodeDraining})) },
			seen{Method: "PUT", URI: "/v1/nodes/n1/status", Type: "application/json", Body: `{"status":"draining"}`}},
		{"transfer", func() error { return drop(c.TransferLeader(ctx)) },
			seen{Method: "POST", URI: "/v1/leader/transfer"}},
		{"ready", func() error { return c.Ready(ctx) }, seen{Method: "GET", URI: "/readyz"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if err := tt.call(); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestBlockingReadReturnsIndex(t *testing.T) {
	c := newClient(t, func(w http.ResponseWriter, r *http.Request) {
		if got := r.URL.RawQuery; got != "index=41&wait=20s" {
			t.Errorf("query %q", got)
		}
		w.Header().Set("X-Rota-Index", "42")
		_, _ = w.Write([]byte(`{"id":"01A","state":"running","tasks":[{"name":"main","state":"running","items":[{"shard":0,"node_name":"n2"}]}]}`))
	})
	run, index, err := c.Run(t.Context(), "01A", api.Read{After: 41, Wait: 20 * time.Second})
	if err != nil || index != 42 || run.State != fsm.RunRunning || run.Tasks[0].Items[0].NodeName != "n2" {
		t.Fatalf("run %+v, index %d, err %v", run, index, err)
	}
}

func TestLogsStream(t *testing.T) {
	c := newClient(t, func(w http.ResponseWriter, r *http.Request) {
		if got := r.URL.RawQuery; got != "attempt=2&follow=true&shard=1&stream=stderr&tail=10&task=main" {
			t.Errorf("query %q", got)
		}
		_, _ = w.Write([]byte("one\n"))
		_ = http.NewResponseController(w).Flush()
		_, _ = w.Write([]byte("two\n"))
	})
	body, err := c.Logs(t.Context(), "01A", api.LogQuery{Task: "main", Shard: 1, Attempt: 2, Stream: "stderr", Tail: 10, Follow: true})
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	text, err := io.ReadAll(body)
	if err != nil || string(text) != "one\ntwo\n" {
		t.Fatalf("%q, %v", text, err)
	}
}

func TestStatusError(t *testing.T) {
	diagnostics := []api.Diagnostic{{Summary: "no such zone", File: "a.hcl", Line: 3, Column: 5}}
	tests := []struct {
		name   string
		status int
		body   any
		want   api.StatusError
	}{
		{"ours", 404, api.Error{Error: api.ErrorBody{Code: "not_found", Message: "job backup: not found"}},
			api.StatusError{Status: 404, Code: "not_found", Message: "job backup: not found"}},
		{"diagnostics", 422, api.Error{Error: api.ErrorBody{Code: "invalid", Message: "bad", Diagnostics: diagnostics}},
			api.StatusError{Status: 422, Code: "invalid", Message: "bad", Diagnostics: diagnostics}},
		{"a proxy's", 502, "<html>bad gateway",
			api.StatusError{Status: 502, Code: "internal", Message: `the agent answered 502 Bad Gateway: "<html>bad gateway"`}},
		{"redirect", 307, "",
			api.StatusError{Status: 307, Code: "internal", Message: `the agent answered 307 Temporary Redirect: ""`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := newClient(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Location", "/elsewhere")
				w.WriteHeader(tt.status)
				raw, _ := json.Marshal(tt.body)
				_, _ = w.Write([]byte(strings.NewReplacer(`\u003c`, "<", `\u003e`, ">").Replace(string(raw))))
			})
			_, err := c.Leader(t.Context())
			var got *api.StatusError
			if !errors.As(err, &got) {
				t.Fatalf("got %v", err)
			}
			if diff := cmp.Diff(tt.want, *got); diff != "" {
				t.Error(diff)
			}
			if api.ErrorCode(err) != tt.want.Code {
				t.Errorf("code %q", api.ErrorCode(err))
			}
		})
	}
}

func TestNoServer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	c, err := api.NewClient(addr)
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.RunJob(t.Context(), fsm.JobKey{Name: "a"}, "")
	if !errors.Is(err, api.ErrNoServer) {
		t.Fatalf("got %v", err)
	}
	for _, want := range []string{"http://" + addr, "refused", "rota agent", "--addr", "ROTA_ADDR"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not say %q", err, want)
		}
	}
}

// TestWriteIsNeverRepeated cuts the connection after each request: a write must
// arrive once and be reported as of unknown fate.
func TestWriteIsNeverRepeated(t *testing.T) {
	var calls atomic.Int32
	c := newClient(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			_, _ = w.Write([]byte(`{}`))
			return
		}
		calls.Add(1)
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		conn.Close()
	})
	key := fsm.JobKey{Name: "a"}
	writes := map[string]func(context.Context) error{
		"put":    func(ctx context.Context) error { _, err := c.PutJobs(ctx, nil, false); return err },
		"run":    func(ctx context.Context) error { _, err := c.RunJob(ctx, key, ""); return err },
		"delete": func(ctx context.Context) error { return c.DeleteJob(ctx, key, 0) },
	}
	for name, write := range writes {
		if _, err := c.Version(t.Context()); err != nil { // leaves a connection to reuse
			t.Fatal(err)
		}
		calls.Store(0)
		err := write(t.Context())
		if api.ErrorCode(err) != api.CodeUnknownFate || !errors.Is(err, io.EOF) {
			t.Errorf("%s: got %v", name, err)
		}
		if n := calls.Load(); n != 1 {
			t.Errorf("%s: sent %d times", name, n)
		}
	}
}

func TestNewClientAddress(t *testing.T) {
	tests := []struct{ in, want string }{
		{"http://127.0.0.1:7700", "http://127.0.0.1:7700"},
		{"127.0.0.1:7800/", "http://127.0.0.1:7800"},
		{"127.0.0.1:7800", "http://127.0.0.1:7800"},
		{"10.0.0.1", "http://10.0.0.1:7700"},
		{"[::1]", "http://[::1]:7700"},
		{"::1", "http://[::1]:7700"},
		{"https://rota.example/base/", "https://rota.example/base"},
		{"ftp://a", ""},
		{"", ""},
		{"http://", ""},
		{"http://a?b=c", ""},
		{"http://user:pw@a", ""},
	}
	for _, tt := range tests {
		c, err := api.NewClient(tt.in)
		switch {
		case tt.want == "" && err == nil:
			t.Errorf("%q is accepted as %s", tt.in, c.Addr())
		case tt.want != "" && err != nil:
			t.Errorf("%q: %v", tt.in, err)
		case tt.want != "" && c.Addr() != tt.want:
			t.Errorf("%q: %s, want %s", tt.in, c.Addr(), tt.want)
		}
	}
}

package httpapi

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/transport"
	"github.com/rota-scheduler/rota/transport/api"
)

// withRun makes a world with a run of one task that node n has started.
func withRun(t *testing.T, n int) (*world, string) {
	w := newWorld(t)
	w.node(1)
	w.node(2)
	w.putJob(spec("a"), 0)
	run := w.manual("a", 1)
	w.arm(run, n)
	w.started(run)
	return w, run
}

func wantLog(t *testing.T, rec *httptest.ResponseRecorder, source, text string) {
	t.Helper()
	if rec.Code != 200 || rec.Body.String() != text || rec.Header().Get(LogSourceHeader) != source {
		t.Errorf("%d, source %q: %q; want %q: %q", rec.Code, rec.Header().Get(LogSourceHeader), rec.Body, source, text)
	}
}

func TestLogOfThisNode(t *testing.T) {
	w, run := withRun(t, 1)
	w.logs.text = "hello\n"
	wantLog(t, w.call("GET", "/v1/runs/"+run+"/logs", nil), logSourceNode, "hello\n")
	ref := fsm.AttemptRef{RunID: run, Task: "main", Attempt: 1}
	if diff := cmp.Diff(&logOpen{ref, StreamBoth, false, -1}, w.logs.opened.Load()); diff != "" {
		t.Error(diff)
	}
	w.call("GET", "/v1/runs/"+run+"/logs?task=main&shard=0&attempt=1&stream=stderr&tail=10", nil)
	if diff := cmp.Diff(&logOpen{ref, StreamStderr, false, 10}, w.logs.opened.Load()); diff != "" {
		t.Error(diff)
	}
}

func TestLogRefuses(t *testing.T) {
	w, run := withRun(t, 1)
	w.logs.text = "x"
	w.putJob(spec("graph", "one", "two"), 0)
	graph := w.manual("graph", 2)
	for _, tt := range []struct {
		path   string
		status int
		code   string
		text   string
	}{
		{run + "/logs?stream=all", 400, api.CodeBadRequest, "stdout, stderr or both"},
		{run + "/logs?tail=-1", 400, api.CodeBadRequest, "tail"},
		{run + "/logs?shard=x", 400, api.CodeBadRequest, "shard"},
		{run + "/logs?follow=maybe", 400, api.CodeBadRequest, "follow"},
		{run + "/logs?task=other", 404, api.CodeNotFound, "other"},
		{run + "/logs?shard=3", 404, api.CodeNotFound, "shard 3"},
		{run + "/logs?attempt=3", 404, api.CodeNotFound, "not started"},
		{"01ZZZZZZ/logs", 404, api.CodeNotFound, "run"},
		{graph + "/logs", 400, api.CodeBadRequest, "one, two"},
		{graph + "/logs?task=one", 404, api.CodeNotFound, "not started yet"},
	} {
		wantError(t, w.call("GET", "/v1/runs/"+tt.path, nil), tt.status, tt.code, tt.text)
	}
}

func TestLogOfEachAttempt(t *testing.T) {
	w, run := withRun(t, 1)
	w.logs.text = "x"
	w.report(run, fsm.Report{Kind: fsm.ReportKilled, EndedAt: start + 1})
	w.arm(run, 1)
	attempt := func(query string) int {
		if rec := w.call("GET", "/v1/runs/"+run+"/logs"+query, nil); rec.Code != 200 {
			t.Fatalf("%s: %d %s", query, rec.Code, rec.Body)
		}
		return w.logs.opened.Load().Ref.Attempt
	}
	if n := attempt(""); n != 1 {
		t.Errorf("while the second is armed the latest log is of attempt %d, want 1", n)
	}
	w.started(run)
	if n := attempt(""); n != 2 {
		t.Errorf("the latest log is of attempt %d, want 2", n)
	}
	if n := attempt("?attempt=1"); n != 1 {
		t.Errorf("asked for attempt 1, got %d", n)
	}
}

func TestFollowWaitsForTheStart(t *testing.T) {
	w := newWorld(t)
	w.logs = fakeLogs{text: "a", more: make(chan string, 1)}
	w.node(1)
	w.putJob(spec("a"), 0)
	run := w.manual("a", 1)
	done := w.background("GET", "/v1/runs/"+run+"/logs?follow")
	w.blocked(1)
	w.arm(run, 1)
	w.started(run)
	w.logs.more <- "b"
	close(w.logs.more)
	wantLog(t, within(t, "the log", done), logSourceNode, "ab")

	never := w.manual("a", 2)
	done = w.background("GET", "/v1/runs/"+never+"/logs?follow")
	w.blocked(1)
	w.must(fsm.OpCancelRun, &fsm.CancelRun{At: start, ID: never})
	wantError(t, within(t, "the end of what never started", done), 404, api.CodeNotFound, "cancelled")
}

func TestFollowEndsWithTheClient(t *testing.T) {
	w, run := withRun(t, 1)
	w.logs = fakeLogs{text: "a", more: make(chan string)}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan *httptest.ResponseRecorder, 1)
	go func() { done <- w.callWith(ctx, "GET", "/v1/runs/"+run+"/logs?follow", nil) }()
	until(t, "the log is open", func() bool { return len(w.api.limits.logs) == 1 })
	cancel()
	within(t, "the handler ends", done)
	until(t, "the slot is free", func() bool { return len(w.api.limits.logs) == 0 })
}

func TestLogsAreBounded(t *testing.T) {
	w, run := withRun(t, 1)
	w.logs.text = "x"
	w.api.limits.logs = newSlots(0)
	wantError(t, w.call("GET", "/v1/runs/"+run+"/logs", nil), 503, CodeBusy)
}

func TestLogFallsBackToTheTail(t *testing.T) {
	w, run := withRun(t, 1) // this node has lost the file
	wantError(t, w.call("GET", "/v1/runs/"+run+"/logs", nil), 503, api.CodeUnreachable, "id-1")
	w.ended(run)
	wantLog(t, w.call("GET", "/v1/runs/"+run+"/logs", nil), logSourceTail, "the end\n")
	wantLog(t, w.call("GET", "/v1/runs/"+run+"/logs?tail=4", nil), logSourceTail, "end\n")
}

func TestLogOfANodeThatIsDown(t *testing.T) {
	w, run := withRun(t, 2)
	w.ended(run)
	w.must(fsm.OpSetNodeStatus, &fsm.SetNodeStatus{At: start, ID: "id-2", Status: fsm.NodeDown, By: "test"})
	wantLog(t, w.call("GET", "/v1/runs/"+run+"/logs", nil), logSourceTail, "the end\n")
}

// forwarder is the real thing, as the node wires it.
func (w *world) forwarder() {
	f := transport.NewForwarder(transport.ForwarderConfig{
		Resolve: Target, OnError: ForwardError, Wait: 50 * time.Millisecond, Logger: w.api.cfg.Logger,
	})
	w.t.Cleanup(f.Close)
	w.api.cfg.ForwardNode = f
}

func TestLogOfAnotherNode(t *testing.T) {
	w, run := withRun(t, 2)
	w.ended(run)
	w.forwarder()

	// The node that holds the log knows nothing of the run.
	holder := newWorld(t)
	holder.api.cfg.NodeID, holder.api.cfg.NodeName = "id-2", "n2"
	server := httptest.NewServer(holder.api)
	addr := server.Listener.Addr().String()
	w.must(fsm.OpRegisterNode, &fsm.RegisterNode{At: start, Node: fsm.Node{
		ID: "id-2", Name: "n2", Incarnation: 2, HTTPAddr: addr, Capacity: 100,
	}})
	path := "/v1/runs/" + run + "/logs?stream=stdout&tail=100"

	wantLog(t, w.call("GET", path, nil), logSourceTail, "the end\n") // it has lost the file
	holder.logs.text = "all of it\n"
	rec := w.call("GET", path, nil)
	wantLog(t, rec, logSourceNode, "all of it\n")
	if got := rec.Header().Values(transport.NodeHeader); cmp.Diff([]string{"n2"}, got) != "" {
		t.Errorf("answered by %v", got)
	}
	want := &logOpen{fsm.AttemptRef{RunID: run, Task: "main", Attempt: 1}, StreamStdout, false, 100}
	if diff := cmp.Diff(want, holder.logs.opened.Load()); diff != "" {
		t.Error(diff)
	}
	server.Close()
	wantLog(t, w.call("GET", path, nil), logSourceTail, "the end\n")
}

// A log is followed through two nodes as it grows.
func TestFollowThroughAnotherNode(t *testing.T) {
	w, run := withRun(t, 2)
	w.forwarder()
	holder := newWorld(t)
	holder.logs = fakeLogs{text: "one\n", more: make(chan string)}
	there := httptest.NewServer(holder.api)
	defer there.Close()
	w.must(fsm.OpRegisterNode, &fsm.RegisterNode{At: start, Node: fsm.Node{
		ID: "id-2", Name: "n2", Incarnation: 2, HTTPAddr: there.Listener.Addr().String(), Capacity: 100,
	}})
	here := httptest.NewServer(w.api)
	defer here.Close()
	resp := open(t, here, "/v1/runs/"+run+"/logs?follow=true")
	lines := bufio.NewReader(resp.Body)
	for i, want := range []string{"one\n", "two\n"} {
		if i > 0 {
			holder.logs.more <- want
		}
		if got, err := lines.ReadString('\n'); err != nil || got != want {
			t.Fatalf("line %q, %v; want %q", got, err, want)
		}
	}
	close(holder.logs.more)
	if rest, err := io.ReadAll(lines); err != nil || len(rest) != 0 {
		t.Errorf("after the end: %q, %v", rest, err)
	}
}

// open makes a GET over a connection of its own.
func open(t *testing.T, s *httptest.Server, path string, header ...string) *http.Response {
	t.Helper()
	r := request(t, "GET", s.URL+path, nil, header...).WithContext(t.Context())
	r.RequestURI = ""
	tr := &http.Transport{DialContext: (&net.Dialer{Timeout: patience}).DialContext, DisableKeepAlives: true}
	resp, err := (&http.Client{Transport: tr}).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close(); tr.CloseIdleConnections() })
	return resp
}

func TestHeldLogPathIsChecked(t *testing.T) {
	w := newWorld(t)
	w.logs.text = "x"
	for _, path := range []string{"..%2F..%2Fetc/t/0/1", "R/..%2Fx/0/1", "R/t/-1/1", "R/t/0/99999999999"} {
		wantError(t, w.call("GET", "/v1/internal/logs/"+path, nil), 400, api.CodeBadRequest, "want")
	}
	if w.logs.opened.Load() != nil {
		t.Error("a log was opened")
	}
}

// brokenLog fails after its first piece.
type brokenLog struct{}

func (*brokenLog) Open(context.Context, fsm.AttemptRef, string, bool, int64) (io.ReadCloser, error) {
	return io.NopCloser(io.MultiReader(strings.NewReader("half"), brokenReader{})), nil
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, errors.Join(fsm.ErrNotFound) }

func TestBrokenLogIsCutOff(t *testing.T) {
	w, run := withRun(t, 1)
	w.api.cfg.Logs = &brokenLog{}
	server := httptest.NewServer(w.api)
	defer server.Close()
	resp := open(t, server, "/v1/runs/"+run+"/logs")
	if body, err := io.ReadAll(resp.Body); err == nil {
		t.Errorf("half a log looks like a whole one: %q", body)
	}
}

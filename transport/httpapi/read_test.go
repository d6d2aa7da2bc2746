package httpapi

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/transport/api"
)

func TestBlockingReads(t *testing.T) {
	for name, tt := range map[string]struct {
		path   string
		change func(w *world, run string)
	}{
		"job paused": {"/v1/jobs/a", func(w *world, _ string) {
			w.must(fsm.OpSetPaused, &fsm.SetPaused{At: start, Job: key("a"), Paused: true})
		}},
		"job fires": {"/v1/jobs/a", func(w *world, _ string) { w.fire("a", 0) }},
		"jobs, new": {"/v1/jobs", func(w *world, _ string) { w.putJob(spec("b"), 0) }},
		"jobs, paused": {"/v1/jobs?namespace=*", func(w *world, _ string) {
			w.must(fsm.OpSetPaused, &fsm.SetPaused{At: start, Job: key("a"), Paused: true})
		}},
		"jobs, skipped": {"/v1/jobs", func(w *world, _ string) { w.fire("a", 0) }},
		"fires":         {"/v1/jobs/a/fires", func(w *world, _ string) { w.fire("a", 0) }},
		"runs of all":   {"/v1/runs", func(w *world, run string) { w.started(run) }},
		"runs of one":   {"/v1/runs?job=a", func(w *world, run string) { w.ended(run) }},
		"run":           {"/v1/runs/%s", func(w *world, run string) { w.started(run) }},
		"nodes":         {"/v1/nodes", func(w *world, _ string) { w.node(2) }},
		"node's load":   {"/v1/nodes", func(w *world, run string) { w.ended(run) }},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.node(1)
			w.putJob(spec("a"), time.Minute)
			run := w.fire("a", 1)
			path := tt.path
			if path == "/v1/runs/%s" {
				path = fmt.Sprintf(path, run)
			}
			first := w.call("GET", path, nil)
			path += map[bool]string{true: "&", false: "?"}[containsQuery(path)] + "index=" + first.Header().Get(IndexHeader)
			done := w.background("GET", path)
			w.blocked(1)
			select {
			case rec := <-done:
				t.Fatalf("answered without news: %s", rec.Body)
			default:
			}
			tt.change(w, run)
			rec := within(t, "the answer after the change", done)
			if rec.Code != http.StatusOK || rec.Body.String() == first.Body.String() {
				t.Errorf("status %d, the same as before: %s", rec.Code, rec.Body)
			}
		})
	}
}

func containsQuery(path string) bool { return httptest.NewRequest("GET", path, nil).URL.RawQuery != "" }

func TestBlockingReadAnswersAtOnceWithNews(t *testing.T) {
	w := newWorld(t)
	w.putJob(spec("a"), 0)
	run := w.manual("a", 1)
	for _, path := range []string{"/v1/jobs?index=1", "/v1/runs?index=1", "/v1/runs/" + run + "?index=1", "/v1/jobs/a/fires?index=1"} {
		if rec := within(t, path, w.background("GET", path+"&wait=10m")); rec.Code != http.StatusOK {
			t.Errorf("%s: %d %s", path, rec.Code, rec.Body)
		}
	}
}

func TestBlockingReadIsNotWokenByOthers(t *testing.T) {
	w := newWorld(t)
	w.putJob(spec("a"), 0)
	run := w.manual("a", 1)
	at := w.store.Index()
	done := w.background("GET", fmt.Sprintf("/v1/runs/%s?index=%d&wait=10m", run, at))
	w.blocked(1)
	other := w.manual("a", 2)
	w.must(fsm.OpCancelRun, &fsm.CancelRun{At: start, ID: other})
	select {
	case rec := <-done:
		t.Errorf("woken by another run: %s", rec.Body)
	default:
	}
	w.must(fsm.OpCancelRun, &fsm.CancelRun{At: start, ID: run})
	if got := answer[api.Run](t, within(t, "its own change", done), 200); got.State != fsm.RunCancelled {
		t.Errorf("run is %s", got.State)
	}
}

func TestBlockingReadEnds(t *testing.T) {
	w := newWorld(t)
	w.putJob(spec("a"), 0)
	if rec := w.call("GET", "/v1/jobs?index=99&wait=1ms", nil); rec.Code != http.StatusOK {
		t.Errorf("when the time is up: %d", rec.Code)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan int, 1)
	go func() { done <- w.callWith(ctx, "GET", "/v1/jobs?index=99&wait=10m", nil).Code }()
	w.blocked(1)
	cancel()
	within(t, "the client is gone", done)
	w.blocked(0)
}

func TestBlockedRequestsAreBounded(t *testing.T) {
	w := newWorld(t)
	w.api.limits.blocked = newSlots(1)
	w.putJob(spec("a"), 0)
	done := w.background("GET", "/v1/jobs?index=1")
	w.blocked(1)
	rec := w.call("GET", "/v1/jobs?index=1", nil)
	wantError(t, rec, 503, CodeBusy, "try again")
	if rec.Header().Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	get[api.List[api.Job]](w, "/v1/jobs")
	w.putJob(spec("b"), 0)
	within(t, "the one that waited", done)
}

// A replica that is behind the client's index waits until it is past it.
func TestBlockingReadOnAReplicaBehind(t *testing.T) {
	w := newWorld(t)
	w.putJob(spec("a"), 0)
	done := w.background("GET", "/v1/jobs?index=3")
	w.blocked(1)
	w.putJob(spec("b"), 0)
	w.putJob(spec("c"), 0)
	select {
	case rec := <-done:
		t.Fatalf("answered at index %s", rec.Header().Get(IndexHeader))
	default:
	}
	w.putJob(spec("d"), 0)
	if got := answer[api.List[api.Job]](t, within(t, "index 4", done), 200); len(got.Items) != 4 {
		t.Errorf("%d jobs", len(got.Items))
	}
}

func TestConsistentRead(t *testing.T) {
	w := newWorld(t)
	w.putJob(spec("a"), 0)
	get[api.List[api.Job]](w, "/v1/jobs?consistent")
	if got := w.waited.Load(); got != 1 {
		t.Errorf("waited for index %d, want the read index 1", got)
	}
	w.leader.Store(false)
	forwarded := 0
	w.api.cfg.Forward = http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		forwarded++
		setIndex(rw, 7)
		rw.Header().Add("X-Rota-Node", "n2")
		rw.WriteHeader(http.StatusOK)
	})
	rec := w.call("GET", "/v1/jobs?consistent=true", nil)
	if forwarded != 1 || w.waited.Load() != 7 {
		t.Errorf("forwarded %d times, waited for %d", forwarded, w.waited.Load())
	}
	if got := rec.Header().Values("X-Rota-Node"); len(got) != 1 || got[0] != "n2" {
		t.Errorf("answered by %v, want n2", got)
	}
	get[api.List[api.Job]](w, "/v1/jobs?consistent=false")
	if forwarded != 1 {
		t.Error("a plain read was forwarded")
	}
}

func TestIndexHeader(t *testing.T) {
	w := newWorld(t)
	w.putJob(spec("a"), 0)
	w.putJob(spec("b"), 0)
	rec := w.call("GET", "/v1/jobs", nil)
	list := answer[api.List[api.Job]](t, rec, 200)
	if got := rec.Header().Get(IndexHeader); got != "2" || strconv.FormatUint(list.Index, 10) != got {
		t.Errorf("header %s, body %d, want 2", got, list.Index)
	}
}

// Readers that go from one answer to the next see the last change, however the
// reads fall between the moments at which its rows and its index appear.
func TestBlockedReadersMissNothing(t *testing.T) {
	const changes = 300
	w := newWorld(t)
	w.api.limits.recheck = 20 * time.Millisecond
	readers := make(chan string, 4)
	for range cap(readers) {
		go func() {
			index := uint64(0)
			for range 10 * changes {
				rec := w.call("GET", fmt.Sprintf("/v1/jobs?per_page=%d&wait=10m&index=%d", changes, index), nil)
				var list api.List[api.Job]
				if err := json.Unmarshal(rec.Body.Bytes(), &list); err != nil || list.Index < index {
					readers <- fmt.Sprintf("index %d after %d, %v", list.Index, index, err)
					return
				}
				if index = list.Index; len(list.Items) == changes {
					readers <- ""
					return
				}
			}
			readers <- "too many answers without the last change"
		}()
	}
	for i := range changes {
		w.putJob(spec(fmt.Sprintf("job%d", i)), 0)
	}
	for range cap(readers) {
		if wrong := within(t, "the last change", readers); wrong != "" {
			t.Error(wrong)
		}
	}
}

// TestANodeThatReplaysDoesNotAnswer: what it has read of its log so far is the
// past, in which jobs may be missing that everyone knows.
func TestANodeThatReplaysDoesNotAnswer(t *testing.T) {
	w := newWorld(t)
	w.node(1)
	w.putJob(spec("a"), time.Minute)
	run := w.fire("a", 1)
	w.replaying.Store(true)
	for _, path := range []string{"/v1/jobs", "/v1/jobs/a", "/v1/runs", "/v1/runs/" + run, "/v1/nodes", "/v1/runs/" + run + "/logs", "/v1/events"} {
		wantError(t, w.call("GET", path, nil), http.StatusServiceUnavailable, api.CodeNoLeader, "")
	}
	w.replaying.Store(false)
	if got := w.call("GET", "/v1/jobs/a", nil).Code; got != http.StatusOK {
		t.Errorf("status %d once it has caught up", got)
	}
}

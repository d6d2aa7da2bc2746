package httpapi

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/transport/api"
)

// events reads a stream: what it yields is said by say.
func (w *world) events(t *testing.T, path string, header ...string) <-chan string {
	server := httptest.NewServer(w.api)
	resp := open(t, server, path, header...)
	c := make(chan string, 100)
	done := make(chan struct{})
	go func() {
		defer close(done)
		lines := bufio.NewScanner(resp.Body)
		for lines.Scan() {
			if s := say(lines.Text()); s != "" {
				c <- s
			}
		}
	}()
	t.Cleanup(func() {
		resp.Body.Close()
		<-done
		server.Close()
	})
	return c
}

func say(line string) string {
	data, ok := strings.CutPrefix(line, "data: ")
	if !ok {
		comment, _ := strings.CutPrefix(line, ": ")
		if comment == line {
			return ""
		}
		return comment
	}
	var e api.Event
	if err := json.Unmarshal([]byte(data), &e); err != nil {
		return err.Error()
	}
	switch {
	case e.Run != nil:
		return fmt.Sprintf("%s %s %s", e.Kind, e.Run.Job, e.Run.State)
	case e.Fire != nil:
		return fmt.Sprintf("%s %s %s %s", e.Kind, e.Fire.Job, e.Fire.Outcome, e.Fire.Reason)
	case e.Job != nil:
		return fmt.Sprintf("%s %s paused=%t", e.Kind, e.Job.Name, e.Job.Paused)
	case e.Node != nil:
		return fmt.Sprintf("%s %s %s", e.Kind, e.Node.Name, e.Node.Status)
	}
	return "nothing"
}

func TestEvents(t *testing.T) {
	w := newWorld(t)
	events := w.events(t, "/v1/events")
	// Changes are made one after the other, so that each is seen.
	expect := func(want ...string) {
		t.Helper()
		for len(want) > 0 {
			got := within(t, want[0], events)
			i := -1
			for j := range want {
				if want[j] == got {
					i = j
				}
			}
			if i < 0 {
				t.Fatalf("event %q, want one of %q", got, want)
			}
			want = append(want[:i:i], want[i+1:]...)
		}
	}
	expect("watching")
	w.node(1)
	expect("node n1 ready")
	w.putJob(spec("a"), time.Minute)
	expect("job a paused=false")
	w.fire("a", 0)
	expect("fire a skipped missed")
	run := w.fire("a", 1)
	expect("run a pending")
	w.started(run)
	expect("run a running", "fire a ran ")
	w.ended(run)
	expect("run a succeeded")
	w.must(fsm.OpSetPaused, &fsm.SetPaused{At: start, Job: key("a"), Paused: true})
	expect("job a paused=true")
	// A run that comes and goes between two looks is not lost.
	w.putJob(spec("b"), 0)
	expect("job b paused=false")
	before := w.store.Read()
	id := w.manual("b", 1)
	w.arm(id, 1)
	w.ended(id)
	var got []string
	for _, e := range changes(before, w.store.Read()) {
		got = append(got, e.Run.ID+" "+string(e.Run.State))
	}
	if diff := cmp.Diff([]string{id + " succeeded"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestEventsResume(t *testing.T) {
	w := newWorld(t)
	w.node(1)
	w.putJob(spec("a"), 0)
	w.putJob(spec("b"), 0)
	w.manual("a", 1)
	for _, events := range []<-chan string{
		w.events(t, "/v1/events?index=3"),
		w.events(t, "/v1/events", "Last-Event-ID", "3"),
	} {
		for _, want := range []string{"job b paused=false", "run a pending"} {
			if got := within(t, want, events); got != want {
				t.Errorf("event %q, want %q", got, want)
			}
		}
	}
	wantError(t, w.call("GET", "/v1/events?index=x", nil), 400, api.CodeBadRequest, "index")
}

func TestEventsBeatAndBound(t *testing.T) {
	w := newWorld(t)
	w.api.limits.beat = time.Millisecond
	w.api.limits.events = newSlots(1)
	events := w.events(t, "/v1/events")
	for _, want := range []string{"watching", "beat", "beat"} {
		if got := within(t, want, events); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	wantError(t, w.call("GET", "/v1/events", nil), 503, CodeBusy)
}

package api_test

import (
	"context"
	"fmt"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rota-scheduler/rota/transport/api"
)

// TestEventsResume breaks the stream in the middle of an index; the next
// connection must ask for it again.
func TestEventsResume(t *testing.T) {
	var asked []string
	c := newClient(t, func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.RawQuery+" "+r.Header.Get("Last-Event-Id"))
		switch len(asked) {
		case 1:
			fmt.Fprint(w, ": hello\n\nid: 7\ndata: {\"index\":7,\"kind\":\"run\",\"run\":{\"id\":\"A\"}}\n\ndata: {\"index\":8,")
		case 2:
			http.Error(w, `{"error":{"code":"no_leader","message":"wait"}}`, http.StatusServiceUnavailable)
		default:
			fmt.Fprint(w, "data: {\"index\":7,\"kind\":\"run\"}\n\ndata:{\"index\":8,\ndata:\"kind\":\"job\"}\n\n: beat\n\n")
		}
	})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var got []string
	for e, err := range c.Events(ctx, 3) {
		if err != nil {
			got = append(got, "broken")
		} else {
			got = append(got, fmt.Sprintf("%d %s", e.Index, e.Kind))
		}
		if e.Index == 8 {
			break
		}
	}
	if diff := cmp.Diff([]string{"7 run", "broken", "broken", "7 run", "8 job"}, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"index=3 3", "index=7 7", "index=7 7"}, asked); diff != "" {
		t.Error(diff)
	}
}

func TestEventsEndWithContext(t *testing.T) {
	started := make(chan struct{})
	c := newClient(t, func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).Flush()
		close(started)
		<-r.Context().Done()
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-started; cancel() }()
	for e, err := range c.Events(ctx, 0) {
		t.Errorf("got %+v, %v after the end", e, err)
	}
}

// TestEventsMalformed: garbage is an error, not a silent gap.
func TestEventsMalformed(t *testing.T) {
	c := newClient(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "data: nonsense\n\n") })
	for _, err := range c.Events(t.Context(), 0) {
		if err == nil || api.ErrorCode(err) != "" {
			t.Errorf("got %v", err)
		}
		break
	}
}

package provider

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rota-scheduler/rota/fsm"
)

var node = &fsm.Node{ID: "id-7", Name: "n7", HTTPAddr: "192.0.2.7:7700"}

func command(t *testing.T, script string) *Provider {
	t.Helper()
	p, err := New(&fsm.Autoscale{Provider: fsm.ProviderExec, Command: []string{"/bin/sh", "-c", script}})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestExec(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out")
	p := command(t, `echo "$ROTA_SCALE_ACTION $ROTA_SCALE_REQUEST $ROTA_SCALE_NODE $ROTA_SCALE_NODE_ID $ROTA_SCALE_NODE_HTTP" >> `+out)
	if err := errors.Join(p.Add(t.Context(), "scale-1-0"), p.Remove(t.Context(), "scale-2-0", node)); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	if want := "add scale-1-0   \nremove scale-2-0 n7 id-7 192.0.2.7:7700\n"; string(got) != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestExecFailures(t *testing.T) {
	err := command(t, `head -c 100000 /dev/zero | tr '\0' x; echo "quota exceeded"; exit 3`).Add(t.Context(), "r")
	if !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "exit status 3") || !strings.HasSuffix(err.Error(), "quota exceeded") || len(err.Error()) > 1000 {
		t.Errorf("%d bytes: %v", len(err.Error()), err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	mark := filepath.Join(t.TempDir(), "mark")
	began := time.Now()
	err = command(t, `(sleep 60; touch `+mark+`) & wait`).Add(ctx, "r")
	if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) > 30*time.Second {
		t.Errorf("after %s: %v", time.Since(began), err)
	}
	p, err := New(&fsm.Autoscale{Provider: fsm.ProviderExec, Command: []string{"/no/such/program"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Add(t.Context(), "r"); !errors.Is(err, ErrRefused) {
		t.Error(err)
	}
	if _, err := New(&fsm.Autoscale{Provider: "magic"}); !errors.Is(err, errUnknown) {
		t.Error(err)
	}
}

func TestWebhook(t *testing.T) {
	var got []request
	status := http.StatusAccepted
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body request
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil || r.Header.Get("Idempotency-Key") != body.Request {
			t.Errorf("%+v %v", body, err)
		}
		got = append(got, body)
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(status)
		_, _ = w.Write([]byte("no more machines"))
	}))
	defer server.Close()
	p, err := New(&fsm.Autoscale{Provider: fsm.ProviderWebhook, URL: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(p.Add(t.Context(), "a"), p.Remove(t.Context(), "b", node)); err != nil {
		t.Error(err)
	}
	if len(got) != 2 || got[0].Action != "add" || got[0].Node != nil || got[1].Action != "remove" || *got[1].Node != (nodeInfo{"id-7", "n7", "192.0.2.7:7700"}) {
		t.Errorf("%+v", got)
	}
	for _, status = range []int{http.StatusConflict, http.StatusFound, http.StatusInternalServerError} {
		if err := p.Add(t.Context(), "c"); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "no more machines") {
			t.Errorf("%d: %v", status, err)
		}
	}
}

package transport

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// deadAddr is an address that refuses connections.
func deadAddr(t *testing.T) string {
	t.Helper()
	ln := listen(t)
	defer ln.Close()
	return ln.Addr().String()
}

// dropper accepts connections, reads a little of each, and closes it without an
// answer. It counts them.
func dropper(t *testing.T) (string, *atomic.Int64) {
	t.Helper()
	ln := listen(t)
	var n atomic.Int64
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			n.Add(1)
			c.SetReadDeadline(time.Now().Add(patience))
			c.Read(make([]byte, 1024))
			c.Close()
		}
	}()
	t.Cleanup(func() { ln.Close(); <-done })
	return ln.Addr().String(), &n
}

func newCaller(t *testing.T, cfg CallerConfig) *Caller {
	t.Helper()
	c := NewCaller(cfg)
	t.Cleanup(c.Close)
	return c
}

func TestCall(t *testing.T) {
	type msg struct{ Text string }
	_, addr := serveHTTP(t, HTTPConfig{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/echo":
			if r.Method != http.MethodPut || r.Header.Get("Content-Type") != "application/json" || r.URL.RawQuery != "a=b" {
				w.WriteHeader(http.StatusBadRequest)
			}
			io.Copy(w, r.Body)
		case "/refused":
			w.WriteHeader(http.StatusConflict)
			io.WriteString(w, `{"error":{"code":"stale","message":"too late","index":7}}`)
		case "/proxy":
			w.WriteHeader(http.StatusBadGateway)
			io.WriteString(w, "<html>bad gateway</html>")
		case "/empty":
			w.WriteHeader(http.StatusNotFound)
		case "/redirect":
			http.Redirect(w, r, "/echo?a=b", http.StatusTemporaryRedirect)
		case "/garbage":
			io.WriteString(w, "{")
		case "/huge":
			io.WriteString(w, strings.Repeat(" ", 1001))
		}
	})})
	c := newCaller(t, CallerConfig{MaxBodyBytes: 1000})

	var out msg
	if err := c.Call(t.Context(), addr, http.MethodPut, "/echo?a=b", msg{"hi"}, &out); err != nil || out.Text != "hi" {
		t.Errorf("echo: %+v, %v", out, err)
	}
	for path, want := range map[string]APIError{
		"/refused":  {Status: 409, Code: "stale", Message: "too late", Index: 7},
		"/proxy":    {Status: 502, Message: "<html>bad gateway</html>"},
		"/empty":    {Status: 404, Message: "Not Found"},
		"/redirect": {Status: 307, Message: "Temporary Redirect"},
	} {
		var got *APIError
		err := c.Call(t.Context(), addr, http.MethodPost, path, msg{}, nil)
		if !errors.As(err, &got) {
			t.Errorf("%s: %v", path, err)
			continue
		}
		if diff := cmp.Diff(want, *got); diff != "" {
			t.Errorf("%s: %s", path, diff)
		}
	}
	if err := c.Call(t.Context(), addr, http.MethodGet, "/garbage", nil, &out); err == nil {
		t.Error("garbage was decoded")
	}
	if err := c.Call(t.Context(), addr, http.MethodGet, "/huge", nil, &out); !errors.Is(err, ErrTooLarge) {
		t.Errorf("huge answer: %v", err)
	}
	if err := c.Call(t.Context(), addr, http.MethodPost, "/echo", msg{strings.Repeat("x", 1000)}, nil); !errors.Is(err, ErrTooLarge) {
		t.Errorf("huge request: %v", err)
	}
}

func TestCallFates(t *testing.T) {
	c := newCaller(t, CallerConfig{})
	err := c.Call(t.Context(), deadAddr(t), http.MethodPost, "/", 1, nil)
	if !errors.Is(err, ErrUnreachable) {
		t.Errorf("nobody listens: %v", err)
	}
	addr, _ := dropper(t)
	err = c.Call(t.Context(), addr, http.MethodPost, "/", 1, nil)
	if !errors.Is(err, ErrUnknownFate) {
		t.Errorf("dropped: %v", err)
	}

	ln := listen(t) // connects, but never answers
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	err = c.Call(ctx, ln.Addr().String(), http.MethodPost, "/", 1, nil)
	if !errors.Is(err, ErrUnknownFate) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("silent: %v", err)
	}
}

// proxyTo starts a node that forwards everything to what resolve says.
func proxyTo(t *testing.T, wait time.Duration, resolve func(*http.Request) (string, bool)) (addr string, errs chan error) {
	t.Helper()
	errs = make(chan error, 8)
	f := NewForwarder(ForwarderConfig{
		Resolve: resolve, Wait: wait, Logger: testLogger(),
		OnError: func(w http.ResponseWriter, r *http.Request, err error) {
			w.WriteHeader(http.StatusServiceUnavailable)
			errs <- err
		},
	})
	_, addr = serveHTTP(t, HTTPConfig{Handler: f})
	t.Cleanup(f.Close)
	return addr, errs
}

func fixed(addr string) func(*http.Request) (string, bool) {
	return func(*http.Request) (string, bool) { return addr, true }
}

func TestForward(t *testing.T) {
	_, leader := serveHTTP(t, HTTPConfig{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		w.Header().Set("X-Rota-Index", "9")
		w.WriteHeader(http.StatusCreated)
		io.WriteString(w, r.Method+" "+r.URL.String()+" "+string(b)+" "+r.Header.Get(ForwardedHeader))
	})})
	second, _ := proxyTo(t, 0, fixed(leader))
	first, _ := proxyTo(t, 0, fixed(second))
	req, _ := http.NewRequest(http.MethodPut, "http://"+first+"/v1/jobs?x=1", strings.NewReader("body"))
	resp, err := plainClient(t).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(resp.Body)
	if got, want := string(b), "PUT /v1/jobs?x=1 body 2"; got != want || resp.StatusCode != 201 || resp.Header.Get("X-Rota-Index") != "9" {
		t.Errorf("%d %q %v", resp.StatusCode, got, resp.Header)
	}
}

func TestForwardStreams(t *testing.T) {
	next := make(chan string)
	_, leader := serveHTTP(t, HTTPConfig{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for {
			select {
			case s := <-next:
				io.WriteString(w, s)
				http.NewResponseController(w).Flush()
			case <-r.Context().Done():
				return
			}
		}
	})})
	addr, _ := proxyTo(t, 0, fixed(leader))
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	req, _ := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr, nil)
	go func() { next <- "one" }()
	resp, err := plainClient(t).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	buf := make([]byte, 3)
	if _, err := io.ReadFull(resp.Body, buf); err != nil || string(buf) != "one" {
		t.Fatalf("%q %v", buf, err)
	}
	next <- "two" // only after one has arrived: nothing buffers
	if _, err := io.ReadFull(resp.Body, buf); err != nil || string(buf) != "two" {
		t.Fatalf("%q %v", buf, err)
	}
}

func TestForwardLoop(t *testing.T) {
	var addr atomic.Value
	addr.Store("")
	a, errs := proxyTo(t, 0, func(*http.Request) (string, bool) { return addr.Load().(string), true })
	addr.Store(a)
	get(t, "http://"+a)
	if err := receive(t, "error", errs); !errors.Is(err, ErrLoop) {
		t.Errorf("got %v", err)
	}
}

func TestForwardWaitsForALeader(t *testing.T) {
	_, leader := serveHTTP(t, HTTPConfig{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) })})
	dead := deadAddr(t)
	var asked atomic.Int64
	addr, _ := proxyTo(t, patience, func(*http.Request) (string, bool) {
		switch n := asked.Add(1); {
		case n < 3:
			return "", false
		case n < 5:
			return dead, true // the one that just died
		default:
			return leader, true
		}
	})
	resp, err := plainClient(t).Post("http://"+addr, "text/plain", strings.NewReader("body"))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if b, _ := io.ReadAll(resp.Body); string(b) != "body" || resp.StatusCode != 200 {
		t.Errorf("%d %q", resp.StatusCode, b)
	}
}

func TestForwardErrors(t *testing.T) {
	dead := deadAddr(t)
	drop, dropped := dropper(t)
	tests := map[string]struct {
		resolve func(*http.Request) (string, bool)
		method  string
		want    error
		tries   int64
	}{
		"no leader":              {func(*http.Request) (string, bool) { return "", false }, "POST", ErrNoLeader, 0},
		"unreachable":            {fixed(dead), "POST", ErrUnreachable, 0},
		"write is sent once":     {fixed(drop), "POST", ErrUnknownFate, 1},
		"delete is sent once":    {fixed(drop), "DELETE", ErrUnknownFate, 1},
		"read is sent once more": {fixed(drop), "GET", ErrUnknownFate, 2},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			dropped.Store(0)
			wait := 50 * time.Millisecond
			if tt.tries > 0 {
				wait = patience // so that only the rule, not the time, bounds the tries
			}
			addr, errs := proxyTo(t, wait, tt.resolve)
			var body io.Reader
			if tt.method == "POST" {
				body = strings.NewReader("body")
			}
			req, _ := http.NewRequest(tt.method, "http://"+addr, body)
			resp, err := plainClient(t).Do(req)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if err := receive(t, "error", errs); !errors.Is(err, tt.want) {
				t.Errorf("got %v", err)
			}
			if n := dropped.Load(); n != tt.tries {
				t.Errorf("sent %d times, want %d", n, tt.tries)
			}
		})
	}
}

func TestForwardRefusesForgedHops(t *testing.T) {
	addr, errs := proxyTo(t, 0, fixed("127.0.0.1:1"))
	for _, v := range []string{"3", "99", "-1", "x"} {
		req, _ := http.NewRequest(http.MethodGet, "http://"+addr, nil)
		req.Header.Set(ForwardedHeader, v)
		resp, err := plainClient(t).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if err := receive(t, "error", errs); !errors.Is(err, ErrLoop) {
			t.Errorf("%s: %v", v, err)
		}
	}
}

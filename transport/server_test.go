package transport

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
)

func slogTo(w io.Writer) *slog.Logger { return slog.New(slog.NewTextHandler(w, nil)) }

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	resp, err := plainClient(t).Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

func TestServerServesAndStops(t *testing.T) {
	s, addr := serveHTTP(t, HTTPConfig{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "ok")
	})})
	if code, body := get(t, "http://"+addr); code != 200 || body != "ok" {
		t.Errorf("%d %q", code, body)
	}
	shutdown(t, s)
	if c, err := net.Dial("tcp", addr); err == nil {
		c.Close()
		t.Error("still listening")
	}
	if len(s.Err()) != 0 {
		t.Errorf("shutdown counts as a failure: %v", <-s.Err())
	}
}

func TestServerNeverStarted(t *testing.T) {
	shutdown(t, NewHTTPServer(HTTPConfig{Handler: http.NotFoundHandler(), Logger: testLogger()}))
}

func TestServerReportsLostListener(t *testing.T) {
	ln := listen(t)
	s := NewHTTPServer(HTTPConfig{Handler: http.NotFoundHandler(), Logger: testLogger()})
	s.Start(ln)
	ln.Close()
	if err := receive(t, "error", s.Err()); !errors.Is(err, net.ErrClosed) {
		t.Errorf("got %v", err)
	}
	shutdown(t, s)
}

func TestServerBoundsBodies(t *testing.T) {
	_, addr := serveHTTP(t, HTTPConfig{MaxBodyBytes: 10, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, err := io.ReadAll(r.Body)
		var tooBig *http.MaxBytesError
		if errors.As(err, &tooBig) {
			w.WriteHeader(http.StatusRequestEntityTooLarge)
		}
	})})
	for size, want := range map[int]int{10: 200, 11: 413} {
		resp, err := plainClient(t).Post("http://"+addr, "text/plain", strings.NewReader(strings.Repeat("x", size)))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("%d bytes: status %d", size, resp.StatusCode)
		}
	}
}

func TestServerRefusesConnectionsOverTheLimit(t *testing.T) {
	hold := make(chan struct{})
	entered := make(chan struct{}, 2)
	_, addr := serveHTTP(t, HTTPConfig{MaxConns: 2, MaxConnsPerHost: 2, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		entered <- struct{}{}
		<-hold
	})})
	done := make(chan int, 2)
	client := plainClient(t)
	for range 2 {
		go func() {
			resp, err := client.Get("http://" + addr)
			if err != nil {
				done <- 0
				return
			}
			resp.Body.Close()
			done <- resp.StatusCode
		}()
		receive(t, "request", entered)
	}
	code, body := get(t, "http://"+addr)
	if code != 503 || !strings.Contains(body, "too_many_connections") {
		t.Errorf("%d %q", code, body)
	}
	close(hold)
	for range 2 {
		if code := receive(t, "answer", done); code != 200 {
			t.Errorf("admitted request got %d", code)
		}
	}
}

func TestConnSetIsFairBetweenHosts(t *testing.T) {
	set := newConnSet(4, 2)
	conn := func(host string) net.Conn { return fakeConn{addr: host + ":1", id: new(int)} }
	a1, a2 := conn("10.0.0.1"), conn("10.0.0.1")
	if !set.add(a1) || !set.add(a2) || set.add(conn("10.0.0.1")) {
		t.Error("one host may take two")
	}
	if !set.add(conn("10.0.0.2")) {
		t.Error("another host found no room")
	}
	set.remove(a1)
	set.remove(a1)
	if !set.add(conn("10.0.0.1")) || set.add(conn("10.0.0.1")) {
		t.Error("a closed connection was not counted off exactly once")
	}
}

type fakeConn struct {
	net.Conn
	addr string
	id   *int
}

func (c fakeConn) RemoteAddr() net.Addr { return fakeAddr(c.addr) }

type fakeAddr string

func (fakeAddr) Network() string  { return "tcp" }
func (a fakeAddr) String() string { return string(a) }

func TestShutdownEndsStreamsThatWatchClosing(t *testing.T) {
	entered := make(chan struct{})
	s, addr := serveHTTP(t, HTTPConfig{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(entered)
		<-Closing(r.Context())
		io.WriteString(w, "bye")
	})})
	answer := make(chan string, 1)
	go func() {
		_, body := get(t, "http://"+addr)
		answer <- body
	}()
	closes(t, "request", entered)
	shutdown(t, s)
	if got := receive(t, "answer", answer); got != "bye" {
		t.Errorf("got %q", got)
	}
}

func TestShutdownCutsOffStubbornHandlers(t *testing.T) {
	entered := make(chan struct{})
	s, addr := serveHTTP(t, HTTPConfig{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(entered)
		<-r.Context().Done()
	})})
	failed := make(chan error, 1)
	client := plainClient(t)
	go func() {
		resp, err := client.Get("http://" + addr)
		if err == nil {
			resp.Body.Close()
		}
		failed <- err
	}()
	closes(t, "request", entered)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Shutdown(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("shutdown: %v", err)
	}
	if err := receive(t, "end of the request", failed); err == nil {
		t.Error("request was answered")
	}
	s.stopErr = nil // for the cleanup
}

func TestServerMutualTLS(t *testing.T) {
	server, client := newAuthority(t).mutual(t)
	logs := &logBuffer{}
	_, addr := serveHTTP(t, HTTPConfig{TLS: server, Logger: slogTo(logs), Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, `{"peers":1}`)
	})})
	with := NewCaller(CallerConfig{TLS: client})
	defer with.Close()
	var out struct{ Peers int }
	if err := with.Call(t.Context(), addr, http.MethodGet, "/", nil, &out); err != nil || out.Peers != 1 {
		t.Errorf("%+v, %v", out, err)
	}
	bare := client.Clone()
	bare.Certificates = nil
	without := NewCaller(CallerConfig{TLS: bare})
	defer without.Close()
	if err := without.Call(t.Context(), addr, http.MethodGet, "/", nil, nil); err == nil {
		t.Error("a client without a certificate was served")
	}
	if bytes.Contains([]byte(logs.String()), []byte("handshake")) {
		t.Error("a single client's handshake is in the log")
	}
}

package transport

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// counter is a clock whose every reading is later than the one before.
func counter() func() int64 {
	var n atomic.Int64
	return func() int64 { return n.Add(1) }
}

// startPeer serves a watch on addr ("" picks a port).
func startPeer(t *testing.T, addr string, cfg PeerWatchConfig) (*HTTPServer, string) {
	t.Helper()
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET "+WatchPath, ServePeerWatch(cfg))
	s := NewHTTPServer(HTTPConfig{Handler: mux, Logger: testLogger()})
	s.Start(ln)
	t.Cleanup(func() { shutdown(t, s) })
	return s, ln.Addr().String()
}

func startWatch(t *testing.T, addr string, mod func(*WatchConfig)) <-chan PeerEvent {
	t.Helper()
	cfg := WatchConfig{Hello: Hello{Node: "watcher", Incarnation: 3}, Mono: counter(), Logger: testLogger(), MaxBackoff: 20 * time.Millisecond}
	if mod != nil {
		mod(&cfg)
	}
	ctx, cancel := context.WithCancel(context.Background())
	events := WatchPeer(ctx, addr, cfg)
	t.Cleanup(func() { cancel(); closes(t, "events", events) })
	return events
}

// expect receives an event of this kind and peer.
func expect(t *testing.T, events <-chan PeerEvent, kind PeerEventKind, incarnation uint64) PeerEvent {
	t.Helper()
	e := receive(t, kind.String(), events)
	if e.Kind != kind || e.Incarnation != incarnation {
		t.Fatalf("got %s of incarnation %d (%v), want %s of %d", e.Kind, e.Incarnation, e.Err, kind, incarnation)
	}
	return e
}

func TestWatchFollowsAPeer(t *testing.T) {
	s, addr := startPeer(t, "", PeerWatchConfig{Incarnation: 1})
	events := startWatch(t, addr, nil)
	up := expect(t, events, PeerConnected, 1)

	shutdown(t, s) // the process ends
	down := expect(t, events, PeerClosed, 1)
	refused := expect(t, events, PeerRefused, 1)
	if !errors.Is(refused.Err, syscall.ECONNREFUSED) {
		t.Errorf("refused with %v", refused.Err)
	}
	if up.At >= down.At || down.At >= refused.At {
		t.Errorf("instants are out of order: %d, %d, %d", up.At, down.At, refused.At)
	}

	_, _ = startPeer(t, addr, PeerWatchConfig{Incarnation: 2}) // and the next one starts
	expect(t, events, PeerConnected, 2)
}

func TestWatchReportsOneRefusalPerOutage(t *testing.T) {
	addr := deadAddr(t)
	tries := make(lineSignal, 64)
	events := startWatch(t, addr, func(c *WatchConfig) {
		c.Logger = slog.New(slog.NewTextHandler(tries, &slog.HandlerOptions{Level: slog.LevelDebug}))
		c.MaxBackoff = time.Millisecond
	})
	expect(t, events, PeerRefused, 0)
	for range 5 {
		receive(t, "another refused try", tries)
	}
	_, _ = startPeer(t, addr, PeerWatchConfig{Incarnation: 5})
	expect(t, events, PeerConnected, 5)
}

// lineSignal is a log that only tells that there was a line.
type lineSignal chan struct{}

func (s lineSignal) Write(p []byte) (int, error) {
	select {
	case s <- struct{}{}:
	default:
	}
	return len(p), nil
}

// A connection that is cut says nothing of the process: the peer is there at
// the next try, without a pause and without a refusal.
func TestWatchReconnectsAtOnceAfterAReset(t *testing.T) {
	_, peer := startPeer(t, "", PeerWatchConfig{Incarnation: 8})
	cut := make(chan struct{})
	addr := resettingProxy(t, peer, cut)
	events := startWatch(t, addr, func(c *WatchConfig) { c.MinBackoff, c.MaxBackoff = time.Hour, time.Hour })
	for range 3 {
		expect(t, events, PeerConnected, 8)
		cut <- struct{}{}
		expect(t, events, PeerClosed, 8)
	}
	expect(t, events, PeerConnected, 8)
}

// resettingProxy passes connections on and resets the one that stands whenever
// cut says so.
func resettingProxy(t *testing.T, peer string, cut <-chan struct{}) string {
	t.Helper()
	ln := listen(t)
	done := make(chan struct{})
	stop := make(chan struct{})
	go func() {
		defer close(done)
		for {
			in, err := ln.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", peer)
			if err != nil {
				in.Close()
				continue
			}
			copied := make(chan struct{}, 2)
			go func() { io.Copy(out, in); copied <- struct{}{} }()
			go func() { io.Copy(in, out); copied <- struct{}{} }()
			select {
			case <-cut:
			case <-stop:
			}
			in.(*net.TCPConn).SetLinger(0)
			in.Close()
			out.Close()
			<-copied
			<-copied
		}
	}()
	t.Cleanup(func() { close(stop); ln.Close(); <-done })
	return ln.Addr().String()
}

func TestWatchNoticesSilence(t *testing.T) {
	_, addr := startPeer(t, "", PeerWatchConfig{Incarnation: 4, Interval: time.Hour})
	events := startWatch(t, addr, func(c *WatchConfig) { c.Silence = 50 * time.Millisecond })
	expect(t, events, PeerConnected, 4)
	e := expect(t, events, PeerClosed, 4)
	var ne net.Error
	if !errors.As(e.Err, &ne) || !ne.Timeout() {
		t.Errorf("closed with %v", e.Err)
	}
}

func TestWatchIsKeptAliveByBeats(t *testing.T) {
	const interval, silence = 10 * time.Millisecond, 500 * time.Millisecond
	beats := make(chan struct{}, 1)
	peer := ServePeerWatch(PeerWatchConfig{Incarnation: 4, Interval: interval})
	_, addr := serveHTTP(t, HTTPConfig{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		peer.ServeHTTP(&beatCounter{w, beats}, r)
	})})
	events := startWatch(t, addr, func(c *WatchConfig) { c.Silence = silence })
	expect(t, events, PeerConnected, 4)
	for range 2 * silence / interval {
		receive(t, "beat", beats)
	}
	if len(events) != 0 {
		e := <-events
		t.Errorf("%s: %v", e.Kind, e.Err)
	}
}

// beatCounter signals every write.
type beatCounter struct {
	http.ResponseWriter
	beats chan struct{}
}

func (w *beatCounter) Write(p []byte) (int, error) {
	select {
	case w.beats <- struct{}{}:
	default:
	}
	return w.ResponseWriter.Write(p)
}

func (w *beatCounter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func TestWatchIgnoresWhoIsNoPeer(t *testing.T) {
	var asked atomic.Int64
	seen := make(chan struct{})
	_, addr := serveHTTP(t, HTTPConfig{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch asked.Add(1) {
		case 1:
			w.WriteHeader(http.StatusNotFound)
		case 2:
			w.Header().Set(IncarnationHeader, "none")
		case 3:
			w.Header().Set(IncarnationHeader, "0")
		case 4:
			close(seen)
		}
	})})
	events := startWatch(t, addr, nil)
	closes(t, "four tries", seen)
	select {
	case e := <-events:
		t.Errorf("%s: %v", e.Kind, e.Err)
	default:
	}
}

func TestPeerKnowsItsWatchers(t *testing.T) {
	type seen struct {
		Hello Hello
		Open  bool
	}
	hellos := make(chan seen, 4)
	_, addr := startPeer(t, "", PeerWatchConfig{Incarnation: 1, Interval: 10 * time.Millisecond, OnHello: func(h Hello, open bool) { hellos <- seen{h, open} }})
	ctx, cancel := context.WithCancel(t.Context())
	events := WatchPeer(ctx, addr, WatchConfig{Hello: Hello{Node: "n1", Incarnation: 42}, Mono: counter(), Logger: testLogger()})
	expect(t, events, PeerConnected, 1)
	want := Hello{Node: "n1", Incarnation: 42}
	if diff := cmp.Diff(seen{want, true}, receive(t, "hello", hellos)); diff != "" {
		t.Error(diff)
	}
	cancel()
	closes(t, "events", events)
	if diff := cmp.Diff(seen{want, false}, receive(t, "goodbye", hellos)); diff != "" {
		t.Error(diff)
	}
}

// TestWatchTakesAnotherNodeForARefusal: a node came back within milliseconds
// with an empty disk, as another one, and nobody saw the port closed.
func TestWatchTakesAnotherNodeForARefusal(t *testing.T) {
	s, addr := startPeer(t, "", PeerWatchConfig{Identity: "old", Incarnation: 5})
	events := startWatch(t, addr, func(cfg *WatchConfig) { cfg.Peer, cfg.MinBackoff = "old", time.Hour })
	expect(t, events, PeerConnected, 5)
	shutdown(t, s)
	expect(t, events, PeerClosed, 5)
	// Whether the port is seen closed or taken, it is said once.
	_, _ = startPeer(t, addr, PeerWatchConfig{Identity: "new", Incarnation: 1})
	expect(t, events, PeerRefused, 5)

	strange := startWatch(t, addr, func(cfg *WatchConfig) { cfg.Peer = "old" })
	expect(t, strange, PeerRefused, 0)
}

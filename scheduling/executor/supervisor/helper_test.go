package supervisor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/rota-scheduler/rota/scheduling/executor/proc"
)

// patience is how long a test waits for what must happen.
const patience = 15 * time.Second

// TestMain lets the test binary play a supervisor, and the agent that it starts.
func TestMain(m *testing.M) {
	dir := os.Getenv("SUPERVISOR_TEST_DIR")
	switch {
	case Supervised():
		os.Exit(playAgent(dir))
	case dir != "":
		os.Exit(playSupervisor(dir))
	}
	os.Exit(m.Run())
}

func eventually(t testing.TB, what string, cond func() bool) {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !cond() {
		select {
		case <-deadline.C:
			t.Fatalf("never happened: %s", what)
		case <-tick.C:
		}
	}
}

// pair is a session over a Manager in this process, and a client of it.
type pair struct {
	*Client
	t       testing.TB
	manager *proc.Manager
	session *session
	results chan proc.Result
	lost    chan error
	ending  chan struct{}
	ended   sync.Once
}

// sockets returns a connected pair of stream sockets.
func sockets(t testing.TB) (ours, agents net.Conn) {
	t.Helper()
	ours, f, err := newSockets()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if agents, err = net.FileConn(f); err != nil {
		t.Fatal(err)
	}
	return ours, agents
}

// newSession returns a session over a fresh Manager; at the end of the test
// nothing of either is left.
func newSession(t testing.TB, stopAfter time.Duration) (*pair, net.Conn) {
	t.Helper()
	ignore := goleak.IgnoreCurrent()
	p := &pair{
		t: t, results: make(chan proc.Result, 4096), lost: make(chan error, 1), ending: make(chan struct{}, 8),
	}
	var err error
	p.manager, err = proc.New(t.Context(), proc.Options{
		Dir: t.TempDir(), StopAfter: stopAfter, OnEnd: func(r proc.Result) { p.session.ended(r) },
	})
	if err != nil {
		t.Fatal(err)
	}
	ours, agents := sockets(t)
	p.session = &session{
		conn: ours, jobs: p.manager, log: testLog(t), host: Host{Version: Version, DataDir: "/data", StopAfter: stopAfter},
		onReady: func() {}, onEnding: func() { p.ending <- struct{}{} },
	}
	p.session.begin()
	t.Cleanup(func() {
		p.endSession()
		ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
		defer cancel()
		if err := p.manager.Close(ctx); err != nil {
			t.Error(err)
		}
		goleak.VerifyNone(t, ignore)
	})
	return p, agents
}

func (p *pair) endSession() { p.ended.Do(p.session.end) }

func newPair(t testing.TB, stopAfter time.Duration) *pair {
	t.Helper()
	p, conn := newSession(t, stopAfter)
	var err error
	p.Client, err = NewClient(t.Context(), conn, Options{
		Logger: testLog(t), OnLost: func(err error) { p.lost <- err },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Disconnect)
	p.Deliver(func(r proc.Result) { p.results <- r })
	return p
}

func (p *pair) result() proc.Result {
	p.t.Helper()
	select {
	case r := <-p.results:
		return r
	case <-time.After(patience):
		p.t.Fatal("no result")
		return proc.Result{}
	}
}

func testLog(t testing.TB) *slog.Logger {
	if testing.Verbose() {
		return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	return slog.New(slog.DiscardHandler)
}

func shell(id, script string) proc.StartRequest {
	return proc.StartRequest{ID: id, Argv: []string{"/bin/sh", "-c", script}, Env: []string{"PATH=/bin:/usr/bin"}}
}

// openFDs counts this process's descriptors but those of the control groups that are
// kept for the next attempts.
func openFDs(t testing.TB) (n int) {
	t.Helper()
	names, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if path, _ := os.Readlink("/proc/self/fd/" + name.Name()); !strings.Contains(path, "/plain/") {
			n++
		}
	}
	return n
}

// alive says whether a process is there and not a zombie.
func alive(pid int) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(b), ") ")
	return !strings.HasPrefix(rest, "Z") && !strings.HasPrefix(rest, "X")
}

// lines returns the complete lines of a file, none if it is not there.
func lines(t testing.TB, path string) []string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	text, _, found := cutLast(string(b))
	if !found {
		return nil
	}
	return strings.Split(text, "\n")
}

func cutLast(s string) (before, after string, found bool) {
	i := strings.LastIndexByte(s, '\n')
	if i < 0 {
		return "", s, false
	}
	return s[:i], s[i+1:], true
}

func appendLine(dir, name, line string) error {
	f, err := os.OpenFile(filepath.Join(dir, name), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.WriteString(f, line+"\n")
	return err
}

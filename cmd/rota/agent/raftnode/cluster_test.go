package raftnode

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/raft"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// listFSM keeps what was applied, each command once, so that tests may send
// again what an election left in doubt.
type listFSM struct {
	mu    sync.Mutex
	items []string
}

func (f *listFSM) Apply(l *raft.Log) any {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !slices.Contains(f.items, string(l.Data)) {
		f.items = append(f.items, string(l.Data))
	}
	return len(f.items)
}

func (f *listFSM) list() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]string(nil), f.items...)
}

func (f *listFSM) Snapshot() (raft.FSMSnapshot, error) { return listSnapshot(f.list()), nil }

func (f *listFSM) Restore(r io.ReadCloser) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.items = nil
	return json.NewDecoder(r).Decode(&f.items)
}

type listSnapshot []string

func (s listSnapshot) Persist(sink raft.SnapshotSink) error {
	if err := json.NewEncoder(sink).Encode([]string(s)); err != nil {
		return errors.Join(err, sink.Cancel())
	}
	return sink.Close()
}

func (listSnapshot) Release() {}

// tcpStream is a stream layer that closes what it accepted.
type tcpStream struct {
	net.Listener
	mu    sync.Mutex
	conns []net.Conn
}

func (s *tcpStream) Accept() (net.Conn, error) {
	c, err := s.Listener.Accept()
	if err == nil {
		s.mu.Lock()
		s.conns = append(s.conns, c)
		s.mu.Unlock()
	}
	return c, err
}

func (s *tcpStream) Dial(a raft.ServerAddress, timeout time.Duration) (net.Conn, error) {
	return net.DialTimeout("tcp", string(a), timeout)
}

func (s *tcpStream) Close() error {
	err := s.Listener.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.conns {
		c.Close()
	}
	return err
}

// member is one node of a test cluster, and what is needed to start it again.
type member struct {
	*Node
	id, dir, addr string
	fsm           *listFSM
	fatal         chan error
	mod           func(*Config)
}

func testLogger(t *testing.T) *slog.Logger {
	t.Helper()
	return slog.New(slog.NewTextHandler(io.Discard, nil))
}

// tempDir is in memory where that is possible: most tests are not about disks.
func tempDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "raftnode")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func newMember(t *testing.T, id string) *member {
	t.Helper()
	m := &member{id: id, dir: tempDir(t), fatal: make(chan error, 1)}
	t.Cleanup(func() { m.stop(t) })
	return m
}

func (m *member) config(t *testing.T) Config {
	t.Helper()
	addr := m.addr
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	m.addr = ln.Addr().String()
	m.fsm = &listFSM{}
	fast := FastTimings()
	cfg := Config{
		ID: m.id, DataDir: m.dir, FSM: m.fsm, Logger: testLogger(t), Timings: &fast,
		Transport: NewTransport(&tcpStream{Listener: ln}, testLogger(t), 0),
		OnFatal:   func(err error) { m.fatal <- err },
	}
	if m.mod != nil {
		m.mod(&cfg)
	}
	return cfg
}

func (m *member) start(t *testing.T) {
	t.Helper()
	n, err := Open(m.config(t))
	if err != nil {
		t.Fatal(err)
	}
	m.Node = n
}

func (m *member) stop(t *testing.T) {
	t.Helper()
	if m.Node == nil {
		return
	}
	if err := m.Shutdown(context.Background()); err != nil {
		t.Errorf("shutdown of %s: %v", m.id, err)
	}
	m.Node = nil
}

type cluster []*member

func startCluster(t *testing.T, size int, mod func(*Config)) cluster {
	t.Helper()
	var c cluster
	var servers []raft.Server
	for i := range size {
		m := newMember(t, fmt.Sprintf("node-%d", i))
		m.mod = mod
		m.start(t)
		c = append(c, m)
		servers = append(servers, raft.Server{ID: raft.ServerID(m.id), Address: raft.ServerAddress(m.addr)})
	}
	if err := c[0].Bootstrap(t.Context(), servers); err != nil {
		t.Fatal(err)
	}
	return c
}

// eventually polls a condition that has no channel to wait on.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.NewTimer(15 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("never happened: %s", what)
		}
	}
}

func (c cluster) leader(t *testing.T) *member {
	t.Helper()
	var leader *member
	eventually(t, "a leader", func() bool {
		for _, m := range c {
			if m.Node != nil && m.IsLeader() && m.VerifyLeader(t.Context()) == nil {
				leader = m
				return true
			}
		}
		return false
	})
	return leader
}

// apply retries across elections.
func (c cluster) apply(t *testing.T, cmd string) Applied {
	t.Helper()
	var a Applied
	eventually(t, "apply "+cmd, func() bool {
		var err error
		a, err = c.leader(t).Apply(t.Context(), []byte(cmd))
		if err != nil && !errors.Is(err, ErrNotApplied) && !errors.Is(err, ErrUnknownFate) {
			t.Fatalf("apply: %v", err)
		}
		return err == nil
	})
	return a
}

func (c cluster) converge(t *testing.T, want int) {
	t.Helper()
	for _, m := range c {
		if m.Node == nil {
			continue
		}
		eventually(t, fmt.Sprintf("%s has %d items", m.id, want), func() bool { return len(m.fsm.list()) == want })
	}
}

package membership

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	autopilot "github.com/hashicorp/raft-autopilot"
)

// nullFSM keeps nothing: these tests are about the configuration.
type nullFSM struct{}

func (nullFSM) Apply(*raft.Log) any                 { return nil }
func (nullFSM) Snapshot() (raft.FSMSnapshot, error) { return nil, errors.New("no snapshots here") }
func (nullFSM) Restore(rc io.ReadCloser) error      { return rc.Close() }

// lab is a set of raft nodes in memory and a hand-made member list.
type lab struct {
	t      *testing.T
	table  *table
	mu     sync.Mutex
	rafts  map[raft.ServerID]*raft.Raft
	links  map[raft.ServerID]*raft.InmemTransport
	config raft.Config
}

func newLab(t *testing.T) *lab {
	config := raft.DefaultConfig()
	config.Logger = hclog.NewNullLogger()
	return &lab{
		t: t, table: newTable(24 * time.Hour), config: *config,
		rafts: make(map[raft.ServerID]*raft.Raft), links: make(map[raft.ServerID]*raft.InmemTransport),
	}
}

// Watch makes the lab a MemberSource.
func (l *lab) Watch() ([]Member, <-chan struct{}) { return l.table.snapshot() }

func (l *lab) say(m Member, status Status) {
	l.table.mu.Lock()
	defer l.table.mu.Unlock()
	m.Status, m.Since = status, time.Now()
	l.table.members[m.ID] = m
	l.table.notify()
}

// add starts a raft node with an empty log at the member's address.
func (l *lab) add(m Member) *raft.Raft {
	l.t.Helper()
	config := l.config
	config.LocalID = raft.ServerID(m.ID)
	_, link := raft.NewInmemTransportWithTimeout(raft.ServerAddress(m.RaftAddr), 100*time.Millisecond)
	store := raft.NewInmemStore()
	l.mu.Lock()
	defer l.mu.Unlock()
	for id, other := range l.links {
		if other.LocalAddr() == link.LocalAddr() {
			delete(l.links, id)
		}
	}
	for _, other := range l.links {
		other.Connect(link.LocalAddr(), link)
		link.Connect(other.LocalAddr(), other)
	}
	node, err := raft.NewRaft(&config, nullFSM{}, store, store, raft.NewInmemSnapshotStore(), link)
	if err != nil {
		l.t.Fatal(err)
	}
	l.rafts[config.LocalID], l.links[config.LocalID] = node, link
	l.say(m, StatusAlive)
	return node
}

// kill stops a node and lets gossip notice.
func (l *lab) kill(m Member, status Status) {
	l.t.Helper()
	id := raft.ServerID(m.ID)
	l.mu.Lock()
	node, link := l.rafts[id], l.links[id]
	delete(l.rafts, id)
	delete(l.links, id)
	for _, other := range l.links {
		other.Disconnect(link.LocalAddr())
	}
	l.mu.Unlock()
	if err := node.Shutdown().Error(); err != nil {
		l.t.Error(err)
	}
	l.say(m, status)
}

// stats answers as the nodes' HTTP endpoints would.
func (l *lab) stats(_ context.Context, servers map[raft.ServerID]*autopilot.Server) map[raft.ServerID]*autopilot.ServerStats {
	l.mu.Lock()
	defer l.mu.Unlock()
	answers := make(map[raft.ServerID]*autopilot.ServerStats)
	for id := range servers {
		if node := l.rafts[id]; node != nil {
			if s, err := LocalStats(node); err == nil {
				answers[id] = &s
			}
		}
	}
	return answers
}

// layout renders the configuration: "1 2 3 +4" is three voters and a non-voter.
func layout(t *testing.T, leader *raft.Raft) string {
	t.Helper()
	config := leader.GetConfiguration()
	if err := config.Error(); err != nil {
		t.Fatal(err)
	}
	var parts []string
	for _, s := range config.Configuration().Servers {
		n := strings.TrimLeft(string(s.ID[len(s.ID)-12:]), "0")
		if s.Suffrage == raft.Nonvoter {
			n = "+" + n
		}
		parts = append(parts, n)
	}
	slices.SortFunc(parts, func(a, b string) int { return strings.Compare(strings.TrimLeft(a, "+"), strings.TrimLeft(b, "+")) })
	return strings.Join(parts, " ")
}

func countVoters(layout string) (voters, nonvoters int) {
	for _, part := range strings.Fields(layout) {
		if strings.HasPrefix(part, "+") {
			nonvoters++
		} else {
			voters++
		}
	}
	return voters, nonvoters
}

// found starts one leader, and a reconciler on it that the test's end stops.
func (l *lab) found(m Member) (leader *raft.Raft, stop func()) {
	l.t.Helper()
	leader = l.add(m)
	if err := leader.BootstrapCluster(votersOf([]Member{m})).Error(); err != nil {
		l.t.Fatal(err)
	}
	for !<-leader.LeaderCh() {
	}
	r, err := NewReconciler(ReconcilerConfig{
		Raft: leader, LocalID: raft.ServerID(m.ID), Members: l, Stats: l.stats, Logger: testLogger(l.t),
	})
	if err != nil {
		l.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	return leader, func() {
		cancel()
		if err := <-done; err != nil {
			l.t.Error(err)
		}
	}
}

func (l *lab) close() {
	for _, node := range l.rafts {
		if err := node.Shutdown().Error(); err != nil {
			l.t.Error(err)
		}
	}
	time.Sleep(time.Minute) // virtual: replication in flight runs out
}

package agent

import (
	"bytes"
	"context"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/rota-scheduler/rota/scheduling"
	"github.com/rota-scheduler/rota/transport/api"
)

const (
	// measureEvery is how often a node looks at its own load: the kernel's
	// average changes every five seconds.
	measureEvery = 2 * time.Second
	// loadsTimeout bounds asking the leader for what it knows of the nodes.
	loadsTimeout = 500 * time.Millisecond
)

// pathLoads is where the leader says what it knows of the nodes' loads.
const pathLoads = "/v1/internal/loads"

// meter measures this machine. Heartbeats may be under way while a stop sends the
// last one, so its methods may be called concurrently.
type meter struct {
	mu   sync.Mutex
	at   int64
	load scheduling.Load
}

// read returns the load of the machine as of at most two seconds ago.
func (m *meter) read(mono int64) scheduling.Load {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.at == 0 || mono-m.at >= int64(measureEvery) {
		m.at, m.load = mono, measure()
	}
	return m.load
}

// measure reads the machine's load; what the system does not tell stays 0.
func measure() scheduling.Load {
	l := scheduling.Load{Cores: runtime.NumCPU()}
	if text, err := os.ReadFile("/proc/loadavg"); err == nil {
		first, _, _ := strings.Cut(string(text), " ")
		l.Average, _ = strconv.ParseFloat(first, 64)
	}
	l.MemoryTotal, l.MemoryAvailable = memory()
	return l
}

// memory reads how much memory there is, and how much of it programs could get.
func memory() (total, available int64) {
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0, 0
	}
	for line := range bytes.Lines(text) {
		fields := bytes.Fields(line)
		if len(fields) < 2 {
			continue
		}
		kib, err := strconv.ParseInt(string(fields[1]), 10, 64)
		switch {
		case err != nil:
		case string(fields[0]) == "MemTotal:":
			total = kib << 10
		case string(fields[0]) == "MemAvailable:":
			available = kib << 10
		}
	}
	return total, available
}

// loads holds what the nodes said of their load in the last heartbeats. Its
// methods may be called concurrently.
type loads struct {
	mu    sync.Mutex
	nodes map[string]heardLoad
}

type heardLoad struct {
	scheduling.Load
	at int64
}

// forgetLoad is how long a node's word on its load counts.
const forgetLoad = 10 * time.Second

func (l *loads) note(node string, load scheduling.Load, mono int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.nodes == nil {
		l.nodes = map[string]heardLoad{}
	}
	l.nodes[node] = heardLoad{load, mono}
}

func (l *loads) of(node string, mono int64) (scheduling.Load, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	heard, ok := l.nodes[node]
	return heard.Load, ok && mono-heard.at < int64(forgetLoad)
}

// all returns every load that counts, and forgets the others.
func (l *loads) all(mono int64) map[string]api.NodeLoad {
	l.mu.Lock()
	defer l.mu.Unlock()
	found := map[string]api.NodeLoad{}
	for id, heard := range l.nodes {
		if mono-heard.at >= int64(forgetLoad) {
			delete(l.nodes, id)
			continue
		}
		found[id] = api.NodeLoad(heard.Load)
	}
	return found
}

// Loads holds, by node ID, the loads that the leader has heard of. It is empty when
// there is no leader to ask.
func (a *Agent) Loads(ctx context.Context) map[string]api.NodeLoad {
	ctx, cancel := context.WithTimeout(ctx, loadsTimeout)
	defer cancel()
	var found map[string]api.NodeLoad
	if a.IsLeader() {
		return a.loads.all(a.clock.Mono())
	}
	leader, ok := a.Leader()
	if !ok || leader.ID == a.self.ID || a.caller.Call(ctx, leader.HTTP, http.MethodGet, pathLoads, nil, &found) != nil {
		return nil
	}
	return found
}

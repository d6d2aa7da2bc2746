package chaos

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/go-msgpack/v2/codec"

	"github.com/rota-scheduler/rota/test/cluster"
)

const (
	garbageFrames  = 100_000
	garbageWorkers = 4 // for each port of each node
	framesOfOne    = 10
	idleConns      = 1000
	idleFor        = 15 * time.Second
	// mostGrowth bounds by how much the memory of an agent may grow meanwhile.
	mostGrowth = 200 << 20
)

// port is one that a node listens on, and what to send there to get past the
// first check.
type port struct {
	network string
	offset  int
	begin   func(r *rand.Rand) []byte
}

// ports of a node, as offsets from that of HTTP.
func ports() []port {
	return []port{
		{"tcp", 0, httpBegin}, {"tcp", 1, raftBegin}, {"tcp", 2, gossipBegin}, {"udp", 2, datagramBegin},
	}
}

func httpBegin(r *rand.Rand) []byte {
	paths := []string{"/v1/jobs", "/v1/internal/heartbeat", "/v1/internal/reports", "/v1/runs/x/logs", "/metrics", "/../../etc/passwd"}
	return fmt.Appendf(nil, "%s %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n",
		[]string{"GET", "PUT", "POST", "DELETE", "\x00"}[r.IntN(5)], paths[r.IntN(len(paths))], r.Int64N(1<<40))
}

// raftBegin is raft's preface and the number of a call.
func raftBegin(r *rand.Rand) []byte { return append([]byte("rota-raft/1\n"), byte(r.IntN(8))) }

// gossipBegin is a message of memberlist; one of its kinds claims to bring a
// million nodes.
func gossipBegin(r *rand.Rand) []byte {
	const pushPull, kinds = 6, 16
	kind := byte(r.IntN(kinds))
	if kind != pushPull {
		return []byte{kind}
	}
	var body []byte
	claim := map[string]any{"Nodes": 1 << r.IntN(24), "UserStateLen": 1 << r.IntN(32), "Join": true}
	if err := codec.NewEncoderBytes(&body, &codec.MsgpackHandle{}).Encode(claim); err != nil {
		panic(err) // three plain values
	}
	return append([]byte{pushPull}, body...)
}

// datagramBegin is a message of memberlist, perhaps with the right checksum's
// place, perhaps compressed.
func datagramBegin(r *rand.Rand) []byte {
	return binary.BigEndian.AppendUint32([]byte{byte(r.IntN(16))}, r.Uint32())
}

// frame is a beginning, half of the time, and noise.
func (p port) frame(r *rand.Rand) []byte {
	var b []byte
	if r.IntN(2) == 0 {
		b = p.begin(r)
	}
	for range r.IntN(1200) + 1 {
		b = append(b, byte(r.Uint32()))
	}
	return b
}

// garbage: a hundred thousand frames of noise arrive at every port of every node.
func garbage(t *testing.T, r *rand.Rand) {
	w := newWorld(t, r, cluster.Options{})
	leader := w.c.Leader()
	memory := w.watchMemory()
	var sent atomic.Int64
	w.trouble(fmt.Sprintf("%d frames of garbage", garbageFrames), 0, func() {
		began := time.Now()
		var senders sync.WaitGroup
		share := garbageFrames / (len(w.c.Nodes) * len(ports()) * garbageWorkers)
		for _, n := range w.c.Nodes {
			for _, p := range ports() {
				for range garbageWorkers {
					own := fork(r)
					senders.Go(func() { sent.Add(int64(p.pour(own, n, share+1))) })
				}
			}
		}
		senders.Wait()
		w.t.Logf("  %d frames in %s", sent.Load(), time.Since(began).Round(time.Millisecond))
	}, func() {})
	if sent.Load() < garbageFrames {
		t.Errorf("%d frames were sent, want %d", sent.Load(), garbageFrames)
	}
	memory.judge()
	w.noTraces()
	t.Logf("  the leader was %s and is %s", leader.Name, w.c.Leader().Name)
	w.judge()
}

// pour sends frames, some over each connection, and returns how many it sent.
func (p port) pour(r *rand.Rand, n *cluster.Node, frames int) int {
	sent := 0
	for tries := 0; sent < frames && tries < 4*frames; tries++ {
		conn, err := net.DialTimeout(p.network, p.of(n), callWithin)
		if err != nil {
			continue // too many connections, perhaps
		}
		_ = conn.SetDeadline(time.Now().Add(callWithin)) // it has just been made
		for range framesOfOne {
			if _, err := conn.Write(p.frame(r)); err != nil {
				break // closed: what else
			}
			sent++
		}
		conn.Close()
	}
	return sent
}

// of returns the port's address on a node.
func (p port) of(n *cluster.Node) string {
	host, first, err := net.SplitHostPort(strings.TrimPrefix(n.Client().Addr(), "http://"))
	if err != nil {
		panic(err) // the client has checked it
	}
	number, err := strconv.Atoi(first)
	if err != nil {
		panic(err)
	}
	return net.JoinHostPort(host, strconv.Itoa(number+p.offset))
}

// idle: a thousand connections to the leader's ports that say nothing.
func idle(t *testing.T, r *rand.Rand) {
	w := newWorld(t, r, cluster.Options{})
	n := w.c.Leader()
	memory := w.watchMemory()
	var conns []net.Conn
	w.trouble(fmt.Sprintf("%d idle connections to leader %s", idleConns, n.Name), idleFor, func() {
		for i := range idleConns {
			p := ports()[i%3] // not the datagrams
			conn, err := net.DialTimeout(p.network, p.of(n), callWithin)
			if err != nil {
				t.Errorf("connection %d: %v", i, err)
				return
			}
			conns = append(conns, conn)
		}
	}, func() {
		for _, conn := range conns {
			conn.Close()
		}
	})
	memory.judge()
	w.noTraces()
	t.Logf("  the leader was %s and is %s", n.Name, w.c.Leader().Name)
	w.judge()
}

// noTraces: no node has shown a stack trace, and every agent is the one that it
// was.
func (w *world) noTraces() {
	w.t.Helper()
	for _, n := range w.c.Nodes {
		w.saidWithout(n, "agent started")
		if lives := strings.Count(n.Log(), "agent started"); lives != 1 {
			w.t.Errorf("the agent of %s was started %d times", n.Name, lives)
		}
	}
}

// memory is what the agents take.
type memory struct {
	w       *world
	before  []int
	most    []int
	stop    chan struct{}
	stopped sync.WaitGroup
}

// watchMemory looks at the agents' memory until judge.
func (w *world) watchMemory() *memory {
	m := &memory{w: w, before: w.resident(), stop: make(chan struct{})}
	m.most = append(m.most, m.before...)
	m.stopped.Go(func() {
		tick := time.NewTicker(askEvery)
		defer tick.Stop()
		for {
			select {
			case <-m.stop:
				return
			case <-tick.C:
				for i, size := range w.resident() {
					m.most[i] = max(m.most[i], size)
				}
			}
		}
	})
	return m
}

func (m *memory) judge() {
	m.w.t.Helper()
	close(m.stop)
	m.stopped.Wait()
	for i, n := range m.w.c.Nodes {
		m.w.t.Logf("  agent of %s: %d MiB before, %d MiB at most", n.Name, m.before[i]>>20, m.most[i]>>20)
		if m.most[i]-m.before[i] > mostGrowth {
			m.w.t.Errorf("the agent of %s grew by %d MiB", n.Name, (m.most[i]-m.before[i])>>20)
		}
	}
}

// resident returns the memory of each agent, in bytes; 0 for one that is down.
func (w *world) resident() []int {
	var all []int
	for _, n := range w.c.Nodes {
		pages := 0
		if text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", n.AgentPID())); err == nil {
			if fields := strings.Fields(string(text)); len(fields) > 1 {
				pages, _ = strconv.Atoi(fields[1]) // the kernel writes numbers
			}
		}
		all = append(all, pages*os.Getpagesize())
	}
	return all
}

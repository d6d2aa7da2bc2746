package membership

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
)

const testPort = 17702 // the same on every address, as in production

func fastTiming() Timing {
	return Timing{
		ProbeInterval: 100 * time.Millisecond, ProbeTimeout: 50 * time.Millisecond, SuspicionMult: 2,
		GossipInterval: 20 * time.Millisecond, PushPullInterval: 500 * time.Millisecond, TCPTimeout: time.Second,
		JoinRetryMin: 20 * time.Millisecond, JoinRetryMax: 200 * time.Millisecond, RejoinInterval: 200 * time.Millisecond,
		ReclaimAfter: 200 * time.Millisecond,
	}
}

// node describes a node on 127.0.0.<host> that joins three hosts, itself among
// them as the documentation advises.
func node(t *testing.T, name string, host int) Config {
	ip := fmt.Sprintf("127.0.0.%d", host)
	return Config{
		NodeID: uuid.NewString(), Name: name, Incarnation: 1,
		BindAddr: ip, BindPort: testPort,
		Attributes: Attributes{HTTPAddr: ip + ":7700", RaftAddr: ip + ":7701"},
		Join:       []string{"127.0.0.31", "127.0.0.32", fmt.Sprintf("127.0.0.33:%d", testPort)},
		Timing:     fastTiming(),
		Logger:     testLogger(t),
	}
}

func launch(t *testing.T, cfg Config) *Gossip {
	t.Helper()
	g, err := Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := g.Shutdown(); err != nil {
			t.Error(err)
		}
	})
	return g
}

func TestThreeNodesOnOnePortFormACluster(t *testing.T) {
	cfgs := []Config{node(t, "a", 31), node(t, "b", 32), node(t, "c", 33)}
	cfgs[0].Attributes.Labels = map[string]string{"disk": "ssd"}
	var nodes []*Gossip
	for _, cfg := range cfgs {
		nodes = append(nodes, launch(t, cfg))
	}
	for _, g := range nodes {
		members := awaitMembers(t, g, "three alive", allAlive("a", "b", "c"))
		for i, m := range members {
			if want := fmt.Sprintf("%s:%d", cfgs[i].BindAddr, testPort); m.Addr != want || m.IP().String() != cfgs[i].BindAddr {
				t.Errorf("%s is at %s, want %s", m.Name, m.Addr, want)
			}
			if m.ID != cfgs[i].NodeID || m.RaftAddr != cfgs[i].Attributes.RaftAddr || m.Incarnation != 1 {
				t.Errorf("member = %+v, want what %s announced", m, cfgs[i].Name)
			}
		}
		if members[0].Labels["disk"] != "ssd" {
			t.Errorf("labels = %v", members[0].Labels)
		}
		if len(g.Conflicts()) != 0 {
			t.Errorf("conflicts = %v", g.Conflicts())
		}
	}
	for _, seed := range nodes[0].seeds {
		if strings.HasPrefix(seed, "127.0.0.31") {
			t.Errorf("joins itself: %v", nodes[0].seeds)
		}
	}
	metaTravels(t, nodes)
	failureRestartAndLeave(t, nodes, cfgs)
}

func metaTravels(t *testing.T, nodes []*Gossip) {
	t.Helper()
	err := nodes[1].UpdateMeta(t.Context(), func(a *Attributes) { a.Capacity, a.Bootstrapped = 7, true })
	if err != nil {
		t.Fatal(err)
	}
	awaitMembers(t, nodes[2], "new metadata", func(ms []Member) bool {
		return len(ms) == 3 && ms[1].Capacity == 7 && ms[1].Bootstrapped
	})
	err = nodes[1].UpdateMeta(t.Context(), func(a *Attributes) { a.Zone = strings.Repeat("z", 600) })
	if !errors.Is(err, ErrMetaTooLarge) {
		t.Fatalf("oversize update: error = %v, want %v", err, ErrMetaTooLarge)
	}
	if err := nodes[1].UpdateMeta(t.Context(), func(a *Attributes) { a.Region = "r1" }); err != nil {
		t.Fatal(err)
	}
	awaitMembers(t, nodes[0], "metadata after a refused update", func(ms []Member) bool {
		return len(ms) == 3 && ms[1].Region == "r1" && ms[1].Zone == "" && ms[1].Capacity == 7
	})
}

func failureRestartAndLeave(t *testing.T, nodes []*Gossip, cfgs []Config) {
	t.Helper()
	if err := nodes[2].Shutdown(); err != nil {
		t.Fatal(err)
	}
	if err := nodes[2].Shutdown(); err != nil {
		t.Fatalf("second shutdown: %v", err)
	}
	if err := nodes[2].UpdateMeta(t.Context(), func(*Attributes) {}); !errors.Is(err, ErrShutdown) {
		t.Fatalf("update after shutdown: %v, want %v", err, ErrShutdown)
	}
	awaitMembers(t, nodes[0], "c failed", statuses(map[string]Status{"a": StatusAlive, "b": StatusAlive, "c": StatusFailed}))

	cfgs[2].Incarnation++
	c := launch(t, cfgs[2])
	for _, g := range []*Gossip{nodes[0], nodes[1], c} {
		awaitMembers(t, g, "c is back in its next incarnation", func(ms []Member) bool {
			return allAlive("a", "b", "c")(ms) && ms[2].Incarnation == 2
		})
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := c.Leave(ctx); err != nil {
		t.Fatal(err)
	}
	if err := c.Leave(ctx); err != nil {
		t.Fatalf("second leave: %v", err)
	}
	for _, g := range nodes[:2] {
		awaitMembers(t, g, "c left", statuses(map[string]Status{"a": StatusAlive, "b": StatusAlive, "c": StatusLeft}))
	}
}

// lockedBuffer collects a log that several goroutines write.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func TestSameNameOnTwoLiveNodesIsLoudOnBoth(t *testing.T) {
	var logs [2]lockedBuffer
	var nodes []*Gossip
	for i := range logs {
		cfg := node(t, "twin", 31+i)
		cfg.Logger = slog.New(slog.NewTextHandler(&logs[i], nil))
		nodes = append(nodes, launch(t, cfg))
	}
	for i, g := range nodes {
		awaitMembers(t, g, "a conflict", func([]Member) bool { return len(g.Conflicts()) == 1 })
		if c := g.Conflicts()[0]; c.Name != "twin" || len(c.Members) != 2 {
			t.Errorf("conflict = %+v", c)
		}
		waitFor(t, "an error in the log", func() bool {
			text := logs[i].String()
			return strings.Contains(text, "level=ERROR") && strings.Contains(text, "same name") && strings.Contains(text, "--name")
		})
	}
}

// waitFor polls what offers nothing to wait on.
func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(30 * time.Second)
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("not in time: %s", what)
		}
	}
}

func TestWipedNodeReplacesItsOldIdentity(t *testing.T) {
	a, b := launch(t, node(t, "a", 31)), node(t, "b", 32)
	old := launch(t, b)
	awaitMembers(t, a, "both", allAlive("a", "b"))
	if err := old.Shutdown(); err != nil {
		t.Fatal(err)
	}
	wiped := b
	wiped.NodeID = uuid.NewString()
	launch(t, wiped)
	members := awaitMembers(t, a, "old identity replaced", func(ms []Member) bool {
		return len(ms) == 3 && slices.ContainsFunc(ms, func(m Member) bool { return m.ID == b.NodeID && m.Status == StatusReplaced })
	})
	for _, m := range members {
		if m.ID != b.NodeID && m.Status != StatusAlive {
			t.Errorf("%s (%s) is %s", m.Name, m.ID, m.Status)
		}
	}
	if c := a.Conflicts(); len(c) != 0 {
		t.Errorf("a restart on an empty disk is reported as a conflict: %+v", c)
	}
}

func TestStartRefusals(t *testing.T) {
	for name, tc := range map[string]struct {
		change   func(*Config)
		want     error
		wantText string
	}{
		"no uuid":          {func(c *Config) { c.NodeID = "n1" }, ErrInvalidConfig, "UUID"},
		"no name":          {func(c *Config) { c.Name = "" }, ErrInvalidConfig, "name"},
		"bind host name":   {func(c *Config) { c.BindAddr = "localhost" }, ErrInvalidConfig, "localhost"},
		"bind all":         {func(c *Config) { c.BindAddr = "0.0.0.0" }, ErrInvalidConfig, "advertise"},
		"bad advertise":    {func(c *Config) { c.AdvertiseAddr = "me" }, ErrInvalidConfig, "advertise"},
		"port":             {func(c *Config) { c.BindPort = 70000 }, ErrInvalidConfig, "70000"},
		"raft address":     {func(c *Config) { c.Attributes.RaftAddr = "x" }, ErrInvalidConfig, "raft"},
		"http address":     {func(c *Config) { c.Attributes.HTTPAddr = "" }, ErrInvalidConfig, "HTTP"},
		"negative expect":  {func(c *Config) { c.Attributes.BootstrapExpect = -1 }, ErrInvalidConfig, "bootstrap-expect"},
		"join host name":   {func(c *Config) { c.Join = []string{"peer:7702"} }, ErrInvalidConfig, "IP or IP:port"},
		"oversize labels":  {func(c *Config) { c.Attributes.Labels = map[string]string{"k": strings.Repeat("v", 600)} }, ErrMetaTooLarge, "512"},
		"no logger":        {func(c *Config) { c.Logger = nil }, ErrInvalidConfig, "Logger"},
		"join port 0":      {func(c *Config) { c.Join = []string{"10.0.0.1:0"} }, ErrInvalidConfig, "10.0.0.1:0"},
		"foreign bind":     {func(c *Config) { c.BindAddr = "192.0.2.1" }, nil, "listen for gossip on 192.0.2.1"},
		"join is checked":  {func(c *Config) { c.Join = []string{"", "10.0.0.1"} }, ErrInvalidConfig, `""`},
		"advertised port ": {func(c *Config) { c.AdvertisePort = -1 }, ErrInvalidConfig, "-1"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := node(t, "a", 31)
			tc.change(&cfg)
			g, err := Start(cfg)
			if g != nil || err == nil {
				t.Fatal("started")
			}
			if tc.want != nil && !errors.Is(err, tc.want) || !strings.Contains(err.Error(), tc.wantText) {
				t.Fatalf("error = %v, want %v with %q", err, tc.want, tc.wantText)
			}
		})
	}
}

func TestShutdownDoesNotWaitForAPeerThatHangs(t *testing.T) {
	hanging, err := net.Listen("tcp", fmt.Sprintf("127.0.0.32:%d", testPort))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = hanging.Close() }()
	cfg := node(t, "a", 31)
	cfg.Join = []string{"127.0.0.32"}
	cfg.Timing.TCPTimeout = time.Minute
	g := launch(t, cfg)
	conn, err := hanging.Accept() // the join is under way, and gets no answer
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	done := make(chan error, 1)
	go func() { done <- g.Shutdown() }()
	select {
	case err := <-done:
		if err != nil {
			t.Fatal(err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("shutdown hangs")
	}
}

func TestMemberlistLinesKeepTheirLevel(t *testing.T) {
	var buf bytes.Buffer
	logger := newStdLogger(slog.New(slog.NewTextHandler(&buf, &slog.HandlerOptions{Level: slog.LevelDebug})))
	for line, want := range map[string]string{
		"[DEBUG] memberlist: probing": "level=DEBUG msg=probing",
		"[INFO] memberlist: joined":   "level=INFO msg=joined",
		"[WARN] memberlist: slow":     "level=WARN msg=slow",
		"[ERR] memberlist: broken":    "level=ERROR msg=broken",
		"no prefix at all":            `level=INFO msg="no prefix at all"`,
	} {
		buf.Reset()
		logger.Print(line)
		if !strings.Contains(buf.String(), want) {
			t.Errorf("%q became %q, want %q", line, buf.String(), want)
		}
	}
}

package membership

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/raft"

	"github.com/rota-scheduler/rota/membership/memnet"
)

// virtual describes a node on the in-memory network, with the timeouts of
// production: they cost nothing in virtual time.
func virtual(t *testing.T, network *memnet.Network, n, expect, seeds int) Config {
	t.Helper()
	ip := fmt.Sprintf("10.0.0.%d", n)
	transport, err := network.Transport(ip + ":7702")
	if err != nil {
		t.Fatal(err)
	}
	cfg := Config{
		NodeID: uid(n), Name: fmt.Sprintf("n%d", n), Incarnation: 1,
		BindAddr: ip, BindPort: 7702,
		Attributes: Attributes{HTTPAddr: ip + ":7700", RaftAddr: ip + ":7701", BootstrapExpect: expect},
		Transport:  transport,
		Logger:     testLogger(t),
	}
	for i := range seeds {
		cfg.Join = append(cfg.Join, fmt.Sprintf("10.0.0.%d", i+1))
	}
	return cfg
}

// TestNodesThatJoinAtOnceMeet: two nodes join through a third in the same moment,
// and the news that each spreads is lost. The exchange of all that is known makes
// up for it before anybody has to ask where a node has gone.
func TestNodesThatJoinAtOnceMeet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := memnet.New()
		for _, pair := range [][2]int{{1, 2}, {1, 3}, {2, 3}} {
			network.Delay(fmt.Sprintf("10.0.0.%d", pair[0]), fmt.Sprintf("10.0.0.%d", pair[1]), time.Hour) // packets only
		}
		var nodes []*Gossip
		for n := 1; n <= 3; n++ {
			g, err := Start(virtual(t, network, n, 0, 1))
			if err != nil {
				t.Fatal(err)
			}
			nodes = append(nodes, g)
		}
		defer func() { stopAll(t, nodes) }()
		for _, g := range nodes {
			awaitWithin(t, g, 25*time.Second, "three alive", allAlive("n1", "n2", "n3"))
		}
	})
}

// stopAll ends every node. memberlist lets a probe in flight run out, for which
// virtual time has to go on.
func stopAll(t *testing.T, nodes []*Gossip) {
	t.Helper()
	for _, g := range nodes {
		if err := g.Shutdown(); err != nil {
			t.Error(err)
		}
	}
	time.Sleep(time.Minute) // virtual
}

func TestPartitionAndHeal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := memnet.New()
		var nodes []*Gossip
		for n := 1; n <= 5; n++ {
			g, err := Start(virtual(t, network, n, 0, 1)) // all know n1 alone
			if err != nil {
				t.Fatal(err)
			}
			nodes = append(nodes, g)
		}
		defer func() { stopAll(t, nodes) }()
		everyone := allAlive("n1", "n2", "n3", "n4", "n5")
		for _, g := range nodes {
			awaitMembers(t, g, "five alive", everyone)
		}

		// The only seed dies for good, then n2 is cut off: when the cut heals,
		// the sides can find each other through the failed members alone.
		if err := nodes[0].Shutdown(); err != nil {
			t.Fatal(err)
		}
		for _, b := range []string{"10.0.0.3", "10.0.0.4", "10.0.0.5"} {
			network.Cut("10.0.0.2", b)
		}
		f, a := StatusFailed, StatusAlive
		for i, g := range nodes[1:] {
			want := map[string]Status{"n1": f, "n2": a, "n3": f, "n4": f, "n5": f}
			if i > 0 {
				want = map[string]Status{"n1": f, "n2": f, "n3": a, "n4": a, "n5": a}
			}
			awaitWithin(t, g, 2*time.Minute, "the other side failed", statuses(want))
		}
		time.Sleep(20 * time.Minute) // virtual: far past the time that memberlist remembers the dead
		survivors := statuses(map[string]Status{"n1": f, "n2": a, "n3": a, "n4": a, "n5": a})
		for _, g := range nodes[1:] {
			if survivors(g.Members()) {
				t.Error("the partition leaks")
			}
		}
		network.Heal()
		for _, g := range nodes[1:] {
			awaitWithin(t, g, 2*time.Minute, "four alive again", survivors)
		}
	})
}

// awaitWithin is awaitMembers with a bound of virtual time.
func awaitWithin(t *testing.T, src MemberSource, bound time.Duration, what string, ok func([]Member) bool) {
	t.Helper()
	deadline := time.NewTimer(bound)
	defer deadline.Stop()
	for {
		members, changed := src.Watch()
		if ok(members) {
			return
		}
		select {
		case <-changed:
		case <-deadline.C:
			t.Fatalf("not within %s: %s; members: %+v", bound, what, members)
		}
	}
}

func TestJoinKeepsTryingAndLeaveIsSeen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := memnet.New()
		network.Cut("10.0.0.1", "10.0.0.2")
		var nodes []*Gossip
		for n := 1; n <= 2; n++ {
			g, err := Start(virtual(t, network, n, 0, 2))
			if err != nil {
				t.Fatal(err)
			}
			nodes = append(nodes, g)
		}
		defer func() { stopAll(t, nodes) }()
		time.Sleep(time.Hour) // virtual
		if nodes[0].Joined() || nodes[1].Joined() {
			t.Fatal("joined across a cut")
		}
		network.Heal()
		for _, g := range nodes {
			awaitWithin(t, g, 30*time.Second, "both alive", allAlive("n1", "n2"))
		}
		if err := nodes[1].Leave(t.Context()); err != nil {
			t.Fatal(err)
		}
		awaitWithin(t, nodes[0], 5*time.Second, "n2 left", statuses(map[string]Status{"n1": StatusAlive, "n2": StatusLeft}))
	})
}

// foundings collects what each node was told to found.
type foundings struct {
	mu    sync.Mutex
	by    map[int]raft.Configuration
	state map[int]bool
}

func (f *foundings) run(t *testing.T, wg *sync.WaitGroup, g *Gossip, n int) {
	wg.Go(func() {
		hasState := func() bool {
			f.mu.Lock()
			defer f.mu.Unlock()
			return f.state[n]
		}
		found := func(c raft.Configuration) error {
			f.mu.Lock()
			defer f.mu.Unlock()
			if _, again := f.by[n]; again {
				t.Errorf("n%d was told to found twice", n)
			}
			f.by[n], f.state[n] = c, true
			return nil
		}
		if err := g.RunBootstrap(t.Context(), hasState, found); err != nil {
			t.Errorf("n%d: %v", n, err)
		}
	})
}

func TestRunBootstrapFoundsOneClusterEvenWithTooManyFounders(t *testing.T) {
	for _, count := range []int{1, 3, 5} {
		t.Run(fmt.Sprintf("%d nodes", count), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				network := memnet.New()
				f := &foundings{by: make(map[int]raft.Configuration), state: make(map[int]bool)}
				expect := min(count, 3)
				var nodes []*Gossip
				var wg sync.WaitGroup
				for n := 1; n <= count; n++ {
					g, err := Start(virtual(t, network, n, expect, count))
					if err != nil {
						t.Fatal(err)
					}
					nodes = append(nodes, g)
					f.run(t, &wg, g, n)
				}
				defer func() { stopAll(t, nodes) }()
				time.Sleep(time.Minute) // virtual
				f.mu.Lock()
				if len(f.by) == 0 {
					t.Error("nobody founded the cluster")
				}
				var first *raft.Configuration
				for n, c := range f.by {
					if first == nil {
						first = &c
					}
					if diff := cmp.Diff(*first, c); diff != "" || len(c.Servers) != expect {
						t.Errorf("n%d founds another cluster: %s", n, diff)
					}
				}
				for n := 1; n <= count; n++ { // a leader adds the rest
					f.state[n] = true
				}
				f.mu.Unlock()
				wg.Wait()
				for _, g := range nodes {
					awaitWithin(t, g, time.Minute, "all have state", func(ms []Member) bool {
						for _, m := range ms {
							if !m.Bootstrapped {
								return false
							}
						}
						return len(ms) == count
					})
				}
			})
		})
	}
}

package membership

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"
)

// leaveTimeout bounds each half of a leave: the announcement and the good-bye.
const leaveTimeout = 2500 * time.Millisecond

// Gossip is this node's part in the member list. All methods may be called
// concurrently.
type Gossip struct {
	cfg   Config
	log   *slog.Logger
	table *table
	local *delegate
	// coordinates is where this node and the others are in the network.
	coordinates *coordinates
	list        *memberlist.Memberlist
	sent        sentGossip
	seeds       []string // ip:port, without this node
	addr        string   // gossip ip:port that this node advertises

	ctx    context.Context // ends at Shutdown
	cancel context.CancelFunc
	loops  sync.WaitGroup

	// life orders UpdateMeta, Leave and Shutdown: memberlist panics when it is
	// used after its shutdown.
	life sync.Mutex
	down bool

	joinMu sync.Mutex
	tried  bool // every seed has been tried once
	joined bool // the last round reached or saw somebody
}

// Start listens and begins to join in the background; it does not wait for any
// peer. Errors are [ErrInvalidConfig], [ErrMetaTooLarge], or that the address
// cannot be bound.
func Start(cfg Config) (*Gossip, error) {
	g, err := start(cfg)
	if err != nil && cfg.Transport != nil {
		err = errors.Join(err, cfg.Transport.Shutdown())
	}
	return g, err
}

func start(cfg Config) (*Gossip, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	cfg.Timing = cfg.Timing.withDefaults()
	ctx, cancel := context.WithCancel(context.Background())
	g := &Gossip{cfg: cfg, log: cfg.Logger, ctx: ctx, cancel: cancel}
	g.table = newTable(cfg.Timing.ForgetAfter)
	if err := g.open(); err != nil {
		cancel()
		return nil, err
	}
	g.loops.Go(g.joinLoop)
	g.loops.Go(g.watchConflicts)
	return g, nil
}

// open creates the transport and the memberlist.
func (g *Gossip) open() error {
	cfg := &g.cfg
	said := meta{Name: cfg.Name, Incarnation: cfg.Incarnation, Attributes: cfg.Attributes.clone()}
	local, err := newDelegate(g.table, g.log, cfg.NodeID, said)
	if err != nil {
		return err
	}
	g.local = local
	remembered := func(id string) bool { _, ok := g.table.get(id); return ok }
	if g.coordinates, err = newCoordinates(cfg.NodeID, remembered, g.log); err != nil {
		return err
	}
	local.joined, local.gone = g.coordinates.back, g.coordinates.gone
	if _, err := parseSeeds(cfg.Join, 1); err != nil {
		return err
	}
	mc := cfg.memberlist(g.log)
	mc.Delegate, mc.Events, mc.Conflict, mc.Alive = local, local, local, local
	mc.Ping = g.coordinates
	if mc.Transport == nil {
		t, err := newNetTransport(g.ctx, cfg.BindAddr, cfg.BindPort, &g.sent, mc.Logger)
		if err != nil {
			return fmt.Errorf("listen for gossip on %s port %d: %w", cfg.BindAddr, cfg.BindPort, err)
		}
		mc.Transport = t
		cfg.BindPort = t.GetAutoBindPort()
		mc.BindPort = cfg.BindPort
	}
	if mc.AdvertisePort = cfg.AdvertisePort; mc.AdvertisePort == 0 {
		mc.AdvertisePort = cfg.BindPort
	}
	list, err := memberlist.Create(mc)
	if err != nil {
		return errors.Join(fmt.Errorf("start gossip: %w", err), mc.Transport.Shutdown())
	}
	g.list = list
	return g.resolveSeeds()
}

// resolveSeeds needs the port that was bound, so it comes after the listening.
func (g *Gossip) resolveSeeds() error {
	g.addr = g.Self().Addr
	seeds, err := parseSeeds(g.cfg.Join, g.cfg.BindPort)
	if err != nil {
		return errors.Join(err, g.list.Shutdown())
	}
	bound := net.JoinHostPort(g.cfg.BindAddr, strconv.Itoa(g.cfg.BindPort))
	g.seeds = slices.DeleteFunc(seeds, func(seed string) bool { return seed == g.addr || seed == bound })
	return nil
}

// Self returns this node as it announces itself.
func (g *Gossip) Self() Member {
	m, _ := g.table.get(g.cfg.NodeID)
	return m
}

// Members returns every member known, this node included, sorted by name and
// then ID. Members that are gone stay listed for ForgetAfter.
func (g *Gossip) Members() []Member {
	members, _ := g.table.snapshot()
	return members
}

// Member returns one member by its ID, and false if it is not known.
func (g *Gossip) Member(id string) (Member, bool) { return g.table.get(id) }

// Watch returns Members and a channel that is closed at the next change. A slow
// reader misses steps, never the latest state.
func (g *Gossip) Watch() ([]Member, <-chan struct{}) {
	return g.table.snapshot()
}

// Sent returns how many packets this node has sent, and how many streams it has
// opened, for the exchange of full states as a rule. A transport that was given to
// Start does not count.
func (g *Gossip) Sent() (packets, streams uint64) {
	return g.sent.packets.Load(), g.sent.streams.Load()
}

// Conflicts returns the names that several live nodes claim, sorted.
func (g *Gossip) Conflicts() []Conflict {
	return conflicts(g.Members())
}

// Joined reports whether the node has company: the latest round of joining
// reached a peer or found one alive, or there is nobody to join.
func (g *Gossip) Joined() bool {
	g.joinMu.Lock()
	defer g.joinMu.Unlock()
	return g.joined
}

// UpdateMeta changes what this node announces. change gets a copy of the
// current attributes. When the result is too large ([ErrMetaTooLarge]) nothing
// changes. The news is queued for gossip when it returns, not yet delivered.
func (g *Gossip) UpdateMeta(ctx context.Context, change func(*Attributes)) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("update node metadata: %w", err)
	}
	g.life.Lock()
	defer g.life.Unlock()
	if g.down {
		return ErrShutdown
	}
	return g.announce(func(said *meta) { change(&said.Attributes) }, time.Nanosecond)
}

// announce waits at most wait for the news to have been sent around. That it
// was not is no error: it stays queued, and the periodic exchange of full state
// carries it as well.
func (g *Gossip) announce(change func(*meta), wait time.Duration) error {
	if err := g.local.update(change); err != nil {
		return err
	}
	if err := g.list.UpdateNode(wait); err != nil {
		g.log.Debug("metadata still on its way", "reason", err)
	}
	return nil
}

// Leave tells the others that this node goes for good (for now), then shuts
// down. It takes at most five seconds, less when ctx ends earlier; a leave that
// nobody heard ends as a failure that the others detect.
func (g *Gossip) Leave(ctx context.Context) error {
	err := g.sayGoodbye(ctx)
	return errors.Join(err, g.Shutdown())
}

func (g *Gossip) sayGoodbye(ctx context.Context) error {
	g.life.Lock()
	defer g.life.Unlock()
	if g.down {
		return nil
	}
	if err := g.announce(func(said *meta) { said.Leaving = true }, remaining(ctx)); err != nil {
		return err
	}
	if err := g.list.Leave(remaining(ctx)); err != nil {
		return fmt.Errorf("leave gossip: %w", err)
	}
	return nil
}

// remaining is how long a step of leaving may take; memberlist takes zero for
// ever, so it is never less than a millisecond.
func remaining(ctx context.Context) time.Duration {
	left := leaveTimeout
	if deadline, ok := ctx.Deadline(); ok {
		left = min(left, time.Until(deadline))
	}
	if ctx.Err() != nil {
		left = 0
	}
	return max(left, time.Millisecond)
}

// Shutdown stops without a good-bye. It may be called again. When it returns no
// goroutine of this package is left; memberlist lets a probe in flight run out,
// which takes up to eight probe intervals and touches nothing.
func (g *Gossip) Shutdown() error {
	g.cancel()
	g.loops.Wait()
	g.life.Lock()
	defer g.life.Unlock()
	if g.down {
		return nil
	}
	g.down = true
	if err := g.list.Shutdown(); err != nil {
		return fmt.Errorf("stop gossip: %w", err)
	}
	return nil
}

// watchConflicts logs every conflict of names once, on every node.
func (g *Gossip) watchConflicts() {
	reported := make(map[string]bool)
	for {
		members, changed := g.Watch()
		current := make(map[string]bool)
		for _, c := range conflicts(members) {
			key := c.Name
			for _, m := range c.Members {
				key += " " + m.ID
			}
			current[key] = true
			if !reported[key] {
				g.logConflict(c)
			}
		}
		reported = current
		select {
		case <-changed:
		case <-g.ctx.Done():
			return
		}
	}
}

func (g *Gossip) logConflict(c Conflict) {
	var who []string
	for _, m := range c.Members {
		who = append(who, m.ID+"@"+m.Addr)
	}
	g.log.Error("several live nodes have the same name: give each its own --name and restart it; the newcomer stays out of Raft until then",
		"name", c.Name, "nodes", who)
}

package membership

import (
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strconv"
	"time"

	"github.com/hashicorp/memberlist"
)

// Config says how a node takes part in gossip.
type Config struct {
	NodeID      string // UUID, from LoadIdentity
	Name        string // unique in the cluster, for people
	Incarnation uint64 // from LoadIdentity
	BindAddr    string // an IP; an unspecified one (0.0.0.0, ::) needs AdvertiseAddr
	BindPort    int    // 0: any free port
	// AdvertiseAddr and AdvertisePort are what peers use; default: where it listens.
	AdvertiseAddr string
	AdvertisePort int
	Attributes    Attributes // HTTPAddr and RaftAddr are required
	Join          []string   // IP or IP:port (default port: BindPort); itself may be among them
	// Transport replaces the real network; Start takes it over and Shutdown
	// stops it, also when Start fails. BindAddr and BindPort are then what it
	// answers to.
	Transport memberlist.Transport
	Timing    Timing
	Logger    *slog.Logger
}

// Timing holds the timeouts; zero fields take the values for a local network.
type Timing struct {
	ProbeInterval    time.Duration // one peer is probed each interval; default 1 s
	ProbeTimeout     time.Duration // default 500 ms
	SuspicionMult    int           // failed after about this many probe intervals; default 4
	GossipInterval   time.Duration // default 200 ms
	PushPullInterval time.Duration // full exchange with a random peer; default 10 s
	TCPTimeout       time.Duration // default 3 s
	JoinRetryMin     time.Duration // first wait after a failed join; default 500 ms
	JoinRetryMax     time.Duration // longest wait; default 15 s
	RejoinInterval   time.Duration // looks for lost members this often; default 30 s
	ReclaimAfter     time.Duration // a failed node's ID may move to a new address; default 30 s
	ForgetAfter      time.Duration // a gone member is listed this long; default 24 h
}

func (t Timing) withDefaults() Timing {
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{
		{&t.ProbeInterval, time.Second},
		{&t.ProbeTimeout, 500 * time.Millisecond},
		{&t.GossipInterval, 200 * time.Millisecond},
		{&t.PushPullInterval, 10 * time.Second},
		{&t.TCPTimeout, 3 * time.Second},
		{&t.JoinRetryMin, 500 * time.Millisecond},
		{&t.JoinRetryMax, 15 * time.Second},
		{&t.RejoinInterval, 30 * time.Second},
		{&t.ReclaimAfter, 30 * time.Second},
		{&t.ForgetAfter, 24 * time.Hour},
	} {
		if *d.field <= 0 {
			*d.field = d.value
		}
	}
	if t.SuspicionMult <= 0 {
		t.SuspicionMult = 4
	}
	return t
}

func (c Config) validate() error {
	invalid := func(format string, args ...any) error {
		return fmt.Errorf("%w: %s", ErrInvalidConfig, fmt.Sprintf(format, args...))
	}
	bind, err := netip.ParseAddr(c.BindAddr)
	switch {
	case !validID(c.NodeID):
		return invalid("node id %q is not a UUID", c.NodeID)
	case c.Name == "":
		return invalid("the node has no name")
	case c.Logger == nil:
		return invalid("Logger is required")
	case err != nil:
		return invalid("bind address %q is not an IP", c.BindAddr)
	case c.AdvertiseAddr == "" && bind.IsUnspecified():
		return invalid("bind address %s needs an advertise address that peers can reach", c.BindAddr)
	case c.BindPort < 0 || c.BindPort > 65535 || c.AdvertisePort < 0 || c.AdvertisePort > 65535:
		return invalid("gossip port %d or %d is not within 0..65535", c.BindPort, c.AdvertisePort)
	case c.Attributes.BootstrapExpect < 0:
		return invalid("bootstrap-expect %d is negative", c.Attributes.BootstrapExpect)
	}
	if c.AdvertiseAddr != "" {
		if _, err := netip.ParseAddr(c.AdvertiseAddr); err != nil {
			return invalid("advertise address %q is not an IP", c.AdvertiseAddr)
		}
	}
	for _, peer := range []struct{ what, addr string }{{"HTTP", c.Attributes.HTTPAddr}, {"raft", c.Attributes.RaftAddr}} {
		if _, err := netip.ParseAddrPort(peer.addr); err != nil {
			return invalid("%s address %q is not ip:port", peer.what, peer.addr)
		}
	}
	return nil
}

// parseSeeds returns the join list as ip:port, without duplicates.
func parseSeeds(join []string, defaultPort int) ([]string, error) {
	var seeds []string
	seen := make(map[string]bool)
	for _, text := range join {
		seed, err := parseSeed(text, defaultPort)
		if err != nil {
			return nil, err
		}
		if !seen[seed] {
			seen[seed] = true
			seeds = append(seeds, seed)
		}
	}
	return seeds, nil
}

func parseSeed(text string, defaultPort int) (string, error) {
	if ap, err := netip.ParseAddrPort(text); err == nil && ap.Port() != 0 {
		return ap.String(), nil
	}
	if ip, err := netip.ParseAddr(text); err == nil {
		return net.JoinHostPort(ip.String(), strconv.Itoa(defaultPort)), nil
	}
	return "", fmt.Errorf("%w: join address %q: want IP or IP:port", ErrInvalidConfig, text)
}

// memberlist returns memberlist's configuration. Its node name is the UUID: two
// machines may then claim one name without memberlist dropping either, and the
// rules about names stay ours.
func (c Config) memberlist(logger *slog.Logger) *memberlist.Config {
	t := c.Timing
	mc := memberlist.DefaultLANConfig()
	mc.Name = c.NodeID
	mc.Label = "rota" // a stray packet of another memberlist cluster is refused
	mc.ProtocolVersion = memberlist.ProtocolVersionMax
	mc.BindAddr, mc.BindPort = c.BindAddr, c.BindPort
	mc.AdvertiseAddr, mc.AdvertisePort = c.AdvertiseAddr, c.AdvertisePort
	mc.Transport = c.Transport
	mc.ProbeInterval, mc.ProbeTimeout = t.ProbeInterval, t.ProbeTimeout
	mc.GossipInterval, mc.PushPullInterval = t.GossipInterval, t.PushPullInterval
	mc.TCPTimeout = t.TCPTimeout
	mc.SuspicionMult = t.SuspicionMult
	mc.DeadNodeReclaimTime = t.ReclaimAfter
	mc.Logger = newStdLogger(logger)
	return mc
}

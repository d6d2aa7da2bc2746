// Package memnet is an in-memory network for memberlist: for tests and for the
// simulation, also inside a testing/synctest bubble, where memberlist's own
// mock transport hangs once a node stops.
//
// Packets to a missing, stopped, cut off or overloaded node are lost, as UDP
// packets are. Streams are refused by a missing node and time out across a cut;
// a cut, in either direction, breaks the streams that are open across it.
// A link may be slow for packets (not for streams). Nothing here starts a
// goroutine that lasts, and every queue is bounded.
package memnet

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"
)

const (
	packetQueue = 512 // packets waiting at a node; more are lost
	streamQueue = 64  // streams waiting to be accepted; more wait at the dialer
)

// ErrAddressInUse: a node with this address has not been shut down.
var ErrAddressInUse = errors.New("memnet: address in use")

// Network joins transports. All methods may be called concurrently.
type Network struct {
	mu    sync.Mutex
	nodes map[string]*Transport // by ip:port
	cuts  map[link]bool
	pipes map[*pipe]link
	// delays are how long packets are under way; a missing one is 0.
	delays map[link]time.Duration
}

// link is one direction between two IPs.
type link struct{ from, to string }

// New returns a network without nodes or cuts.
func New() *Network {
	return &Network{
		nodes:  make(map[string]*Transport),
		cuts:   make(map[link]bool),
		pipes:  make(map[*pipe]link),
		delays: make(map[link]time.Duration),
	}
}

// Transport attaches a node at addr, "ip:port". The address is free again once
// the transport has been shut down.
func (n *Network) Transport(addr string) (*Transport, error) {
	at, err := netip.ParseAddrPort(addr)
	if err != nil {
		return nil, fmt.Errorf("memnet: address %q: %w", addr, err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.nodes[at.String()] != nil {
		return nil, fmt.Errorf("%w: %s", ErrAddressInUse, at)
	}
	t := &Transport{
		net:     n,
		at:      at,
		packets: make(chan *memberlist.Packet, packetQueue),
		streams: make(chan net.Conn, streamQueue),
		done:    make(chan struct{}),
	}
	n.nodes[at.String()] = t
	return t, nil
}

// Cut separates two machines in both directions. Each is an IP; a port is
// ignored.
func (n *Network) Cut(a, b string) {
	n.cut(link{host(a), host(b)}, link{host(b), host(a)})
}

// CutOneWay loses what goes from one machine to the other. Streams need both
// directions, so they break as well.
func (n *Network) CutOneWay(from, to string) {
	n.cut(link{host(from), host(to)})
}

// Isolate separates a machine from all others.
func (n *Network) Isolate(ip string) {
	n.mu.Lock()
	var links []link
	for addr := range n.nodes {
		if other := host(addr); other != host(ip) {
			links = append(links, link{host(ip), other}, link{other, host(ip)})
		}
	}
	n.mu.Unlock()
	n.cut(links...)
}

// Delay makes packets between two machines take that long in each direction.
func (n *Network) Delay(a, b string, oneWay time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.delays[link{host(a), host(b)}], n.delays[link{host(b), host(a)}] = oneWay, oneWay
}

// delay returns how long a packet to that address is under way.
func (n *Network) delay(from netip.AddrPort, addr string) time.Duration {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.delays[link{from.Addr().String(), host(addr)}]
}

// Heal removes every cut.
func (n *Network) Heal() {
	n.mu.Lock()
	defer n.mu.Unlock()
	clear(n.cuts)
}

func (n *Network) cut(links ...link) {
	n.mu.Lock()
	for _, l := range links {
		n.cuts[l] = true
	}
	var broken []*pipe
	for p, l := range n.pipes {
		if !n.connected(l) {
			broken = append(broken, p)
		}
	}
	n.mu.Unlock()
	closeAll(broken)
}

// connected needs the lock. It asks for both directions.
func (n *Network) connected(l link) bool {
	return !n.cuts[l] && !n.cuts[link{l.to, l.from}]
}

// reach returns the node at addr, nil if there is none, and whether packets
// (or, when both is set, streams) get there.
func (n *Network) reach(from netip.AddrPort, addr string, both bool) (to *Transport, open bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	l := link{from.Addr().String(), host(addr)}
	if both {
		return n.nodes[addr], n.connected(l)
	}
	return n.nodes[addr], !n.cuts[l]
}

// track remembers a stream so that a cut can break it; it refuses one that a
// cut has overtaken.
func (n *Network) track(l link, pipes ...*pipe) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.connected(l) {
		return false
	}
	for _, p := range pipes {
		n.pipes[p] = l
	}
	return true
}

func (n *Network) forget(p *pipe) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.pipes, p)
}

// detach removes a node and breaks its streams.
func (n *Network) detach(t *Transport) {
	n.mu.Lock()
	delete(n.nodes, t.at.String())
	var broken []*pipe
	for p := range n.pipes {
		if p.local == t.at || p.remote == t.at {
			broken = append(broken, p)
		}
	}
	n.mu.Unlock()
	closeAll(broken)
}

func closeAll(pipes []*pipe) {
	for _, p := range pipes {
		_ = p.Close() // a pipe's Close cannot fail
	}
}

// host strips the port, if there is one.
func host(addr string) string {
	if ap, err := netip.ParseAddrPort(addr); err == nil {
		return ap.Addr().String()
	}
	return addr
}

// pipe is one end of a stream.
type pipe struct {
	net.Conn
	net           *Network
	local, remote netip.AddrPort
}

func (p *pipe) LocalAddr() net.Addr  { return net.TCPAddrFromAddrPort(p.local) }
func (p *pipe) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(p.remote) }

func (p *pipe) Close() error {
	p.net.forget(p)
	return p.Conn.Close()
}

// timeoutError is what a dial across a cut ends with.
type timeoutError struct{ after time.Duration }

func (e timeoutError) Error() string { return fmt.Sprintf("no answer within %s", e.after) }
func (timeoutError) Timeout() bool   { return true }
func (timeoutError) Temporary() bool { return true }

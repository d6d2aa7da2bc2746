package sim

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/rota-scheduler/rota/membership/memnet"
)

const (
	connectTimeout = 2 * time.Second
	acceptQueue    = 64
)

// Network joins hosts by streams, and by gossip's packets. A cut is silent, as
// it is on a wire: nothing arrives and no connection closes. All methods may be
// called concurrently.
type Network struct {
	gossip *memnet.Network

	mu        sync.Mutex
	listeners map[string]*listener
	conns     map[*conn]bool
	cuts      map[link]bool
	frozen    map[string]bool        // hosts whose agent does not move
	off       map[string]bool        // hosts without power
	delays    map[link]time.Duration // of each write, besides the latency
	latency   time.Duration          // of each write
	changed   chan struct{}          // closed when a cut ends
}

// link is one direction between two IPs.
type link struct{ from, to string }

// NewNetwork returns a network without cuts.
func NewNetwork() *Network {
	return &Network{
		gossip: memnet.New(), listeners: map[string]*listener{}, conns: map[*conn]bool{},
		cuts: map[link]bool{}, frozen: map[string]bool{}, off: map[string]bool{}, delays: map[link]time.Duration{}, changed: make(chan struct{}),
	}
}

// Cut separates two hosts in both directions.
func (n *Network) Cut(a, b string) {
	n.change(func() { n.cuts[link{a, b}], n.cuts[link{b, a}] = true, true })
}

// CutOneWay loses what goes from one host to the other.
func (n *Network) CutOneWay(from, to string) { n.change(func() { n.cuts[link{from, to}] = true }) }

// Mend ends the cuts between two hosts. What was being sent goes on.
func (n *Network) Mend(a, b string) {
	n.change(func() {
		delete(n.cuts, link{a, b})
		delete(n.cuts, link{b, a})
	})
}

// Freeze stops, or lets go on, everything that a host sends and takes.
func (n *Network) Freeze(ip string, frozen bool) {
	n.change(func() {
		delete(n.frozen, ip)
		if frozen {
			n.frozen[ip] = true
		}
	})
}

// PowerOff takes a host off the network. Unlike a process that dies, it closes
// nothing that the others could see: they talk to nobody.
func (n *Network) PowerOff(ip string) {
	n.change(func() { n.off[ip] = true })
	mine, theirs, listeners := n.of(ip)
	for _, c := range theirs {
		c.widow()
	}
	for _, l := range listeners {
		l.Close()
	}
	for _, c := range mine {
		c.reset()
	}
}

// PowerOn brings a host back, where nothing listens yet. It knows nothing of the
// streams that others believe to have to it, and its kernel says so.
func (n *Network) PowerOn(ip string) {
	_, theirs, _ := n.of(ip)
	n.change(func() { delete(n.off, ip) })
	for _, c := range theirs {
		c.reset()
	}
}

// Delay holds up what goes from one host to the other, each write by itself.
func (n *Network) Delay(from, to string, d time.Duration) {
	n.change(func() { n.delays[link{from, to}] = d })
}

// Latency holds up everything by the same time, each write by itself.
func (n *Network) Latency(d time.Duration) { n.change(func() { n.latency = d }) }

// Heal ends every cut and delay. What was being sent goes on. A host without power
// stays so.
func (n *Network) Heal() {
	n.change(func() {
		clear(n.cuts)
		clear(n.frozen)
		clear(n.delays)
		n.latency = 0
	})
}

// change alters the network, tells gossip's own about it, and wakes who waits.
func (n *Network) change(alter func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	alter()
	n.gossip.Heal()
	for l := range n.cuts {
		n.gossip.CutOneWay(l.from, l.to)
	}
	for ip := range n.frozen {
		n.gossip.Isolate(ip)
	}
	for ip := range n.off {
		n.gossip.Isolate(ip)
	}
	close(n.changed)
	n.changed = make(chan struct{})
}

// open says whether a direction is, and which channel closes when that may have
// changed.
func (n *Network) open(l link) (bool, <-chan struct{}) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return !n.cuts[l] && !n.frozen[l.from] && !n.frozen[l.to] && !n.off[l.from] && !n.off[l.to], n.changed
}

// delay returns by how much a write in this direction is held up.
func (n *Network) delay(l link) time.Duration {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.latency + n.delays[l]
}

// end resets every stream that somebody has left open.
func (n *Network) end() {
	n.mu.Lock()
	var conns []*conn
	for c := range n.conns {
		conns = append(conns, c)
	}
	n.mu.Unlock()
	for _, c := range conns {
		c.reset()
	}
}

// Reset closes every connection and listener of a host, as its kernel does when
// the process that held them dies.
func (n *Network) Reset(ip string) {
	mine, theirs, listeners := n.of(ip)
	for _, l := range listeners {
		l.Close()
	}
	for _, c := range append(mine, theirs...) {
		c.reset()
	}
}

// of returns what there is of a host: its ends of streams, the ends that others
// have of them, and what listens there.
func (n *Network) of(ip string) (mine, theirs []*conn, listeners []*listener) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for c := range n.conns {
		switch ip {
		case c.link.from:
			mine = append(mine, c)
		case c.link.to:
			theirs = append(theirs, c)
		}
	}
	for _, l := range n.listeners {
		if l.addr.Addr().String() == ip {
			listeners = append(listeners, l)
		}
	}
	return mine, theirs, listeners
}

// listen opens a listener on "ip:port".
func (n *Network) listen(addr string) (net.Listener, error) {
	at, err := netip.ParseAddrPort(addr)
	if err != nil {
		return nil, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.listeners[addr] != nil {
		return nil, &net.OpError{Op: "listen", Net: "tcp", Err: os.NewSyscallError("bind", syscall.EADDRINUSE)}
	}
	l := &listener{net: n, addr: at, queue: make(chan net.Conn, acceptQueue), closed: make(chan struct{})}
	n.listeners[addr] = l
	return l, nil
}

// dialer returns the dial function of one life of a host's agent, which ends when
// dead is closed.
func (n *Network) dialer(ip string, dead <-chan struct{}) func(ctx context.Context, network, addr string) (net.Conn, error) {
	return func(ctx context.Context, _, addr string) (net.Conn, error) {
		select {
		case <-dead:
			return nil, net.ErrClosed
		default:
		}
		ctx, cancel := context.WithTimeout(ctx, connectTimeout)
		defer cancel()
		c, err := n.dial(ctx, ip, addr)
		if err != nil {
			return nil, &net.OpError{Op: "dial", Net: "tcp", Err: err}
		}
		return c, nil
	}
}

func (n *Network) dial(ctx context.Context, ip, addr string) (net.Conn, error) {
	at, err := netip.ParseAddrPort(addr)
	if err != nil {
		return nil, err
	}
	out, back := link{ip, at.Addr().String()}, link{at.Addr().String(), ip}
	for {
		there, changed := n.open(out)
		here, _ := n.open(back)
		if there && here {
			break
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("no answer from %s: %w", addr, ctx.Err())
		case <-changed:
		}
	}
	n.mu.Lock()
	l := n.listeners[addr]
	n.mu.Unlock()
	if l == nil {
		return nil, os.NewSyscallError("connect", syscall.ECONNREFUSED)
	}
	mine, theirs := n.pipe(out, back)
	select {
	case l.queue <- theirs:
		return mine, nil
	case <-l.closed:
		err = os.NewSyscallError("connect", syscall.ECONNREFUSED)
	case <-ctx.Done():
		err = ctx.Err()
	}
	mine.reset()
	return nil, err
}

func (n *Network) pipe(out, back link) (mine, theirs *conn) {
	a, b := net.Pipe()
	mine, theirs = newConn(a, n, out), newConn(b, n, back)
	n.mu.Lock()
	defer n.mu.Unlock()
	n.conns[mine], n.conns[theirs] = true, true
	return mine, theirs
}

type listener struct {
	net    *Network
	addr   netip.AddrPort
	queue  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.queue:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *listener) Addr() net.Addr { return net.TCPAddrFromAddrPort(l.addr) }

func (l *listener) Close() error {
	l.once.Do(func() {
		l.net.mu.Lock()
		delete(l.net.listeners, l.addr.String())
		l.net.mu.Unlock()
		close(l.closed)
		for {
			select {
			case c := <-l.queue:
				c.Close()
			default:
				return
			}
		}
	})
	return nil
}

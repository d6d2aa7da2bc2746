package memnet

import (
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"
)

var (
	errRefused = errors.New("connection refused")
	errStopped = errors.New("transport is shut down")
)

// Transport is one node's place in a Network: a memberlist.Transport. All
// methods may be called concurrently.
type Transport struct {
	net     *Network
	at      netip.AddrPort
	packets chan *memberlist.Packet
	streams chan net.Conn

	stop sync.Once
	done chan struct{}
}

var _ memberlist.Transport = (*Transport)(nil)

// FinalAdvertiseAddr returns the address in the network, whatever was asked.
func (t *Transport) FinalAdvertiseAddr(string, int) (net.IP, int, error) {
	return t.at.Addr().AsSlice(), int(t.at.Port()), nil
}

// WriteTo sends a packet, which may get lost without an error.
func (t *Transport) WriteTo(b []byte, addr string) (time.Time, error) {
	now := time.Now()
	select {
	case <-t.done:
		return now, errStopped
	default:
	}
	to, open := t.net.reach(t.at, addr, false)
	if to == nil || !open {
		return now, nil
	}
	packet := &memberlist.Packet{Buf: append([]byte(nil), b...), From: net.UDPAddrFromAddrPort(t.at)}
	if delay := t.net.delay(t.at, addr); delay > 0 {
		time.AfterFunc(delay, func() { to.arrive(packet) })
	} else {
		to.arrive(packet)
	}
	return now, nil
}

// arrive puts a packet into the node's queue, or loses it.
func (t *Transport) arrive(packet *memberlist.Packet) {
	packet.Timestamp = time.Now()
	select {
	case t.packets <- packet:
	default:
	}
}

// PacketCh is where packets arrive.
func (t *Transport) PacketCh() <-chan *memberlist.Packet { return t.packets }

// StreamCh is where streams arrive.
func (t *Transport) StreamCh() <-chan net.Conn { return t.streams }

// DialTimeout opens a stream. It waits while the network is cut or the other
// side accepts none, at most timeout.
func (t *Transport) DialTimeout(addr string, timeout time.Duration) (net.Conn, error) {
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	to, open := t.net.reach(t.at, addr, true)
	if !open {
		return nil, t.wait(timer.C, timeout)
	}
	if to == nil {
		return nil, dialError(errRefused)
	}
	near, far := net.Pipe()
	mine := &pipe{Conn: near, net: t.net, local: t.at, remote: to.at}
	theirs := &pipe{Conn: far, net: t.net, local: to.at, remote: t.at}
	if !t.net.track(link{t.at.Addr().String(), to.at.Addr().String()}, mine, theirs) {
		return nil, t.wait(timer.C, timeout)
	}
	if err := t.hand(theirs, to, timer.C, timeout); err != nil {
		closeAll([]*pipe{mine, theirs})
		return nil, err
	}
	return mine, nil
}

// hand puts the far end into the other node's queue.
func (t *Transport) hand(theirs *pipe, to *Transport, expired <-chan time.Time, timeout time.Duration) error {
	select {
	case <-to.done:
		return dialError(errRefused)
	case <-t.done:
		return dialError(errStopped)
	case <-expired:
		return dialError(timeoutError{timeout})
	case to.streams <- theirs:
		return nil
	}
}

func (t *Transport) wait(expired <-chan time.Time, timeout time.Duration) error {
	select {
	case <-expired:
		return dialError(timeoutError{timeout})
	case <-t.done:
		return dialError(errStopped)
	}
}

// dialError looks like TCP's: memberlist tells a failing peer by it.
func dialError(err error) error {
	return &net.OpError{Op: "dial", Net: "tcp", Err: err}
}

// Shutdown detaches the node and breaks its streams. It may be called again.
func (t *Transport) Shutdown() error {
	t.stop.Do(func() {
		close(t.done)
		t.net.detach(t)
	})
	return nil
}

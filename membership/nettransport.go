package membership

import (
	"context"
	"log"
	"net"
	"sync/atomic"
	"time"

	"github.com/hashicorp/memberlist"
)

// netTransport is memberlist's own TCP and UDP transport, except that ending
// ctx abandons the dials and closes the streams it opened: a shutdown need not
// wait out the timeout of a peer that has vanished or hangs.
type netTransport struct {
	*memberlist.NetTransport
	ctx  context.Context
	sent *sentGossip
}

// sentGossip counts what this node has sent.
type sentGossip struct{ packets, streams atomic.Uint64 }

func newNetTransport(ctx context.Context, ip string, port int, sent *sentGossip, logger *log.Logger) (*netTransport, error) {
	t, err := memberlist.NewNetTransport(&memberlist.NetTransportConfig{
		BindAddrs: []string{ip},
		BindPort:  port,
		Logger:    logger,
	})
	if err != nil {
		return nil, err
	}
	return &netTransport{NetTransport: t, ctx: ctx, sent: sent}, nil
}

// WriteTo is part of memberlist.Transport.
func (t *netTransport) WriteTo(b []byte, addr string) (time.Time, error) {
	t.sent.packets.Add(1)
	return t.NetTransport.WriteTo(b, addr)
}

// WriteToAddress is part of memberlist.NodeAwareTransport.
func (t *netTransport) WriteToAddress(b []byte, a memberlist.Address) (time.Time, error) {
	return t.WriteTo(b, a.Addr)
}

// DialTimeout is part of memberlist.Transport.
func (t *netTransport) DialTimeout(addr string, timeout time.Duration) (net.Conn, error) {
	t.sent.streams.Add(1)
	dialer := net.Dialer{Timeout: timeout}
	conn, err := dialer.DialContext(t.ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	release := context.AfterFunc(t.ctx, func() {
		_ = conn.Close() // whoever uses the stream sees it end
	})
	return &boundConn{Conn: conn, release: release}, nil
}

// boundConn is closed when its transport's context ends.
type boundConn struct {
	net.Conn
	release func() bool
}

func (c *boundConn) Close() error {
	c.release()
	return c.Conn.Close()
}

// DialAddressTimeout is part of memberlist.NodeAwareTransport.
func (t *netTransport) DialAddressTimeout(a memberlist.Address, timeout time.Duration) (net.Conn, error) {
	return t.DialTimeout(a.Addr, timeout)
}

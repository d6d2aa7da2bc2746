package sim

import (
	"net"
	"os"
	"sync"
	"time"
)

const (
	// sendBuffer is how many writes a stream takes before it makes the writer wait.
	sendBuffer = 4096
	// lastWords is how long a stream that was closed tries to deliver what was
	// written before.
	lastWords = 5 * time.Second
)

// conn is one end of a stream. What it writes is on its way for as long as the
// network says, and longer while the way is cut; the writer does not wait for it,
// as on a real host: one that waited with a lock in its hand would stop time.
type conn struct {
	net.Conn
	net    *Network
	link   link
	queue  chan packet
	closed chan struct{} // by this end
	gone   chan struct{} // nothing of this end is delivered any more
	once   sync.Once
	over   sync.Once

	mu       sync.Mutex
	deadline time.Time // of writes
	// widowed: the other host lost its power. Nothing tells this end, until its
	// own deadline or that host's return.
	widowed bool
	reading time.Time     // the deadline of reads
	moved   chan struct{} // closed when that deadline changes
}

// packet is what one write sends.
type packet struct {
	data []byte
	due  time.Time
}

func newConn(c net.Conn, n *Network, l link) *conn {
	conn := &conn{Conn: c, net: n, link: l, queue: make(chan packet, sendBuffer), closed: make(chan struct{}), gone: make(chan struct{}), moved: make(chan struct{})}
	go conn.deliver()
	return conn
}

func (c *conn) LocalAddr() net.Addr  { return &net.TCPAddr{IP: net.ParseIP(c.link.from)} }
func (c *conn) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.ParseIP(c.link.to)} }

// Write puts a copy on its way.
func (c *conn) Write(p []byte) (int, error) {
	select {
	case <-c.closed:
		return 0, net.ErrClosed
	case <-c.gone:
		return 0, net.ErrClosed
	default:
	}
	pkt := packet{append([]byte(nil), p...), time.Now().Add(c.net.delay(c.link))}
	select {
	case c.queue <- pkt:
		return len(p), nil
	default:
	}
	c.mu.Lock()
	deadline := c.deadline
	c.mu.Unlock()
	var expired <-chan time.Time
	if !deadline.IsZero() {
		t := time.NewTimer(time.Until(deadline))
		defer t.Stop()
		expired = t.C
	}
	select {
	case c.queue <- pkt:
		return len(p), nil
	case <-c.closed:
		return 0, net.ErrClosed
	case <-c.gone:
		return 0, net.ErrClosed
	case <-expired:
		return 0, os.ErrDeadlineExceeded
	}
}

func (c *conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if err != nil {
		if c.mourns() && !c.silence() {
			return n, os.ErrDeadlineExceeded
		}
		select {
		case <-c.closed:
			err = net.ErrClosed
		default:
		}
	}
	return n, err
}

// widow has this end notice nothing of the other's sudden end.
func (c *conn) widow() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.widowed = true
}

func (c *conn) mourns() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.widowed
}

// silence returns when this end has been closed or reset, or with false when a
// read's deadline has passed.
func (c *conn) silence() bool {
	for {
		c.mu.Lock()
		deadline, moved := c.reading, c.moved
		c.mu.Unlock()
		var expired <-chan time.Time
		if !deadline.IsZero() {
			expired = time.After(time.Until(deadline))
		}
		select {
		case <-c.closed:
			return true
		case <-c.gone:
			return true
		case <-expired:
			return false
		case <-moved:
		}
	}
}

// deliver hands what was written to the other end, in order, until both the
// writes and the stream have ended.
func (c *conn) deliver() {
	defer c.reset()
	for {
		select {
		case pkt := <-c.queue:
			if !c.send(pkt) {
				return
			}
		case <-c.gone:
			return
		case <-c.closed:
			for {
				select {
				case pkt := <-c.queue:
					if !c.send(pkt) {
						return
					}
				default:
					c.passable()
					return
				}
			}
		}
	}
}

func (c *conn) send(pkt packet) bool {
	if wait := time.Until(pkt.due); wait > 0 {
		select {
		case <-time.After(wait):
		case <-c.gone:
			return false
		}
	}
	if !c.passable() {
		return false
	}
	if _, err := c.Conn.Write(pkt.data); err == nil {
		return true
	}
	if c.mourns() {
		select {
		case <-c.closed:
		case <-c.gone:
		}
	}
	return false
}

// passable returns when the way is open, or with false when there is nobody left
// to wait.
func (c *conn) passable() bool {
	for {
		open, changed := c.net.open(c.link)
		if open {
			return true
		}
		select {
		case <-changed:
		case <-c.gone:
			return false
		}
	}
}

// Close ends the stream once what was written is delivered. This end reads and
// writes nothing more.
func (c *conn) Close() error {
	c.once.Do(func() {
		close(c.closed)
		_ = c.Conn.SetReadDeadline(time.Unix(0, 1)) // a pipe's cannot fail
		time.AfterFunc(lastWords, c.reset)
	})
	return nil
}

// reset ends the stream at once.
func (c *conn) reset() {
	c.over.Do(func() {
		c.net.mu.Lock()
		delete(c.net.conns, c)
		c.net.mu.Unlock()
		close(c.gone)
		_ = c.Conn.Close() // a pipe's cannot fail
	})
}

func (c *conn) SetDeadline(t time.Time) error {
	if err := c.SetWriteDeadline(t); err != nil {
		return err
	}
	return c.SetReadDeadline(t)
}

func (c *conn) SetReadDeadline(t time.Time) error {
	select {
	case <-c.closed:
		return net.ErrClosed
	default:
	}
	c.mu.Lock()
	c.reading = t
	close(c.moved)
	c.moved = make(chan struct{})
	c.mu.Unlock()
	return c.Conn.SetReadDeadline(t)
}

func (c *conn) SetWriteDeadline(t time.Time) error {
	c.mu.Lock()
	c.deadline = t
	c.mu.Unlock()
	return nil
}

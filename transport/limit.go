package transport

import (
	"io"
	"log/slog"
	"net"
	"sync"
	"time"
)

// refusal is the answer to a connection too many, whatever it asks.
const refusal = "HTTP/1.1 503 Service Unavailable\r\n" +
	"Content-Type: application/json\r\n" +
	"Retry-After: 1\r\n" +
	"Connection: close\r\n" +
	"Content-Length: 90\r\n" +
	"\r\n" +
	`{"error":{"code":"too_many_connections","message":"too many connections; try again soon"}}`

const (
	refusalTimeout = 500 * time.Millisecond
	maxRefusals    = 32
	maxRefusalRead = 64 << 10
)

// limitListener refuses connections over the limit with an answer.
type limitListener struct {
	net.Listener
	set     *connSet
	plain   bool // not TLS: the refusal can be written as it is
	refuser *refuser
	logger  *slog.Logger
}

func (l *limitListener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if l.set.add(c) {
			return &countedConn{Conn: c, set: l.set}, nil
		}
		l.logger.Warn("connection refused: too many", "remote", c.RemoteAddr(), "open", l.set.len())
		if l.plain {
			l.refuser.refuse(c)
		} else {
			c.Close()
		}
	}
}

// refuser answers refused connections, a few at a time; under a flood the rest
// is just closed.
type refuser struct {
	slots chan struct{}
	group sync.WaitGroup
}

func newRefuser() *refuser {
	return &refuser{slots: make(chan struct{}, maxRefusals)}
}

func (r *refuser) refuse(c net.Conn) {
	select {
	case r.slots <- struct{}{}:
	default:
		c.Close()
		return
	}
	r.group.Add(1)
	go func() {
		defer r.group.Done()
		defer func() { <-r.slots }()
		answer(c)
	}()
}

func (r *refuser) wait() { r.group.Wait() }

// answer writes the refusal once the client has begun to ask, since clients
// drop an answer that comes unasked. Then it reads what else was sent: data
// that is left unread turns a close into a reset, which overtakes the answer.
func answer(c net.Conn) {
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(refusalTimeout)); err != nil {
		return
	}
	if _, err := c.Read(make([]byte, 1)); err != nil {
		return
	}
	if _, err := io.WriteString(c, refusal); err != nil {
		return
	}
	if t, ok := c.(*net.TCPConn); ok {
		t.CloseWrite()
	}
	_, _ = io.CopyN(io.Discard, c, maxRefusalRead)
}

package transport

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

// preface opens every raft connection: whoever does not send it has the wrong
// port.
const preface = "rota-raft/1\n"

const (
	defaultStreamConns    = 512
	defaultPrefaceTimeout = 10 * time.Second

	minAcceptDelay = 5 * time.Millisecond
	maxAcceptDelay = time.Second
)

// StreamConfig describes a StreamLayer. Listener and Logger are required.
type StreamConfig struct {
	// Listener is closed by the layer.
	Listener net.Listener
	// Advertise is the address that peers know this node by. Default: the
	// listener's.
	Advertise net.Addr
	// ServerTLS and ClientTLS switch TLS on; both or none.
	ServerTLS, ClientTLS *tls.Config
	// Dial replaces TCP.
	Dial DialFunc
	// MaxConns bounds accepted connections, those that have not yet sent the
	// preface included. Default 512.
	MaxConns int
	// PrefaceTimeout bounds TLS handshake and preface together. Default 10 s.
	PrefaceTimeout time.Duration
	Logger         *slog.Logger
}

// StreamLayer is raft's stream layer over TCP. Accept returns only connections
// that have sent the preface. Unlike raft's own it closes accepted connections
// on Close, so that a node which stopped falls silent at once. Safe for
// concurrent use.
type StreamLayer struct {
	cfg   StreamConfig
	set   *connSet
	ready chan net.Conn

	ctx     context.Context // ends with Close
	cancel  context.CancelFunc
	workers sync.WaitGroup
	once    sync.Once
	err     error
}

var _ raft.StreamLayer = (*StreamLayer)(nil)

// NewStreamLayer starts accepting connections.
func NewStreamLayer(cfg StreamConfig) (*StreamLayer, error) {
	if cfg.Listener == nil || cfg.Logger == nil {
		return nil, errors.New("raft stream layer: Listener and Logger are required")
	}
	if (cfg.ServerTLS == nil) != (cfg.ClientTLS == nil) {
		return nil, errors.New("raft stream layer: TLS needs a server and a client configuration")
	}
	if cfg.Advertise == nil {
		cfg.Advertise = cfg.Listener.Addr()
	}
	if cfg.MaxConns == 0 {
		cfg.MaxConns = defaultStreamConns
	}
	if cfg.PrefaceTimeout == 0 {
		cfg.PrefaceTimeout = defaultPrefaceTimeout
	}
	s := &StreamLayer{cfg: cfg, set: newConnSet(cfg.MaxConns, cfg.MaxConns), ready: make(chan net.Conn)}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.workers.Add(1)
	go s.serve()
	return s, nil
}

// serve accepts until the listener is closed.
func (s *StreamLayer) serve() {
	defer s.workers.Done()
	delay := minAcceptDelay
	for {
		conn, err := s.cfg.Listener.Accept()
		if err == nil {
			delay = minAcceptDelay
			s.admit(conn)
			continue
		}
		if s.ctx.Err() != nil {
			return
		}
		s.cfg.Logger.Warn("raft connection could not be accepted", "error", err)
		select {
		case <-s.ctx.Done():
			return
		case <-time.After(delay):
			delay = min(2*delay, maxAcceptDelay)
		}
	}
}

func (s *StreamLayer) admit(conn net.Conn) {
	if !s.set.add(conn) {
		s.cfg.Logger.Warn("raft connection refused: too many", "remote", conn.RemoteAddr(), "max", s.cfg.MaxConns)
		conn.Close()
		return
	}
	s.workers.Add(1)
	go func() {
		defer s.workers.Done()
		s.greet(&countedConn{Conn: conn, set: s.set})
	}()
}

// greet waits for the preface and hands the connection to Accept.
func (s *StreamLayer) greet(conn net.Conn) {
	remote := conn.RemoteAddr()
	conn, err := s.readPreface(conn)
	if err != nil {
		if s.ctx.Err() == nil {
			s.cfg.Logger.Warn("raft connection refused", "remote", remote, "error", err)
		}
		conn.Close()
		return
	}
	select {
	case s.ready <- conn:
	case <-s.ctx.Done():
		conn.Close()
	}
}

// readPreface returns the connection to use from here on, also on error.
func (s *StreamLayer) readPreface(conn net.Conn) (net.Conn, error) {
	if err := conn.SetDeadline(time.Now().Add(s.cfg.PrefaceTimeout)); err != nil {
		return conn, err
	}
	if s.cfg.ServerTLS != nil {
		conn = tls.Server(conn, s.cfg.ServerTLS)
	}
	// One byte at a time would be kinder to no one: whatever is wrong is wrong
	// within these few.
	buf := make([]byte, len(preface))
	if _, err := io.ReadFull(conn, buf); err != nil {
		return conn, fmt.Errorf("no preface: %w", err)
	}
	if !bytes.Equal(buf, []byte(preface)) {
		return conn, fmt.Errorf("this is the raft port, and it does not begin with %q but with %q", preface, buf)
	}
	return conn, conn.SetDeadline(time.Time{})
}

// Accept implements net.Listener.
func (s *StreamLayer) Accept() (net.Conn, error) {
	select {
	case c := <-s.ready:
		return c, nil
	case <-s.ctx.Done():
		return nil, net.ErrClosed
	}
}

// Addr returns the address to advertise.
func (s *StreamLayer) Addr() net.Addr { return s.cfg.Advertise }

// Dial implements raft.StreamLayer. The timeout covers connecting, TLS and the
// preface.
func (s *StreamLayer) Dial(address raft.ServerAddress, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(s.ctx, timeout)
	defer cancel()
	conn, err := s.dial(ctx, string(address))
	if err != nil {
		return nil, fmt.Errorf("raft connection to %s: %w", address, err)
	}
	if err := conn.SetWriteDeadline(time.Now().Add(timeout)); err != nil {
		conn.Close()
		return nil, err
	}
	if _, err := io.WriteString(conn, preface); err != nil {
		conn.Close()
		return nil, fmt.Errorf("raft connection to %s: %w", address, err)
	}
	return conn, conn.SetWriteDeadline(time.Time{})
}

// Close stops accepting, closes every accepted connection and waits for the
// goroutines of the layer.
func (s *StreamLayer) Close() error {
	s.once.Do(func() {
		s.cancel()
		s.err = s.cfg.Listener.Close()
		s.set.closeAll()
		s.workers.Wait()
	})
	return s.err
}

// dial connects, with TLS if the layer is given it.
func (s *StreamLayer) dial(ctx context.Context, addr string) (net.Conn, error) {
	conn, err := s.cfg.Dial.or(0)(ctx, "tcp", addr)
	if err != nil || s.cfg.ClientTLS == nil {
		return conn, err
	}
	config := s.cfg.ClientTLS
	if config.ServerName == "" {
		host, _, err := net.SplitHostPort(addr)
		if err != nil {
			conn.Close()
			return nil, err
		}
		config = config.Clone()
		config.ServerName = host
	}
	secure := tls.Client(conn, config)
	if err := secure.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, err
	}
	return secure, nil
}

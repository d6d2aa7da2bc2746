package transport

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"syscall"
	"time"
)

const (
	// WatchPath is where ServePeerWatch is to be mounted, for GET.
	WatchPath = "/v1/internal/watch"
	// IncarnationHeader carries the sender's incarnation, in both directions.
	IncarnationHeader = "X-Rota-Incarnation"
	// NodeHeader carries the name of the node that watches.
	NodeHeader = "X-Rota-Node"
	// IdentityHeader carries the identity of the node that is watched.
	IdentityHeader = "X-Rota-Node-Id"
)

const (
	defaultSilence    = 6 * time.Second
	defaultMinBackoff = 10 * time.Millisecond
	defaultMaxBackoff = time.Second
	peerEventBuffer   = 16
)

// PeerEventKind says what was seen of a peer.
type PeerEventKind int

const (
	// PeerConnected: the connection stands, and the peer said its incarnation.
	PeerConnected PeerEventKind = iota + 1
	// PeerClosed: the connection ended. By itself it proves nothing: a reset
	// may come from anywhere.
	PeerClosed
	// PeerRefused: the peer's host, alive, says that nobody listens there.
	// Reported once between two connections.
	PeerRefused
)

// String returns the name of the kind.
func (k PeerEventKind) String() string {
	switch k {
	case PeerConnected:
		return "connected"
	case PeerClosed:
		return "closed"
	case PeerRefused:
		return "refused"
	default:
		return "unknown"
	}
}

// PeerEvent is something seen of a peer.
type PeerEvent struct {
	Kind PeerEventKind
	// At is when it was noticed, in nanoseconds of WatchConfig.Mono. For
	// PeerRefused it is read after the refusal came back.
	At int64
	// Incarnation is the peer's, as it said last; 0 if it never did.
	Incarnation uint64
	// Err says why, for PeerClosed and PeerRefused.
	Err error
}

// Hello says who watches.
type Hello struct {
	Node        string
	Incarnation uint64
}

// WatchConfig describes a watch. Mono and Logger are required.
type WatchConfig struct {
	Hello Hello
	// Peer is the identity that must answer; empty means any. Another one at the
	// address proves as well as a refusal that nobody listens there for the peer.
	Peer string
	// Mono reads the clock that all instants are given in: nanoseconds that go
	// on while the machine sleeps.
	Mono   func() int64
	TLS    *tls.Config
	Logger *slog.Logger
	// Silence is how long the peer may say nothing before the connection counts
	// as closed. Default 6 s, three times what the other side sends.
	Silence time.Duration
	// Dial replaces TCP.
	Dial DialFunc
	// DialTimeout bounds one try to connect. Default 2 s.
	DialTimeout time.Duration
	// MinBackoff and MaxBackoff bound the pause between tries; the first try
	// after a connection ended is immediate. Default 10 ms and 1 s.
	MinBackoff, MaxBackoff time.Duration
}

// WatchPeer holds a connection to addr ("ip:port") and reports what becomes of
// it, in order. The channel has to be read: a full one stops the watch. It is
// closed when ctx has ended and the watch with it.
func WatchPeer(ctx context.Context, addr string, cfg WatchConfig) <-chan PeerEvent {
	cfg.Silence = cmp.Or(cfg.Silence, defaultSilence)
	cfg.DialTimeout = cmp.Or(cfg.DialTimeout, dialTimeout)
	cfg.MinBackoff = cmp.Or(cfg.MinBackoff, defaultMinBackoff)
	cfg.MaxBackoff = cmp.Or(cfg.MaxBackoff, defaultMaxBackoff)
	w := &watch{cfg: cfg, addr: addr, events: make(chan PeerEvent, peerEventBuffer)}
	w.client = w.newClient()
	go w.run(ctx)
	return w.events
}

type watch struct {
	cfg    WatchConfig
	addr   string
	client *http.Client
	events chan PeerEvent

	incarnation uint64
	refused     bool // reported since the last connection
}

// newClient returns a client that makes a connection for every request and
// never waits longer than Silence for a byte.
func (w *watch) newClient() *http.Client {
	connect := w.cfg.Dial.or(w.cfg.DialTimeout)
	return &http.Client{Transport: &http.Transport{
		DisableKeepAlives:   true,
		DisableCompression:  true,
		TLSClientConfig:     w.cfg.TLS,
		TLSHandshakeTimeout: w.cfg.DialTimeout,
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			c, err := connect(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			return &silenceConn{Conn: c, limit: w.cfg.Silence}, nil
		},
		MaxResponseHeaderBytes: maxHeaderBytes,
	}}
}

// silenceConn fails a read that waits longer than limit.
type silenceConn struct {
	net.Conn
	limit time.Duration
}

func (c *silenceConn) Read(p []byte) (int, error) {
	if err := c.SetReadDeadline(time.Now().Add(c.limit)); err != nil {
		return 0, err
	}
	return c.Conn.Read(p)
}

func (w *watch) run(ctx context.Context) {
	defer close(w.events)
	backoff := w.cfg.MinBackoff
	for ctx.Err() == nil {
		connected, err := w.hold(ctx)
		if ctx.Err() != nil {
			return // it ended because of us, which says nothing of the peer
		}
		if connected {
			backoff = w.cfg.MinBackoff
			w.emit(ctx, PeerClosed, err)
			continue
		}
		if (errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, errStranger)) && !w.refused {
			w.refused = true
			w.emit(ctx, PeerRefused, err)
		}
		w.cfg.Logger.Debug("peer cannot be watched", "peer", w.addr, "error", err)
		if !sleep(ctx, backoff/2+rand.N(backoff/2+1)) {
			return
		}
		backoff = min(2*backoff, w.cfg.MaxBackoff)
	}
}

func (w *watch) emit(ctx context.Context, kind PeerEventKind, err error) {
	e := PeerEvent{Kind: kind, At: w.cfg.Mono(), Incarnation: w.incarnation, Err: err}
	select {
	case w.events <- e:
	case <-ctx.Done():
	}
}

// errStranger: another node answers at the peer's address.
var errStranger = errors.New("another node answers")

// hold connects and stays until the connection ends.
func (w *watch) hold(ctx context.Context) (connected bool, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme(w.cfg.TLS)+"://"+w.addr+WatchPath, nil)
	if err != nil {
		return false, err
	}
	req.Header.Set(NodeHeader, w.cfg.Hello.Node)
	req.Header.Set(IncarnationHeader, strconv.FormatUint(w.cfg.Hello.Incarnation, 10))
	resp, err := w.client.Do(req)
	if err != nil {
		return false, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return false, fmt.Errorf("watch answered with HTTP status %d", resp.StatusCode)
	}
	if id := resp.Header.Get(IdentityHeader); w.cfg.Peer != "" && id != w.cfg.Peer {
		return false, fmt.Errorf("%w: it says %q, the peer is %q", errStranger, id, w.cfg.Peer)
	}
	incarnation, err := strconv.ParseUint(resp.Header.Get(IncarnationHeader), 10, 64)
	if err != nil || incarnation == 0 {
		return false, fmt.Errorf("watch answered without an incarnation")
	}
	w.incarnation, w.refused = incarnation, false
	w.emit(ctx, PeerConnected, nil)
	if _, err = io.Copy(io.Discard, resp.Body); err == nil {
		err = io.EOF
	}
	return true, err
}

// sleep reports whether it slept the whole time.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

package transport

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strconv"
	"sync/atomic"
	"time"
)

// ForwardedHeader counts how often a request was forwarded.
const ForwardedHeader = "X-Rota-Forwarded"

const (
	maxHops            = 3
	defaultForwardWait = 5 * time.Second
	forwardConns       = 256
	resolveInterval    = 25 * time.Millisecond
)

// ForwarderConfig describes a Forwarder. Resolve, OnError and Logger are
// required.
type ForwarderConfig struct {
	// Resolve names the node ("ip:port") that a request goes to; false means
	// that none is known at the moment. It is asked again before each try.
	Resolve func(*http.Request) (addr string, ok bool)
	// OnError answers a request that could not be forwarded. Nothing was
	// written before it is called. The error wraps ErrNoLeader, ErrUnreachable,
	// ErrUnknownFate or ErrLoop.
	OnError func(http.ResponseWriter, *http.Request, error)
	// Wait is how long a request waits for a node that is known and can be
	// reached. Default 5 s.
	Wait time.Duration
	TLS  *tls.Config
	// Dial replaces TCP.
	Dial   DialFunc
	Logger *slog.Logger
	// MaxConnsPerHost bounds the connections to one node, streams included;
	// further requests wait. Default 256, so that people who follow logs do not
	// hold up the writes.
	MaxConnsPerHost int
}

// Forwarder is an http.Handler that passes requests to another node and
// streams the answer. A request that may have arrived is never sent again
// unless it is a read. Safe for concurrent use.
type Forwarder struct {
	cfg       ForwarderConfig
	transport *http.Transport
	proxy     *httputil.ReverseProxy
	tries     atomic.Uint64
}

// NewForwarder returns a Forwarder; Close frees its idle connections.
func NewForwarder(cfg ForwarderConfig) *Forwarder {
	if cfg.Wait == 0 {
		cfg.Wait = defaultForwardWait
	}
	if cfg.MaxConnsPerHost == 0 {
		cfg.MaxConnsPerHost = forwardConns
	}
	f := &Forwarder{cfg: cfg, transport: newHTTPTransport(cfg.TLS, cfg.Dial, cfg.MaxConnsPerHost)}
	f.proxy = &httputil.ReverseProxy{
		Transport:     f.transport,
		Rewrite:       f.rewrite,
		FlushInterval: -1, // logs and events must not wait for a buffer to fill
		ErrorHandler:  func(_ http.ResponseWriter, r *http.Request, err error) { tryOf(r).err = err },
		ErrorLog:      slog.NewLogLogger(cfg.Logger.Handler(), slog.LevelDebug),
	}
	return f
}

// Tries returns how often a request was passed on, repetitions included.
func (f *Forwarder) Tries() uint64 { return f.tries.Load() }

// Close frees idle connections. Requests in flight go on.
func (f *Forwarder) Close() { f.transport.CloseIdleConnections() }

// try is one attempt to forward a request.
type try struct {
	addr string
	hops int
	delivery
	err error
}

type tryKey struct{}

func tryOf(r *http.Request) *try { return r.Context().Value(tryKey{}).(*try) }

func (f *Forwarder) rewrite(p *httputil.ProxyRequest) {
	t := tryOf(p.In)
	p.SetURL(&url.URL{Scheme: scheme(f.cfg.TLS), Host: t.addr})
	p.Out.Host = p.In.Host
	p.SetXForwarded()
	p.Out.Header.Set(ForwardedHeader, strconv.Itoa(t.hops+1))
}

// ServeHTTP implements http.Handler.
func (f *Forwarder) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	hops, err := hopsOf(r)
	if err != nil {
		f.cfg.OnError(w, r, err)
		return
	}
	body := &replayBody{ReadCloser: r.Body}
	deadline := time.Now().Add(f.cfg.Wait)
	last := ErrNoLeader
	for retries := 0; ; {
		addr, err := f.resolve(r, deadline, last)
		if err != nil {
			f.cfg.OnError(w, r, err)
			return
		}
		t := &try{addr: addr, hops: hops}
		f.attempt(w, r, t, body)
		if t.err == nil {
			return
		}
		last = fmt.Errorf("%w: %s: %w", t.fate(), addr, t.err)
		if !f.again(r, t, body, &retries) || time.Now().After(deadline) || !pause(r.Context()) {
			f.cfg.OnError(w, r, last)
			return
		}
	}
}

// attempt proxies once; t.err says what went wrong before the answer began.
func (f *Forwarder) attempt(w http.ResponseWriter, r *http.Request, t *try, body io.ReadCloser) {
	f.tries.Add(1)
	ctx := t.watch(context.WithValue(r.Context(), tryKey{}, t))
	out := r.WithContext(ctx)
	if r.Body != nil && r.Body != http.NoBody {
		out.Body = body
	}
	f.proxy.ServeHTTP(w, out)
}

// again reports whether a failed try may be repeated: always if it was not
// delivered and its body is intact, once if repeating it is harmless.
func (f *Forwarder) again(r *http.Request, t *try, body *replayBody, retries *int) bool {
	if r.Context().Err() != nil || body.touched.Load() {
		return false
	}
	if !t.started.Load() {
		return true
	}
	*retries++
	return *retries == 1 && (r.Method == http.MethodGet || r.Method == http.MethodHead)
}

// resolve waits for an address until the deadline, then returns last.
func (f *Forwarder) resolve(r *http.Request, deadline time.Time, last error) (string, error) {
	for {
		if addr, ok := f.cfg.Resolve(r); ok {
			return addr, nil
		}
		if !time.Now().Before(deadline) {
			return "", last
		}
		if !pause(r.Context()) {
			return "", fmt.Errorf("%w: %w", last, r.Context().Err())
		}
	}
}

// pause waits a moment and reports whether the client and the server are still
// there.
func pause(ctx context.Context) bool {
	timer := time.NewTimer(resolveInterval)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
	case <-Closing(ctx):
	}
	return false
}

func hopsOf(r *http.Request) (int, error) {
	v := r.Header.Get(ForwardedHeader)
	if v == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("%w: header %s is %q", ErrLoop, ForwardedHeader, v)
	}
	if n >= maxHops {
		return 0, fmt.Errorf("%w: %d times; the nodes disagree about who leads", ErrLoop, n)
	}
	return n, nil
}

// replayBody survives the Close of a try that read nothing of it. The server
// closes the body itself in the end.
type replayBody struct {
	io.ReadCloser
	touched atomic.Bool
}

func (b *replayBody) Read(p []byte) (int, error) {
	b.touched.Store(true)
	n, err := b.ReadCloser.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = fmt.Errorf("client's body: %w", err)
	}
	return n, err
}

func (b *replayBody) Close() error { return nil }

package transport

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

const (
	defaultHTTPConns         = 1024
	defaultMaxBody           = 16 << 20
	defaultReadHeaderTimeout = 5 * time.Second
	defaultIdleTimeout       = 120 * time.Second
	maxHeaderBytes           = 64 << 10
)

// HTTPConfig describes an HTTPServer. Handler and Logger are required.
type HTTPConfig struct {
	Handler http.Handler
	Logger  *slog.Logger
	// TLS switches HTTPS on.
	TLS *tls.Config
	// MaxConns bounds connections; one more is answered with status 503.
	// Default 1024.
	MaxConns int
	// MaxConnsPerHost keeps one host from taking them all. Default: half of
	// MaxConns.
	MaxConnsPerHost int
	// MaxBodyBytes bounds a request's body. Default 16 MiB.
	MaxBodyBytes int64
	// ReadHeaderTimeout (default 5 s) and IdleTimeout (default 120 s) free
	// connections that say nothing.
	ReadHeaderTimeout, IdleTimeout time.Duration
}

// HTTPServer serves HTTP on one listener.
type HTTPServer struct {
	server  *http.Server
	cfg     HTTPConfig
	set     *connSet
	closing chan struct{} // closed when Shutdown has closed the listener
	cancel  context.CancelFunc
	err     chan error
	done    chan struct{} // closed when serving ended
	refuser *refuser
	start   sync.Once
	stop    sync.Once
	stopErr error
}

type closingKey struct{}

// Closing returns a channel that is closed when the server of the request with
// this context begins to stop. Handlers that stream without an end must watch
// it beside ctx, or they hold Shutdown up until it cuts them off. It is nil for
// a context that does not come from an HTTPServer.
func Closing(ctx context.Context) <-chan struct{} {
	c, _ := ctx.Value(closingKey{}).(chan struct{})
	return c
}

// NewHTTPServer returns a server that Start sets to work.
func NewHTTPServer(cfg HTTPConfig) *HTTPServer {
	if cfg.MaxConns == 0 {
		cfg.MaxConns = defaultHTTPConns
	}
	if cfg.MaxConnsPerHost == 0 {
		cfg.MaxConnsPerHost = max(1, cfg.MaxConns/2)
	}
	if cfg.MaxBodyBytes == 0 {
		cfg.MaxBodyBytes = defaultMaxBody
	}
	if cfg.ReadHeaderTimeout == 0 {
		cfg.ReadHeaderTimeout = defaultReadHeaderTimeout
	}
	if cfg.IdleTimeout == 0 {
		cfg.IdleTimeout = defaultIdleTimeout
	}
	s := &HTTPServer{
		cfg:     cfg,
		set:     newConnSet(cfg.MaxConns, cfg.MaxConnsPerHost),
		closing: make(chan struct{}),
		err:     make(chan error, 1),
		done:    make(chan struct{}),
		refuser: newRefuser(),
	}
	base, cancel := context.WithCancel(context.WithValue(context.Background(), closingKey{}, s.closing))
	s.cancel = cancel
	s.server = &http.Server{
		Handler:           http.MaxBytesHandler(cfg.Handler, cfg.MaxBodyBytes),
		TLSConfig:         cfg.TLS,
		ReadHeaderTimeout: cfg.ReadHeaderTimeout,
		IdleTimeout:       cfg.IdleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(quietHandler{cfg.Logger.Handler()}, slog.LevelWarn),
		BaseContext:       func(net.Listener) context.Context { return base },
	}
	// After the listener is closed, not before: a watcher whose stream ends
	// comes back at once, and must then find nobody.
	s.server.RegisterOnShutdown(func() { close(s.closing) })
	return s
}

// Start serves on ln until Shutdown, which closes it. Only the first call
// counts.
func (s *HTTPServer) Start(ln net.Listener) {
	s.start.Do(func() {
		go s.serve(&limitListener{
			Listener: ln, set: s.set, plain: s.cfg.TLS == nil, refuser: s.refuser, logger: s.cfg.Logger,
		})
	})
}

func (s *HTTPServer) serve(ln net.Listener) {
	defer close(s.done)
	var err error
	if s.cfg.TLS != nil {
		err = s.server.ServeTLS(ln, "", "")
	} else {
		err = s.server.Serve(ln)
	}
	if !errors.Is(err, http.ErrServerClosed) {
		s.err <- err
	}
}

// Err returns a channel with the error that ended serving, if it was not
// Shutdown.
func (s *HTTPServer) Err() <-chan error { return s.err }

// Shutdown closes the listener, tells streams to end (see Closing) and waits
// for the requests in flight. When ctx ends first it cuts them off and returns
// the context's error. Later calls return what the first did.
func (s *HTTPServer) Shutdown(ctx context.Context) error {
	s.stop.Do(func() {
		s.stopErr = s.server.Shutdown(ctx)
		s.cancel()
		if s.stopErr != nil {
			s.server.Close()
			s.set.closeAll()
		}
		s.start.Do(func() { close(s.done) }) // never started
		<-s.done
		s.refuser.wait()
	})
	return s.stopErr
}

// quietHandler lowers what net/http reports about single clients: a scanner
// must not fill the log.
type quietHandler struct{ slog.Handler }

func (h quietHandler) Handle(ctx context.Context, r slog.Record) error {
	if strings.Contains(r.Message, "TLS handshake error") {
		r.Level = slog.LevelDebug
	}
	if !h.Handler.Enabled(ctx, r.Level) {
		return nil
	}
	return h.Handler.Handle(ctx, r)
}

package transport

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
	"time"
)

const (
	dialTimeout         = 2 * time.Second
	tlsTimeout          = 5 * time.Second
	clientIdleTimeout   = 60 * time.Second
	defaultConnsPerHost = 64
	maxIdleConns        = 128
)

// DialFunc connects to an address as net.Dialer.DialContext does; nil means TCP.
// A simulation gives its own network. A refusal must wrap ECONNREFUSED.
type DialFunc func(ctx context.Context, network, addr string) (net.Conn, error)

// or returns the function, or a TCP dialer with that time limit.
func (f DialFunc) or(timeout time.Duration) DialFunc {
	if f != nil {
		return f
	}
	return (&net.Dialer{Timeout: timeout, KeepAlive: 15 * time.Second}).DialContext
}

// newHTTPTransport returns a client side with limits. Answers may stream, so
// nothing bounds their duration but the request's context.
func newHTTPTransport(config *tls.Config, dial DialFunc, connsPerHost int) *http.Transport {
	if connsPerHost == 0 {
		connsPerHost = defaultConnsPerHost
	}
	return &http.Transport{
		DialContext:            dial.or(dialTimeout),
		TLSClientConfig:        config,
		TLSHandshakeTimeout:    tlsTimeout,
		MaxIdleConns:           maxIdleConns,
		MaxIdleConnsPerHost:    connsPerHost,
		MaxConnsPerHost:        connsPerHost,
		IdleConnTimeout:        clientIdleTimeout,
		MaxResponseHeaderBytes: maxHeaderBytes,
		DisableCompression:     true,
	}
}

func scheme(config *tls.Config) string {
	if config != nil {
		return "https"
	}
	return "http"
}

// delivery notes whether a request got hold of a connection. Before that it
// was surely not delivered; after that nobody knows.
type delivery struct{ started atomic.Bool }

func (d *delivery) watch(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { d.started.Store(true) },
	})
}

// fate returns the sentinel for a request that failed without an answer.
func (d *delivery) fate() error {
	if d.started.Load() {
		return ErrUnknownFate
	}
	return ErrUnreachable
}

package transport

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
)

// CallerConfig describes a Caller. The zero value is usable.
type CallerConfig struct {
	// TLS switches HTTPS on.
	TLS *tls.Config
	// Dial replaces TCP.
	Dial DialFunc
	// MaxBodyBytes bounds both bodies. Default 16 MiB.
	MaxBodyBytes int64
	// MaxConnsPerHost bounds the connections to one node; further calls wait.
	// Default 64.
	MaxConnsPerHost int
}

// Caller makes JSON calls to other nodes. Safe for concurrent use.
type Caller struct {
	cfg       CallerConfig
	transport *http.Transport
	client    *http.Client
	calls     atomic.Uint64
}

// NewCaller returns a Caller; Close frees its idle connections.
func NewCaller(cfg CallerConfig) *Caller {
	if cfg.MaxBodyBytes == 0 {
		cfg.MaxBodyBytes = defaultMaxBody
	}
	t := newHTTPTransport(cfg.TLS, cfg.Dial, cfg.MaxConnsPerHost)
	return &Caller{cfg: cfg, transport: t, client: &http.Client{
		Transport: t,
		// A node never redirects another; following one would send a write twice.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Call sends in as JSON to addr ("ip:port") and decodes the answer into out;
// either may be nil. Path may carry a query. The only time limit is ctx. An
// error wraps *APIError, ErrUnreachable, ErrUnknownFate or ErrTooLarge.
func (c *Caller) Call(ctx context.Context, addr, method, path string, in, out any) error {
	if err := c.call(ctx, addr, method, path, in, out); err != nil {
		return fmt.Errorf("%s %s on %s: %w", method, path, addr, err)
	}
	return nil
}

func (c *Caller) call(ctx context.Context, addr, method, path string, in, out any) error {
	var d delivery
	req, err := c.request(d.watch(ctx), addr, method, path, in)
	if err != nil {
		return err
	}
	c.calls.Add(1)
	resp, err := c.client.Do(req)
	if err != nil {
		return fmt.Errorf("%w: %w", d.fate(), err)
	}
	defer resp.Body.Close()
	body, err := readBounded(resp.Body, c.cfg.MaxBodyBytes)
	if err != nil {
		return fmt.Errorf("%w: answer: %w", ErrUnknownFate, err)
	}
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return apiError(resp.StatusCode, body)
	}
	if out == nil || len(body) == 0 {
		return nil
	}
	if err := json.Unmarshal(body, out); err != nil {
		return fmt.Errorf("answer is no such JSON: %w", err)
	}
	return nil
}

func (c *Caller) request(ctx context.Context, addr, method, path string, in any) (*http.Request, error) {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return nil, err
		}
		if int64(len(b)) > c.cfg.MaxBodyBytes {
			return nil, fmt.Errorf("%w: request of %d bytes, limit %d", ErrTooLarge, len(b), c.cfg.MaxBodyBytes)
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, scheme(c.cfg.TLS)+"://"+addr+path, body)
	if err != nil {
		return nil, err
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	req.Header.Set("Accept", "application/json")
	return req, nil
}

// Calls returns how many calls were made, those that failed included.
func (c *Caller) Calls() uint64 { return c.calls.Load() }

// Close frees idle connections. Calls in flight go on.
func (c *Caller) Close() { c.transport.CloseIdleConnections() }

func readBounded(r io.Reader, limit int64) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(b)) > limit {
		return nil, fmt.Errorf("%w: more than %d bytes", ErrTooLarge, limit)
	}
	return b, nil
}

// apiError decodes the error envelope. A body that is none, as a proxy in
// between would send, is quoted.
func apiError(status int, body []byte) error {
	var envelope struct {
		Error struct {
			Code    string `json:"code"`
			Message string `json:"message"`
			Index   uint64 `json:"index"`
		} `json:"error"`
	}
	e := &APIError{Status: status}
	if err := json.Unmarshal(body, &envelope); err == nil && envelope.Error.Code != "" {
		e.Code, e.Message, e.Index = envelope.Error.Code, envelope.Error.Message, envelope.Error.Index
		return e
	}
	const quote = 200
	e.Message = string(bytes.ToValidUTF8(body[:min(len(body), quote)], []byte("?")))
	if e.Message == "" {
		e.Message = http.StatusText(status)
	}
	return e
}

package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Bounds of a call.
const (
	// callTimeout is how long an answer may take beyond what was asked to wait.
	callTimeout = 30 * time.Second
	// defaultSettle is how long the server waits where a call names no wait.
	defaultSettle = 30 * time.Second
	dialTimeout   = 5 * time.Second
	maxAnswer     = 256 << 20
	maxErrorBody  = 1 << 20
)

// Names in the protocol.
const (
	// DefaultPort is where an agent serves HTTP.
	DefaultPort          = "7700"
	HeaderIndex          = "X-Rota-Index"
	HeaderFilename       = "X-Rota-Filename"
	HeaderIdempotencyKey = "Idempotency-Key"
)

// Client talks to one agent. Any agent answers any call. It may be used from
// many goroutines.
type Client struct {
	base *url.URL
	http *http.Client
}

// NewClient makes a client for the agent at addr: "http://host:port", or
// "host:port", or a host alone. It does not connect yet.
func NewClient(addr string) (*Client, error) {
	return NewClientOver(addr, (&net.Dialer{Timeout: dialTimeout, KeepAlive: 15 * time.Second}).DialContext)
}

// NewClientOver makes a client whose connections the given function opens. It
// may be called from many goroutines at once.
func NewClientOver(addr string, dial func(ctx context.Context, network, addr string) (net.Conn, error)) (*Client, error) {
	base, err := parseAddr(addr)
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         dial,
		MaxIdleConnsPerHost: 16,
		IdleConnTimeout:     30 * time.Second,
		TLSHandshakeTimeout: dialTimeout,
	}
	// Agents forward by themselves and never redirect; following one could
	// send a write twice.
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Client{base: base, http: &http.Client{Transport: transport, CheckRedirect: stay}}, nil
}

func parseAddr(addr string) (*url.URL, error) {
	bad := func(why string) error {
		return fmt.Errorf("address %q: %s; want a form such as http://127.0.0.1:%s", addr, why, DefaultPort)
	}
	full := addr
	if !strings.Contains(addr, "://") {
		if _, _, err := net.SplitHostPort(addr); err != nil {
			full = net.JoinHostPort(strings.Trim(addr, "[]"), DefaultPort)
		}
		full = "http://" + full
	}
	u, err := url.Parse(full)
	switch {
	case err != nil:
		return nil, bad("it cannot be read")
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, bad("the scheme is neither http nor https")
	case u.Hostname() == "":
		return nil, bad("it names no host")
	case u.RawQuery != "" || u.Fragment != "" || u.User != nil:
		return nil, bad("it holds more than scheme, host, port and path")
	}
	u.Path = strings.TrimRight(u.Path, "/")
	return u, nil
}

// Addr returns the address as a URL.
func (c *Client) Addr() string { return c.base.String() }

// Close lets go of idle connections. Calls under way go on.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// request is one call: what is sent and how long its answer may take.
type request struct {
	method string
	path   string
	query  url.Values
	header http.Header
	body   []byte
	// wait is for how long the server was asked to hold the answer back.
	wait time.Duration
}

// call sends r and decodes the answer into out, unless that is nil. It returns
// the answer's index, 0 if it names none.
func (c *Client) call(ctx context.Context, r request, out any) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, r.wait+callTimeout)
	defer cancel()
	resp, err := c.send(ctx, r)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	index, _ := strconv.ParseUint(resp.Header.Get(HeaderIndex), 10, 64)
	if out == nil {
		_, err = io.Copy(io.Discard, io.LimitReader(resp.Body, maxAnswer))
	} else {
		err = json.NewDecoder(io.LimitReader(resp.Body, maxAnswer)).Decode(out)
	}
	if err != nil {
		return 0, c.broken(r, fmt.Errorf("reading the answer: %w", err))
	}
	return index, nil
}

// send returns the answer if it is a 2xx; its body is the caller's to close.
func (c *Client) send(ctx context.Context, r request) (*http.Response, error) {
	u := *c.base
	u.Path += r.path
	u.RawQuery = r.query.Encode()
	var body io.Reader
	if r.body != nil {
		body = bytes.NewReader(r.body)
	}
	req, err := http.NewRequestWithContext(ctx, r.method, u.String(), body)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", r.method, &u, err)
	}
	for name, values := range r.header {
		req.Header[name] = values
	}
	req.Header.Set("Accept", "application/json")
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, c.broken(r, err)
	}
	if resp.StatusCode/100 != 2 {
		defer resp.Body.Close()
		return nil, statusError(resp)
	}
	return resp, nil
}

// broken names what a connection that failed means for the call.
func (c *Client) broken(r request, err error) error {
	var dial *net.OpError
	switch {
	case errors.As(err, &dial) && dial.Op == "dial" && !errors.Is(err, context.Canceled):
		why := dial.Err.Error()
		if errors.Is(err, syscall.ECONNREFUSED) {
			why = "the connection was refused"
		}
		return &noServer{addr: c.Addr(), why: why, err: err}
	case r.method != http.MethodGet:
		return &StatusError{
			Code: CodeUnknownFate,
			Message: fmt.Sprintf("the connection to %s broke before the answer to %s %s came: it may or may not have happened; look before you repeat it",
				c.Addr(), r.method, r.path),
			Err: err,
		}
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%s did not answer %s %s in time: %w", c.Addr(), r.method, r.path, err)
	default:
		return fmt.Errorf("%s %s%s: %w", r.method, c.Addr(), r.path, rootOf(err))
	}
}

// rootOf drops the method and the address that net/http puts before an error.
func rootOf(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// statusError reads the body of an answer that is not 2xx. A body that is not
// ours, from a proxy say, is kept as the message, cut short.
func statusError(resp *http.Response) error {
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxErrorBody))
	var body Error
	if err == nil && json.Unmarshal(raw, &body) == nil && body.Error.Code != "" {
		b := body.Error
		return &StatusError{Status: resp.StatusCode, Code: b.Code, Message: b.Message, Diagnostics: b.Diagnostics}
	}
	text := strings.TrimSpace(string(raw))
	if len(text) > 200 {
		text = text[:200] + "…"
	}
	message := "the agent answered " + resp.Status
	if text != "" {
		message += ": " + text
	}
	return &StatusError{Status: resp.StatusCode, Code: CodeInternal, Message: message, Err: err}
}

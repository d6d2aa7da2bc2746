package httpcall

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Bounds of every call.
const (
	MaxBody      = 64 << 10 // bytes read of an answer's body
	TailBytes    = 4 << 10  // bytes kept of those
	MaxRedirects = 5

	maxHeader       = 64 << 10
	connsPerHost    = 64
	idlePerHost     = 4
	idleConnections = 64
	idleTimeout     = 30 * time.Second
	dialTimeout     = 10 * time.Second
	tlsTimeout      = 10 * time.Second
)

// Client makes calls. It may be used concurrently.
type Client struct {
	http      *http.Client
	transport *http.Transport
}

// New returns a client. Close must be called when it is no longer used.
func New() *Client {
	t := &http.Transport{
		Proxy:                  nil, // a job's traffic must not depend on the agent's environment
		DialContext:            (&net.Dialer{Timeout: dialTimeout}).DialContext,
		ForceAttemptHTTP2:      true,
		MaxIdleConns:           idleConnections,
		MaxIdleConnsPerHost:    idlePerHost,
		MaxConnsPerHost:        connsPerHost,
		IdleConnTimeout:        idleTimeout,
		TLSHandshakeTimeout:    tlsTimeout,
		MaxResponseHeaderBytes: maxHeader,
	}
	return &Client{transport: t, http: &http.Client{Transport: t, CheckRedirect: redirect}}
}

// Close closes idle connections. Calls under way go on.
func (c *Client) Close() { c.transport.CloseIdleConnections() }

var errRedirects = fmt.Errorf("stopped after %d redirects", MaxRedirects)

// harmless are the headers that another host may see. Any other one may be a key.
var harmless = []string{"Accept", "Accept-Language", "Content-Type", "User-Agent"}

// redirect decides on a request that a redirect asks for; via are those before.
func redirect(next *http.Request, via []*http.Request) error {
	if len(via) > MaxRedirects {
		return errRedirects
	}
	next.Header.Del("Referer") // a URL may hold a secret, too
	if first := via[0].URL; next.URL.Host != first.Host || next.URL.Scheme != first.Scheme {
		for name := range next.Header {
			if !slices.Contains(harmless, name) {
				next.Header.Del(name)
			}
		}
	}
	return nil
}

// errTimeout is the cause of a context that the call's own timeout has ended.
var errTimeout = errors.New("timeout")

// Do makes the call and waits for its end.
func (c *Client) Do(ctx context.Context, call Call) Result {
	if err := call.Check(); err != nil {
		return Result{Outcome: StartFailed, Error: err.Error()}
	}
	if ctx.Err() != nil {
		return Result{Outcome: Cancelled, Error: "cancelled before it was sent"}
	}
	expected, err := parseStatuses(call.ExpectedStatus)
	if err != nil {
		return Result{Outcome: StartFailed, Error: err.Error()}
	}
	req, err := call.request()
	if err != nil {
		return Result{Outcome: StartFailed, Error: err.Error()}
	}
	if call.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, call.Timeout, errTimeout)
		defer cancel()
	}
	resp, err := c.http.Do(req.WithContext(ctx))
	if err != nil {
		return broken(ctx, call, req.URL, err)
	}
	defer resp.Body.Close()
	return answered(ctx, call, resp, expected)
}

// answered judges an answer, once its body is there.
func answered(ctx context.Context, call Call, resp *http.Response, expected statusSet) Result {
	at := resp.Request.URL // the last one, where there were redirects
	body, err := io.ReadAll(io.LimitReader(resp.Body, MaxBody+1))
	r := Result{Outcome: Succeeded}
	if err != nil {
		r = broken(ctx, call, at, fmt.Errorf("read the body: %w", err))
	}
	r.Status = resp.StatusCode
	if len(body) > MaxBody {
		body, r.Truncated = body[:MaxBody], true
	}
	r.BodyBytes = int64(len(body))
	if over := len(body) - TailBytes; over > 0 {
		body, r.Truncated = body[over:], true
	}
	r.Tail = body
	if err == nil && !expected.has(r.Status) {
		r.Outcome = Failed
		r.Error = fmt.Sprintf("HTTP %d from %s: expected %s", r.Status, at.Redacted(), expected.text)
	}
	return r
}

// broken is the result of a call that has no complete answer.
func broken(ctx context.Context, call Call, at *url.URL, err error) Result {
	method := call.Method
	if method == "" {
		method = http.MethodGet
	}
	err = withoutURL(err)
	what := fmt.Sprintf("%s %s", method, at.Redacted())
	switch {
	case errors.Is(context.Cause(ctx), errTimeout):
		return Result{Outcome: Timeout, Error: fmt.Sprintf("%s: no complete answer within %s", what, call.Timeout)}
	case ctx.Err() != nil:
		return Result{Outcome: Cancelled, Error: what + ": cancelled while waiting for the answer"}
	}
	text := err.Error()
	if strings.Contains(text, "readLoopPeekFailLocked") {
		// net/http's own words for a server that spoke before it was asked.
		text = "malformed HTTP: the server spoke before it was asked"
	}
	return Result{Outcome: Failed, Error: what + ": " + text}
}

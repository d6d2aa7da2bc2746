package notifier

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/rota-scheduler/rota/fsm"
)

// Headers of a request.
const (
	HeaderEventID   = "Rota-Event-Id"
	HeaderEvent     = "Rota-Event"
	HeaderAttempt   = "Rota-Delivery-Attempt"
	HeaderTimestamp = "Rota-Timestamp"
	HeaderSignature = "Rota-Signature"
)

// Bounds of a request.
const (
	maxAnswer   = 4 << 10
	maxShown    = 200 // bytes of an answer that an error shows
	maxHeaders  = 16 << 10
	idleTimeout = 30 * time.Second
	idleConns   = 64
)

// DialFunc connects to an address; nil means TCP.
type DialFunc func(ctx context.Context, network, addr string) (net.Conn, error)

// newClient makes the client of all webhooks. It follows no redirect: what is
// signed is meant for one receiver.
func newClient(dial DialFunc) *http.Client {
	if dial == nil {
		dial = (&net.Dialer{}).DialContext
	}
	return &http.Client{
		Transport: &http.Transport{
			Proxy:                  nil, // a job's traffic must not depend on the agent's environment
			DialContext:            dial,
			ForceAttemptHTTP2:      true,
			MaxIdleConns:           idleConns,
			MaxIdleConnsPerHost:    perReceiver,
			IdleConnTimeout:        idleTimeout,
			MaxResponseHeaderBytes: maxHeaders,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// post makes one try. The error holds neither the URL, which may be a secret, nor
// the secret.
func (c *Notifier) post(ctx context.Context, n *fsm.Notification) error {
	body, err := Encode(&n.Event)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, n.Target.URL, bytes.NewReader(body))
	if err != nil {
		return withoutURL(err)
	}
	secret, err := c.secrets.of(ctx, n.Target)
	if err != nil {
		return err
	}
	sign(req, n, body, secret, c.cfg.Wall())
	resp, err := c.client.Do(req)
	if err != nil {
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return fmt.Errorf("no answer within %s", n.Target.Limit())
		}
		return withoutURL(err)
	}
	defer resp.Body.Close()
	// Also of a success, so that the connection can serve again. What it says does
	// not count, nor whether it breaks off: the status says that the event was taken.
	answer, _ := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if resp.StatusCode/100 != 2 {
		err := fmt.Errorf("answered %d: %s", resp.StatusCode, shown(answer))
		if after := retryAfter(resp, c.cfg.Wall()); after > 0 {
			return &busyError{err, after}
		}
		return err
	}
	return nil
}

// busyError: the receiver asks to be left alone for a while.
type busyError struct {
	error
	after time.Duration
}

func (e *busyError) Unwrap() error { return e.error }

// retryAfter is how long the answer of a busy receiver asks to wait: it names
// seconds or an instant. 0 means that it does not ask, or in no form that is known.
func retryAfter(resp *http.Response, now time.Time) time.Duration {
	if resp.StatusCode != http.StatusTooManyRequests && resp.StatusCode != http.StatusServiceUnavailable {
		return 0
	}
	value := resp.Header.Get("Retry-After")
	if seconds, err := strconv.ParseUint(value, 10, 64); err == nil {
		return time.Duration(min(seconds, uint64(maxPause/time.Second))) * time.Second
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	return max(at.Sub(now), 0)
}

// sign sets the headers of a request; now is the wall clock, which the receiver
// compares with its own.
func sign(req *http.Request, n *fsm.Notification, body []byte, secret string, now time.Time) {
	timestamp := strconv.FormatInt(now.Unix(), 10)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "rota")
	req.Header.Set(HeaderEventID, n.ID)
	req.Header.Set(HeaderEvent, n.Name)
	req.Header.Set(HeaderAttempt, strconv.Itoa(n.Tries+1))
	req.Header.Set(HeaderTimestamp, timestamp)
	if secret != "" {
		req.Header.Set(HeaderSignature, Sign(secret, timestamp, body))
	}
}

// shown makes the beginning of an answer fit for a line of text.
func shown(answer []byte) string {
	text := strings.Join(strings.Fields(strings.ToValidUTF8(string(answer), "?")), " ")
	if len(text) > maxShown {
		text = strings.ToValidUTF8(text[:maxShown], "") + "…"
	}
	return strconv.Quote(text)
}

func withoutURL(err error) error {
	if named, ok := errors.AsType[*url.Error](err); ok {
		return named.Err
	}
	return err
}

package httpcall

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// ErrInvalid means that a call cannot be made as written.
var ErrInvalid = errors.New("invalid http call")

// Call is one request to make.
type Call struct {
	// Method is GET if empty.
	Method string
	// URL is absolute, http or https.
	URL string
	// Headers are set as given. Host sets the request's host.
	Headers map[string]string
	Body    []byte
	// ExpectedStatus lists what counts as success: "204", "2xx", "200-299".
	// Empty means any of 2xx.
	ExpectedStatus []string
	// Timeout bounds the whole call, redirects and body included; 0 means that
	// only the context does.
	Timeout time.Duration
}

// Check says what is wrong with a call without making it. Errors: ErrInvalid.
func (c Call) Check() error {
	if _, err := parseStatuses(c.ExpectedStatus); err != nil {
		return err
	}
	if c.Timeout < 0 {
		return fmt.Errorf("%w: negative timeout %s", ErrInvalid, c.Timeout)
	}
	u, err := url.Parse(c.URL)
	switch {
	case err != nil:
		return fmt.Errorf("%w: url: %w", ErrInvalid, withoutURL(err))
	case u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		return fmt.Errorf("%w: url %q must be absolute, with http or https", ErrInvalid, u.Redacted())
	}
	_, err = c.request()
	return err
}

// withoutURL takes the URL, and what may be secret in it, out of an error.
func withoutURL(err error) error {
	var named *url.Error
	if errors.As(err, &named) {
		return named.Err
	}
	return err
}

func (c Call) request() (*http.Request, error) {
	r, err := http.NewRequest(strings.ToUpper(c.Method), c.URL, strings.NewReader(string(c.Body)))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	for name, value := range c.Headers {
		if strings.ContainsAny(name, " \t\r\n:") || name == "" || strings.ContainsAny(value, "\r\n\x00") {
			return nil, fmt.Errorf("%w: header %q holds a character that headers cannot", ErrInvalid, name)
		}
		r.Header.Set(name, value)
	}
	if host := r.Header.Get("Host"); host != "" {
		r.Host = host
		r.Header.Del("Host")
	}
	return r, nil
}

// Outcome is how a call ended.
type Outcome string

// The outcomes.
const (
	Succeeded   Outcome = "succeeded"    // an expected status
	Failed      Outcome = "failed"       // another status, or no answer
	Timeout     Outcome = "timeout"      // the timeout ended it; it may have been acted upon
	Cancelled   Outcome = "cancelled"    // the context ended it; it may have been acted upon
	StartFailed Outcome = "start_failed" // nothing was sent
)

// Result is how a call ended.
type Result struct {
	Outcome Outcome
	// Status is that of the last answer; 0 if there was none.
	Status int
	// Error says what happened where the outcome is not Succeeded. Passwords in
	// URLs are left out.
	Error string
	// Tail is the end of what was read of the body.
	Tail []byte
	// BodyBytes is how much of the body was read.
	BodyBytes int64
	// Truncated means that the body was longer than what is read, or that Tail
	// does not hold all that was read.
	Truncated bool
}

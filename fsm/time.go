package fsm

import (
	"encoding/json"
	"fmt"
	"time"
)

// Time is an instant: nanoseconds since the Unix epoch in UTC. Zero means unset.
// It is an integer, and not a time.Time, so that it encodes to the same bytes on
// every node.
type Time int64

// At converts t; the zero time.Time becomes the unset Time.
func At(t time.Time) Time {
	if t.IsZero() {
		return 0
	}
	return Time(t.UnixNano())
}

// Time returns the instant in UTC, or the zero time.Time if t is unset.
func (t Time) Time() time.Time {
	if t == 0 {
		return time.Time{}
	}
	return time.Unix(0, int64(t)).UTC()
}

// Add returns t+d.
func (t Time) Add(d Duration) Time { return t + Time(d) }

// Sub returns t-o.
func (t Time) Sub(o Time) time.Duration { return time.Duration(t - o) }

// String formats t as RFC 3339 with nanoseconds; an unset Time is "".
func (t Time) String() string {
	if t == 0 {
		return ""
	}
	return t.Time().Format(time.RFC3339Nano)
}

// MarshalJSON writes RFC 3339, or null when unset.
func (t Time) MarshalJSON() ([]byte, error) {
	if t == 0 {
		return []byte("null"), nil
	}
	return json.Marshal(t.String())
}

// UnmarshalJSON reads RFC 3339, null or "".
func (t *Time) UnmarshalJSON(b []byte) error {
	var s *string
	if err := json.Unmarshal(b, &s); err != nil {
		return fmt.Errorf("time %s: want an RFC 3339 string: %w", b, err)
	}
	if s == nil || *s == "" {
		*t = 0
		return nil
	}
	v, err := time.Parse(time.RFC3339Nano, *s)
	if err != nil {
		return fmt.Errorf("time %q: want RFC 3339, such as 2026-03-01T02:00:00Z: %w", *s, err)
	}
	*t = At(v)
	return nil
}

// Duration is a span in nanoseconds that reads and writes as "1h30m" in JSON.
type Duration int64

// String formats d as Go does: "1h30m0s".
func (d Duration) String() string { return time.Duration(d).String() }

// MarshalJSON writes "30s".
func (d Duration) MarshalJSON() ([]byte, error) { return json.Marshal(d.String()) }

// UnmarshalJSON reads "30s", or a number of nanoseconds.
func (d *Duration) UnmarshalJSON(b []byte) error {
	var n int64
	if json.Unmarshal(b, &n) == nil {
		*d = Duration(n)
		return nil
	}
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return fmt.Errorf("duration %s: want a string such as \"90s\" or \"1h30m\"", b)
	}
	v, err := time.ParseDuration(s)
	if err != nil {
		return fmt.Errorf("duration %q: want a form such as \"90s\" or \"1h30m\": %w", s, err)
	}
	*d = Duration(v)
	return nil
}

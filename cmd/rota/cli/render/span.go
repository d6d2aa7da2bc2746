package render

import (
	"fmt"
	"strconv"
	"time"

	"github.com/rota-scheduler/rota/fsm"
)

const day = 24 * time.Hour

// Span writes a duration in at most two units: "1.2ms", "45s", "3m20s", "2d4h".
func Span(d time.Duration) string {
	if d < 0 {
		return "-" + Span(-d)
	}
	switch {
	case d == 0:
		return "0s"
	case d < time.Millisecond:
		return strconv.FormatInt(d.Microseconds(), 10) + "µs"
	case d < 100*time.Millisecond:
		return fraction(d, time.Millisecond) + "ms"
	case d < time.Second:
		return strconv.FormatInt(d.Milliseconds(), 10) + "ms"
	case d < 10*time.Second:
		return fraction(d, time.Second) + "s"
	default:
		return coarse(d)
	}
}

// fraction writes d in the unit with at most one decimal, never rounding up to
// the next unit.
func fraction(d, unit time.Duration) string {
	tenths := d * 10 / unit
	if tenths%10 == 0 {
		return strconv.FormatInt(int64(tenths/10), 10)
	}
	return fmt.Sprintf("%d.%d", tenths/10, tenths%10)
}

func coarse(d time.Duration) string {
	units := []struct {
		name string
		of   time.Duration
		next string
		part time.Duration
	}{
		{"d", day, "h", time.Hour},
		{"h", time.Hour, "m", time.Minute},
		{"m", time.Minute, "s", time.Second},
	}
	for _, u := range units {
		if d < u.of {
			continue
		}
		text := strconv.FormatInt(int64(d/u.of), 10) + u.name
		if rest := d % u.of / u.part; rest > 0 {
			text += strconv.FormatInt(int64(rest), 10) + u.next
		}
		return text
	}
	return strconv.FormatInt(int64(d/time.Second), 10) + "s"
}

// When writes an instant as seen from now: "3m ago", "in 12s"; a date when it
// is more than two weeks away; "" if unset.
func When(t fsm.Time, now time.Time) string {
	if t == 0 {
		return ""
	}
	d := t.Time().Sub(now)
	switch {
	case d > 14*day || d < -14*day:
		return t.Time().In(now.Location()).Format(time.DateOnly)
	case d > -time.Second && d < time.Second:
		return "now"
	case d < 0:
		return single(-d) + " ago"
	default:
		return "in " + single(d)
	}
}

// single writes a duration in one unit.
func single(d time.Duration) string {
	switch {
	case d >= 2*day:
		return fmt.Sprintf("%dd", d/day)
	case d >= 2*time.Hour:
		return fmt.Sprintf("%dh", d/time.Hour)
	case d >= 2*time.Minute:
		return fmt.Sprintf("%dm", d/time.Minute)
	default:
		return fmt.Sprintf("%ds", d/time.Second)
	}
}

// Took writes how long something ran, up to now if it has not ended; "" if it
// has not begun.
func Took(started, ended fsm.Time, now time.Time) string {
	switch {
	case started == 0:
		return ""
	case ended == 0:
		return Span(max(0, now.Sub(started.Time())).Truncate(time.Second))
	default:
		return Span(ended.Sub(started))
	}
}

// Late writes how long after its instant something started; "" if it has not
// started or had no instant.
func Late(due, started fsm.Time) string {
	if due == 0 || started == 0 {
		return ""
	}
	return Span(started.Sub(due))
}

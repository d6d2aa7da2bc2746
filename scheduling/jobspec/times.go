package jobspec

import (
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/rota-scheduler/rota/fsm"
)

// duration reads a span of time, longer than zero.
func (f *fields) duration(name string) fsm.Duration {
	return f.span(name, false)
}

// durationOrZero reads a span of time where zero is a meaning of its own.
func (f *fields) durationOrZero(name string) fsm.Duration {
	return f.span(name, true)
}

const durationForm = `a number with a unit, such as "30s", "10m" or "1h30m"; the units are ns, us, ms, s, m and h, and a day is "24h"`

func (f *fields) span(name string, zero bool) fsm.Duration {
	v, ok := f.value(name)
	if !ok {
		return 0
	}
	if v.Type() != cty.String {
		f.errorf(name, wrongType, "%s is a duration in quotes, and this is %s. Write %s.", name, typeName(v), durationForm)
		return 0
	}
	d, err := time.ParseDuration(v.AsString())
	switch {
	case err != nil:
		f.errorf(name, "Invalid duration", "%q is not a duration. Write %s.", v.AsString(), durationForm)
		return 0
	case d < 0:
		f.errorf(name, "Invalid duration", "%s cannot be negative.", name)
		return 0
	case d == 0 && !zero:
		f.errorf(name, "Invalid duration", "%s must be longer than zero. Leave it out for the default.", name)
		return 0
	}
	return fsm.Duration(d)
}

// instant reads one RFC 3339 time.
func (f *fields) instant(name string) fsm.Time {
	v, ok := f.value(name)
	if !ok {
		return 0
	}
	return f.parseInstant(name, f.at(name), v)
}

// instants reads one time, or a list of them.
func (f *fields) instants(name string) []fsm.Time {
	v, ok := f.value(name)
	if !ok {
		return nil
	}
	if !isList(v) {
		if t := f.parseInstant(name, f.at(name), v); t != 0 {
			return []fsm.Time{t}
		}
		return nil
	}
	times := make([]fsm.Time, 0, v.LengthInt())
	for i, element := range v.AsValueSlice() {
		if t := f.parseInstant(name, f.element(name, i), element); t != 0 {
			times = append(times, t)
		}
	}
	if len(times) == 0 && !f.failed[name] {
		f.errorf(name, invalidValue, "%s is empty. Give at least one time.", name)
	}
	return times
}

const instantForm = `RFC 3339 with its offset, such as "2026-03-01T02:00:00Z" or "2026-03-01T02:00:00+08:00"`

// The years that a schedule may lie in. The first instant itself is left out: in
// a spec it means that no time is set.
var (
	firstInstant = time.Unix(0, 0)
	endInstant   = time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)
)

func (f *fields) parseInstant(name string, at hcl.Range, v cty.Value) fsm.Time {
	if v.IsNull() || v.Type() != cty.String {
		f.errorAt(name, at, wrongType, "%s is a time in quotes, and this is %s. Write it as %s.", name, typeName(v), instantForm)
		return 0
	}
	t, err := time.Parse(time.RFC3339Nano, v.AsString())
	switch {
	case err != nil && strings.HasSuffix(err.Error(), "out of range"):
		f.errorAt(name, at, "Impossible date", "There is no time %q. Write one that exists, as %s.", v.AsString(), instantForm)
		return 0
	case err != nil:
		f.errorAt(name, at, "Invalid time", "%q is not a time. Write it as %s.", v.AsString(), instantForm)
		return 0
	case !t.After(firstInstant) || !t.Before(endInstant):
		f.errorAt(name, at, "Invalid time", "%q is out of range. Use the years 1970 to 2199.", v.AsString())
		return 0
	}
	return fsm.At(t)
}

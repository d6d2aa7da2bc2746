package cron

import (
	"errors"
	"fmt"
	"time"
)

// Limits of a Spec.
const (
	MinEvery  = time.Second
	MaxEvery  = 366 * 24 * time.Hour
	MinJitter = time.Millisecond
	MaxJitter = 24 * time.Hour
	// MaxWindow bounds a recurring blackout window; a longer one is given by
	// From and To.
	MaxWindow  = 31 * 24 * time.Hour
	MaxAt      = 1000 // instants
	MaxWindows = 64   // blackout windows
)

// Every schedule lies within [1970, 2200). The bound ends every search.
const (
	startSecond = 0
	endSecond   = 7258118400 // 2200-01-01T00:00:00Z
)

// GapRule says what becomes of a fixed time that the clock skips.
type GapRule string

const (
	GapRun  GapRule = "run"  // once, at the first instant after the gap; the default
	GapSkip GapRule = "skip" // not at all
)

// RepeatRule says what becomes of a fixed time that the clock shows twice.
type RepeatRule string

const (
	RepeatOnce RepeatRule = "once" // the first time only; the default
	RepeatBoth RepeatRule = "both" // both times
)

// Spec is a schedule as a person writes it. Exactly one of Cron, Every and At
// is set. The zero value of everything else is its default.
type Spec struct {
	Cron  string
	Every time.Duration
	At    []time.Time

	// Timezone is the IANA name of the zone in which Cron, and the Cron of
	// blackout windows, are read. Empty means UTC.
	Timezone string

	// Jitter moves all instants by one amount in [0, Jitter), which is a hash
	// of JitterSeed: give the job's full name. The amount is a whole number of
	// seconds, or of milliseconds when Jitter is below a second.
	Jitter     time.Duration
	JitterSeed string

	// NotBefore and NotAfter bound the instants, both inclusive. Zero: no bound.
	NotBefore, NotAfter time.Time

	Blackout []Window

	// DSTGap and DSTRepeat concern a Cron at a fixed time; see the package's
	// documentation.
	DSTGap    GapRule
	DSTRepeat RepeatRule
}

// Window is a time in which no work should start. It either recurs, for
// Duration of elapsed time from each instant of Cron, or is the one stretch
// [From, To).
type Window struct {
	Cron     string
	Duration time.Duration

	From, To time.Time
}

// Compile checks a Spec and returns its Schedule. Its error is always a
// *SpecError. A Spec that can have no instant at all is refused.
func Compile(spec Spec) (*Schedule, error) {
	zone, err := LoadZone(spec.Timezone)
	if err != nil {
		return nil, attributeError("timezone", err)
	}
	s := &Schedule{notBefore: spec.NotBefore, notAfter: spec.NotAfter}
	if s.source, err = compileSource(spec, zone); err != nil {
		return nil, err
	}
	if s.jitter, err = compileJitter(spec); err != nil {
		return nil, err
	}
	if s.blackout, err = compileWindows(spec.Blackout, zone); err != nil {
		return nil, err
	}
	if err := s.checkBounds(); err != nil {
		return nil, err
	}
	return s, nil
}

func attributeError(attribute string, err error) error {
	return &SpecError{Attribute: attribute, Window: ScheduleWide, Err: err}
}

func attributeErrorf(attribute, format string, args ...any) error {
	return attributeError(attribute, fmt.Errorf(format, args...))
}

// checkBounds refuses bounds that leave nothing.
func (s *Schedule) checkBounds() error {
	if !s.notBefore.IsZero() && !s.notAfter.IsZero() && s.notAfter.Before(s.notBefore) {
		return attributeErrorf("not_after", "%s is before not_before, %s",
			s.notAfter.Format(time.RFC3339Nano), s.notBefore.Format(time.RFC3339Nano))
	}
	_, ok, err := s.Next(time.Time{})
	switch {
	case err != nil:
		return attributeError("cron", err)
	case ok:
		return nil
	case !s.notAfter.IsZero():
		return attributeError("not_after", errors.New("the schedule has no instant within its bounds"))
	case !s.notBefore.IsZero():
		return attributeError("not_before", errors.New("the schedule has no instant from there on"))
	}
	return attributeError("jitter", errors.New("moves the schedule out of the years 1970 to 2199"))
}

func compileSource(spec Spec, zone *time.Location) (source, error) {
	if err := checkKind(spec); err != nil {
		return nil, err
	}
	if err := checkDaylightSaving(spec); err != nil {
		return nil, err
	}
	switch {
	case spec.Every != 0:
		return compileEvery(spec.Every)
	case len(spec.At) > 0:
		return compileAt(spec.At)
	}
	expr, err := Parse(spec.Cron)
	if err != nil {
		return nil, attributeError("cron", err)
	}
	return &zonedCron{expr: expr, zone: zone, gap: spec.DSTGap, repeat: spec.DSTRepeat}, nil
}

// checkKind refuses a Spec with several kinds of schedule, or none.
func checkKind(spec Spec) error {
	var given []string
	if spec.Cron != "" {
		given = append(given, "cron")
	}
	if spec.Every != 0 {
		given = append(given, "every")
	}
	if len(spec.At) > 0 {
		given = append(given, "at")
	}
	switch len(given) {
	case 0:
		return attributeError("cron", errors.New("no schedule is given: set one of cron, every and at"))
	case 1:
		return nil
	}
	return attributeErrorf(given[1], "cannot stand beside %s: set one of cron, every and at", given[0])
}

// checkDaylightSaving also refuses a rule that could have no effect, since its
// author expects one.
func checkDaylightSaving(spec Spec) error {
	switch spec.DSTGap {
	case "", GapRun, GapSkip:
	default:
		return attributeErrorf("dst_gap", "%q is not a rule: use %q or %q", spec.DSTGap, GapRun, GapSkip)
	}
	switch spec.DSTRepeat {
	case "", RepeatOnce, RepeatBoth:
	default:
		return attributeErrorf("dst_repeat", "%q is not a rule: use %q or %q", spec.DSTRepeat, RepeatOnce, RepeatBoth)
	}
	if spec.Cron != "" {
		return nil
	}
	if spec.DSTGap == GapSkip {
		return attributeError("dst_gap", errors.New("applies to cron only"))
	}
	if spec.DSTRepeat == RepeatBoth {
		return attributeError("dst_repeat", errors.New("applies to cron only"))
	}
	return nil
}

package cron

import (
	"errors"
	"fmt"
)

// ErrStalled reports that a schedule produced an instant that is not after the
// one asked from. It means a fault in this package, never in the schedule: the
// caller must stop firing the job and say so, since going on could repeat a
// fire for ever.
var ErrStalled = errors.New("schedule does not advance")

// SyntaxError says what is wrong with a cron expression, and where.
type SyntaxError struct {
	Expr    string // the expression, cut short where it is too long to print
	Field   string // "minute", "day of month", …; empty when the whole expression is at fault
	Offset  int    // where Text begins in the expression, in bytes from 0
	Text    string // the part at fault; empty where something is missing
	Problem string // what is wrong with it, and the accepted form
}

func (e *SyntaxError) Error() string {
	where := fmt.Sprintf("column %d", e.Offset+1)
	if e.Field != "" {
		where = e.Field + ", " + where
	}
	if e.Text == "" {
		return fmt.Sprintf("cron expression %q: %s: %s", e.Expr, where, e.Problem)
	}
	return fmt.Sprintf("cron expression %q: %s: %q %s", e.Expr, where, e.Text, e.Problem)
}

// ScheduleWide is the Window of a SpecError that is not about a blackout window.
const ScheduleWide = -1

// SpecError says which attribute of a Spec is at fault. Its Err is a
// *SyntaxError when the attribute is a cron expression that does not parse.
type SpecError struct {
	Attribute string // as a job file spells it: "cron", "every", "timezone", …
	Window    int    // index into Spec.Blackout, or ScheduleWide
	Err       error
}

func (e *SpecError) Error() string {
	if e.Window == ScheduleWide {
		return fmt.Sprintf("schedule: %s: %v", e.Attribute, e.Err)
	}
	return fmt.Sprintf("schedule: blackout %d: %s: %v", e.Window+1, e.Attribute, e.Err)
}

func (e *SpecError) Unwrap() error { return e.Err }

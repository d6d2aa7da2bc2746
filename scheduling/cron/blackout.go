package cron

import (
	"errors"
	"fmt"
	"time"
)

// window is a compiled Window. starts is nil for an absolute one.
type window struct {
	Window
	starts *zonedCron
}

func compileWindows(windows []Window, zone *time.Location) ([]window, error) {
	if len(windows) > MaxWindows {
		return nil, attributeErrorf("blackout", "%d windows are too many: use at most %d", len(windows), MaxWindows)
	}
	compiled := make([]window, 0, len(windows))
	for i, w := range windows {
		attribute, err := w.check()
		if err != nil {
			return nil, &SpecError{Attribute: attribute, Window: i, Err: err}
		}
		starts, err := w.compile(zone)
		if err != nil {
			return nil, &SpecError{Attribute: "cron", Window: i, Err: err}
		}
		compiled = append(compiled, window{w, starts})
	}
	return compiled, nil
}

// check returns the attribute at fault and what is wrong with it.
func (w Window) check() (attribute string, err error) {
	absolute := !w.From.IsZero() || !w.To.IsZero()
	switch {
	case w.Cron != "" && absolute:
		return "cron", errors.New("cannot stand beside from and to: give cron and duration, or from and to")
	case w.Cron != "":
		if w.Duration < time.Second || w.Duration > MaxWindow {
			return "duration", fmt.Errorf("%v is out of range: use 1s to %v", w.Duration, MaxWindow)
		}
		return "", nil
	case !absolute:
		return "cron", errors.New("the window is empty: give cron and duration, or from and to")
	case w.Duration != 0:
		return "duration", errors.New("belongs to cron: a window with from and to has none")
	case w.From.IsZero():
		return "from", errors.New("from is missing beside to")
	case !w.From.Before(w.To):
		return "to", errors.New("to must be after from")
	}
	return "", nil
}

// compile returns nil for an absolute window.
func (w Window) compile(zone *time.Location) (*zonedCron, error) {
	if w.Cron == "" {
		return nil, nil
	}
	expr, err := Parse(w.Cron)
	if err != nil {
		return nil, err
	}
	return &zonedCron{expr: expr, zone: zone}, nil
}

// holds reports whether t lies in the window. The start is part of it, the end
// is not.
func (w window) holds(t time.Time) bool {
	if w.starts == nil {
		return !t.Before(w.From) && t.Before(w.To)
	}
	start, ok := w.starts.next(t.Add(-w.Duration))
	return ok && !start.After(t)
}

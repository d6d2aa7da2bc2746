package cron

import "time"

// zonedCron puts an expression onto the time line through a zone. It walks the
// zone's spans of constant offset; within one, wall-clock time and real time
// run in step and Expr does all the work.
type zonedCron struct {
	expr   Expr
	zone   *time.Location
	gap    GapRule
	repeat RepeatRule
}

// span is a stretch [start, end) of constant offset, in Unix seconds. wall is
// the wall-clock time at which matching begins for someone who enters the span
// at its start: it differs from start + offset where the daylight-saving rules
// say so.
type span struct {
	start, end   int64
	offset, wall int64
}

// spanAt returns the span that holds the instant t.
func (z *zonedCron) spanAt(t int64) span {
	local := time.Unix(t, 0).In(z.zone)
	start, end := local.ZoneBounds()
	_, offset := local.Zone()
	s := span{start: t, end: endSecond, offset: int64(offset)}
	if !end.IsZero() {
		s.end = end.Unix()
	}
	// On December 31 of a leap year, past the zone's last listed change,
	// ZoneBounds ends the span at the beginning of that same day: it takes the
	// year for one of 365 days. The offset holds until the year ends, in UTC.
	if s.end <= t {
		s.end = (floorDiv(t, daySeconds) + 1) * daySeconds
	}
	if !start.IsZero() {
		s.start = start.Unix()
	}
	s.wall = z.entry(s)
	return s
}

// entry computes span.wall from the offset in force just before the span.
//
// With the default rules that is the wall-clock time that the clock had
// reached: what a gap skips is then still to come, and falls on the span's
// start; what a repeat shows again is over.
func (z *zonedCron) entry(s span) int64 {
	shown := s.start + s.offset
	if z.expr.elapsed {
		return shown
	}
	_, before := time.Unix(s.start-1, 0).In(z.zone).Zone()
	reached := s.start + int64(before)
	if reached < shown && z.gap == GapSkip || reached > shown && z.repeat == RepeatBoth {
		return shown
	}
	return reached
}

// from returns the wall-clock time at which matching begins for the instants of
// the span that are not before t.
func (s span) from(t int64) int64 {
	if t == s.start {
		return s.wall
	}
	return max(s.wall, t+s.offset)
}

func (z *zonedCron) next(after time.Time) (time.Time, bool) {
	for from := after.Unix() + 1; from < endSecond; {
		s := z.spanAt(from)
		if wall, ok := z.expr.next(s.from(from), s.end+s.offset); ok {
			// A match inside the gap before the span falls on its start.
			return time.Unix(max(from, wall-s.offset), 0).UTC(), true
		}
		from = s.end
	}
	return time.Time{}, false
}

func (z *zonedCron) count(after, until time.Time) int {
	total := 0
	limit := until.Unix() + 1
	for from := after.Unix() + 1; from < limit; {
		s := z.spanAt(from)
		end := min(s.end, limit)
		wall := s.from(from)
		if shown := from + s.offset; wall < shown {
			// Everything in the gap is one instant with a match at its end.
			if z.expr.count(wall, shown+1) > 0 {
				total++
			}
			wall = shown + 1
		}
		total += z.expr.count(wall, end+s.offset)
		from = end
	}
	return total
}

package cron

import (
	"math/bits"
	"time"
)

// Expr is a parsed cron expression: for each field, the set of values that
// match. It knows wall-clock time only. Wall-clock times are counted here in
// seconds since 1970-01-01 00:00:00 on the same wall clock, without regard to
// any zone, in which every day has 24 hours.
type Expr struct {
	source string

	seconds, minutes, hours uint64 // bit v: value v matches
	daysOfMonth             uint64
	months                  uint64
	daysOfWeek              uint64 // bit 0: Sunday

	eitherDay bool // both day fields are restricted: one match is enough
	elapsed   bool // minute or hour begins with "*": follows elapsed time
}

// newExpr takes the six fields in their order, seconds first.
func newExpr(source string, sets []fieldSet) Expr {
	return Expr{
		source:      source,
		seconds:     sets[0].bits,
		minutes:     sets[1].bits,
		hours:       sets[2].bits,
		daysOfMonth: sets[3].bits,
		months:      sets[4].bits,
		daysOfWeek:  sets[5].bits,
		eitherDay:   !sets[3].star && !sets[5].star,
		elapsed:     sets[1].star || sets[2].star,
	}
}

// String returns the expression as it was written.
func (e Expr) String() string { return e.source }

// possible reports whether any day can match. A restricted weekday comes every
// week; a day of the month comes when some month is long enough, and then, over
// the calendar's cycle of 400 years, on every day of the week.
func (e *Expr) possible() bool {
	if e.eitherDay {
		return true
	}
	const leapYear = 2000
	for m := time.January; m <= time.December; m++ {
		if e.months>>m&1 == 1 && e.daysOfMonth&daysUpTo(daysIn(leapYear, m)) != 0 {
			return true
		}
	}
	return false
}

// next returns the earliest match in [from, until).
func (e *Expr) next(from, until int64) (int64, bool) {
	day := floorDiv(from, daySeconds)
	lastDay := floorDiv(until-1, daySeconds)
	matchDay, ok := e.nextDay(day, lastDay)
	if !ok {
		return 0, false
	}
	start := int64(0)
	if matchDay == day {
		start = from - day*daySeconds
	}
	second, ok := e.nextOfDay(start)
	if !ok { // today's matches are over
		if matchDay, ok = e.nextDay(day+1, lastDay); !ok {
			return 0, false
		}
		second, _ = e.nextOfDay(0)
	}
	match := matchDay*daySeconds + second
	return match, match < until
}

// nextOfDay returns the earliest match at or after a second of the day, as a
// second of the day.
func (e *Expr) nextOfDay(from int64) (int64, bool) {
	hour, minute, second := clock(from)
	if e.hours>>hour&1 == 1 {
		if e.minutes>>minute&1 == 1 {
			if s, ok := nextBit(e.seconds, second); ok {
				return seconds(hour, minute, s), true
			}
		}
		if m, ok := nextBit(e.minutes, minute+1); ok {
			return seconds(hour, m, firstBit(e.seconds)), true
		}
	}
	if h, ok := nextBit(e.hours, hour+1); ok {
		return seconds(h, firstBit(e.minutes), firstBit(e.seconds)), true
	}
	return 0, false
}

// nextDay returns the earliest matching day in [from, last], in days since
// 1970-01-01.
func (e *Expr) nextDay(from, last int64) (int64, bool) {
	m, dayOfMonth := monthOf(from)
	for ; m.first <= last; m = m.next() {
		if d, ok := nextBit(e.monthDays(m), dayOfMonth); ok {
			day := m.first + int64(d-1)
			return day, day <= last
		}
		dayOfMonth = 1
	}
	return 0, false
}

// monthDays returns the matching days of a month: bit d stands for day d.
func (e *Expr) monthDays(m month) uint64 {
	if e.months>>m.month&1 == 0 {
		return 0
	}
	weekday := m.weekday()
	// One week from the first on, with bit 1 for the first, repeated five times.
	week := (e.daysOfWeek>>weekday | e.daysOfWeek<<(7-weekday)) & 0x7f << 1
	byWeekday := week | week<<7 | week<<14 | week<<21 | week<<28
	days := e.daysOfMonth & byWeekday
	if e.eitherDay {
		days = e.daysOfMonth | byWeekday
	}
	return days & daysUpTo(m.length())
}

// count returns how many matches lie in [from, until).
func (e *Expr) count(from, until int64) int {
	if until <= from {
		return 0
	}
	fromDay, untilDay := floorDiv(from, daySeconds), floorDiv(until, daySeconds)
	perDay := bits.OnesCount64(e.hours) * bits.OnesCount64(e.minutes) * bits.OnesCount64(e.seconds)
	total := e.countDays(fromDay, untilDay) * perDay
	total += e.countDays(untilDay, untilDay+1) * e.countOfDay(until-untilDay*daySeconds)
	return total - e.countDays(fromDay, fromDay+1)*e.countOfDay(from-fromDay*daySeconds)
}

// countOfDay returns how many matches a matching day has before a second of it.
func (e *Expr) countOfDay(before int64) int {
	hour, minute, second := clock(before)
	perMinute := bits.OnesCount64(e.seconds)
	perHour := bits.OnesCount64(e.minutes) * perMinute
	total := countBelow(e.hours, hour) * perHour
	if e.hours>>hour&1 == 1 {
		total += countBelow(e.minutes, minute) * perMinute
		if e.minutes>>minute&1 == 1 {
			total += countBelow(e.seconds, second)
		}
	}
	return total
}

// countDays returns how many days of [from, until) match.
func (e *Expr) countDays(from, until int64) int {
	total := 0
	m, dayOfMonth := monthOf(from)
	for ; m.first < until; m = m.next() {
		days := e.monthDays(m) &^ daysUpTo(dayOfMonth-1)
		days &= daysUpTo(int(min(until-m.first, 31)))
		total += bits.OnesCount64(days)
		dayOfMonth = 1
	}
	return total
}

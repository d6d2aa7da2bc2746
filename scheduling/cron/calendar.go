package cron

import (
	"math/bits"
	"time"
)

const (
	minuteSeconds = 60
	hourSeconds   = 60 * minuteSeconds
	daySeconds    = 24 * hourSeconds
)

// month is a month of the calendar. Days are numbered from 1970-01-01.
type month struct {
	first int64 // day number of its first
	year  int
	month time.Month
}

// monthOf returns the month that holds a day, and which day of it that is.
func monthOf(day int64) (m month, dayOfMonth int) {
	year, calendarMonth, dayOfMonth := time.Unix(day*daySeconds, 0).UTC().Date()
	return month{day - int64(dayOfMonth-1), year, calendarMonth}, dayOfMonth
}

func (m month) next() month {
	following := month{m.first + int64(m.length()), m.year, m.month + 1}
	if following.month > time.December {
		following.month, following.year = time.January, m.year+1
	}
	return following
}

func (m month) length() int { return daysIn(m.year, m.month) }

// weekday returns the weekday of the month's first, 0 for Sunday.
func (m month) weekday() int64 {
	shifted := m.first + int64(time.Thursday) // 1970-01-01 was a Thursday
	return shifted - floorDiv(shifted, 7)*7
}

func clock(secondOfDay int64) (hour, minute, second int) {
	s := int(secondOfDay)
	return s / hourSeconds, s / minuteSeconds % 60, s % 60
}

func seconds(hour, minute, second int) int64 {
	return int64(hour*hourSeconds + minute*minuteSeconds + second)
}

// nextBit returns the lowest set bit that is at least from.
func nextBit(set uint64, from int) (int, bool) {
	set = set >> from << from
	return firstBit(set), set != 0
}

func firstBit(set uint64) int { return bits.TrailingZeros64(set) }

func countBelow(set uint64, limit int) int {
	return bits.OnesCount64(set & (1<<limit - 1))
}

// daysUpTo returns the set of the days 1 to last.
func daysUpTo(last int) uint64 { return 2<<last - 2 }

func daysIn(year int, month time.Month) int {
	switch month {
	case time.February:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	case time.April, time.June, time.September, time.November:
		return 30
	}
	return 31
}

// floorDiv divides rounding down; wall-clock times before 1970 are negative.
func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

package cron

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
)

// model is what an expression means, written down by its generator rather than
// read back by the parser: the tests' own field matching starts from it.
type model struct {
	text                                    string
	second, minute, hour, day, month, wkday [60]bool
	dayStar, wkdayStar                      bool
	wildcard                                bool // minute or hour begins with *
}

func (m *model) matchesDate(month, day, weekday int) bool {
	switch {
	case !m.month[month]:
		return false
	case m.dayStar || m.wkdayStar:
		return m.day[day] && m.wkday[weekday]
	}
	return m.day[day] || m.wkday[weekday]
}

func (m *model) matchesTime(hour, minute, second int) bool {
	return m.hour[hour] && m.minute[minute] && m.second[second]
}

// generator makes random expressions from a seed.
type generator struct{ *rand.Rand }

func newGenerator(seed uint64) generator {
	return generator{rand.New(rand.NewPCG(seed, 0))}
}

// expression returns a model with six fields, or with five.
func (g generator) expression(withSeconds bool) model {
	var m model
	var text []string
	if withSeconds {
		field, _ := g.field(&m.second, 0, 59, 30, nil)
		text = append(text, field)
	} else {
		m.second[0] = true
	}
	minute, minuteStar := g.field(&m.minute, 0, 59, 25, nil)
	hour, hourStar := g.field(&m.hour, 0, 23, 35, nil)
	day, dayStar := g.field(&m.day, 1, 31, 60, nil)
	month, _ := g.field(&m.month, 1, 12, 75, monthField.names)
	wkday, wkdayStar := g.field(&m.wkday, 0, 6, 60, dayOfWeekField.names)
	m.text = strings.Join(append(text, minute, hour, day, month, wkday), " ")
	m.dayStar, m.wkdayStar = dayStar, wkdayStar
	m.wildcard = minuteStar || hourStar
	return m
}

// field writes one field and sets what it matches. In starPercent of all cases
// it is a bare star.
func (g generator) field(set *[60]bool, low, high, starPercent int, names []string) (text string, star bool) {
	if g.IntN(100) < starPercent {
		fill(set, low, high, 1)
		return "*", true
	}
	if g.IntN(6) == 0 {
		step := 1 + g.IntN(high-low+1)
		fill(set, low, high, step)
		return fmt.Sprintf("*/%d", step), true
	}
	var items []string
	for range 1 + g.IntN(3) {
		items = append(items, g.item(set, low, high, names))
	}
	return strings.Join(items, ","), false
}

func (g generator) item(set *[60]bool, low, high int, names []string) string {
	from := low + g.IntN(high-low+1)
	to := from + g.IntN(high-from+1)
	step := 1 + g.IntN(min(12, high-low+1))
	switch g.IntN(6) {
	case 0:
		fill(set, from, to, 1)
		return g.name(from, low, names) + "-" + g.name(to, low, names)
	case 1:
		fill(set, from, to, step)
		return fmt.Sprintf("%d-%d/%d", from, to, step)
	case 2:
		fill(set, from, high, step)
		return fmt.Sprintf("%d/%d", from, step)
	case 3: // the ends of fields are where days, hours and zones change
		value := []int{low, high}[g.IntN(2)]
		return g.single(set, value, low, high, names)
	}
	return g.single(set, from, low, high, names)
}

// single writes one value. Sunday is the only one with two numbers.
func (g generator) single(set *[60]bool, value, low, high int, names []string) string {
	fill(set, value, value, 1)
	if high == 6 && value == 0 && g.IntN(2) == 0 {
		return "7"
	}
	return g.name(value, low, names)
}

// name writes a value as a number, with or without a leading zero, or a name.
func (g generator) name(value, low int, names []string) string {
	switch {
	case names != nil && g.IntN(2) == 0:
		name := names[value-low]
		return []string{name, strings.ToLower(name), name[:1] + strings.ToLower(name[1:])}[g.IntN(3)]
	case g.IntN(4) == 0:
		return fmt.Sprintf("%02d", value)
	}
	return strconv.Itoa(value)
}

func fill(set *[60]bool, low, high, step int) {
	for v := low; v <= high; v += step {
		set[v] = true
	}
}

// scaled multiplies the size of a random test by ROTA_CRON_SCALE.
func scaled(t *testing.T, n int) int {
	t.Helper()
	value := os.Getenv("ROTA_CRON_SCALE")
	if value == "" {
		return n
	}
	factor, err := strconv.Atoi(value)
	if err != nil || factor < 1 {
		t.Fatalf("ROTA_CRON_SCALE=%q: want a positive number", value)
	}
	return n * factor
}

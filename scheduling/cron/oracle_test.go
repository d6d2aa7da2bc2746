package cron

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// face is what a wall clock and a calendar on the wall show.
type face struct{ month, day, weekday, hour, minute, second int }

// tick is the face at one instant of a scan.
type tick struct {
	face
	unix    int64
	shown   int64  // the face in seconds, as if it were UTC
	again   bool   // the scan has seen this face before
	skipped []face // what lies between the last tick's face and this one
}

// scan looks at a wall clock in steps of a minute or a second. It knows
// nothing of offsets: jumps and repeats are seen on the clock's face.
func scan(zone *time.Location, from, to time.Time, step time.Duration) []tick {
	var ticks []tick
	seen := map[int64]bool{}
	for t := from; !t.After(to); t = t.Add(step) {
		local := t.In(zone)
		year, month, day := local.Date()
		hour, minute, second := local.Clock()
		shown := time.Date(year, month, day, hour, minute, second, 0, time.UTC)
		now := tick{face: faceOf(shown), unix: t.Unix(), shown: shown.Unix(), again: seen[shown.Unix()]}
		if len(ticks) > 0 {
			previous := time.Unix(ticks[len(ticks)-1].shown, 0).UTC()
			for missing := previous.Add(step); missing.Before(shown); missing = missing.Add(step) {
				now.skipped = append(now.skipped, faceOf(missing))
			}
		}
		seen[now.shown] = true
		ticks = append(ticks, now)
	}
	return ticks
}

func faceOf(t time.Time) face {
	return face{int(t.Month()), t.Day(), int(t.Weekday()), t.Hour(), t.Minute(), t.Second()}
}

func (m *model) matches(f face) bool {
	return m.matchesTime(f.hour, f.minute, f.second) && m.matchesDate(f.month, f.day, f.weekday)
}

// due applies the rules as the documentation words them, tick by tick.
func (m *model) due(ticks []tick, gap GapRule, repeat RepeatRule) []int64 {
	var instants []int64
	for i := range ticks {
		now := &ticks[i]
		due := m.matches(now.face)
		if !m.wildcard {
			if now.again && repeat != RepeatBoth {
				due = false
			}
			for j := 0; j < len(now.skipped) && !due && gap != GapSkip; j++ {
				due = m.matches(now.skipped[j])
			}
		}
		if due {
			instants = append(instants, now.unix)
		}
	}
	return instants
}

// A place is a zone and a day on which its clock does something. change is the
// offset's expected change in minutes; it proves that the scan sees the event.
type place struct {
	zone   string
	day    string
	change int
}

var places = []place{
	{"UTC", "2028-02-29", 0},
	{"America/New_York", "2027-03-14", 60}, {"America/New_York", "2027-11-07", -60},
	{"Europe/Berlin", "2027-03-28", 60}, {"Europe/Berlin", "2027-10-31", -60},
	{"Europe/Dublin", "2027-03-28", 60}, {"Europe/Dublin", "2027-10-31", -60},
	{"Australia/Lord_Howe", "2027-10-03", 30}, {"Australia/Lord_Howe", "2027-04-04", -30},
	{"America/Santiago", "2027-09-05", 60}, {"America/Santiago", "2027-04-04", -60},
	{"America/Havana", "2027-03-14", 60}, {"America/Havana", "2027-11-07", -60},
	{"Atlantic/Azores", "2027-03-28", 60}, {"Atlantic/Azores", "2027-10-31", -60},
	{"Africa/Cairo", "2027-04-30", 60}, {"Africa/Cairo", "2027-10-29", -60},
	{"Asia/Shanghai", "2027-03-28", 0},
	{"Asia/Shanghai", "1991-04-14", 60}, {"Asia/Shanghai", "1991-09-15", -60},
	{"Pacific/Apia", "2011-12-30", 24 * 60},
	{"America/Sao_Paulo", "2018-11-04", 60}, {"America/Sao_Paulo", "2018-02-18", -60},
	{"Antarctica/Troll", "2027-03-28", 120}, {"Antarctica/Troll", "2027-10-31", -120},
	{"Pacific/Kwajalein", "1993-08-21", 24 * 60},
	{"Asia/Pyongyang", "2015-08-15", -30}, {"Asia/Pyongyang", "2018-05-05", 30},
	// Past the listed changes, on the day that time.ZoneBounds gets wrong.
	{"Europe/Berlin", "2040-12-31", 0}, {"America/Santiago", "2044-12-31", 0},
}

func (p place) String() string { return p.zone + " " + p.day }

// ticks scans from before until after the start of the day.
func (p place) ticks(t *testing.T, before, after, step time.Duration) []tick {
	t.Helper()
	zone := mustZone(t, p.zone)
	day, err := time.Parse(time.DateOnly, p.day)
	if err != nil {
		t.Fatal(err)
	}
	_, offset := day.In(zone).Zone()
	midnight := day.Add(-time.Duration(offset) * time.Second)
	ticks := scan(zone, midnight.Add(-before), midnight.Add(after), step)
	first, last := ticks[0], ticks[len(ticks)-1]
	change := (last.shown - last.unix - first.shown + first.unix) / 60
	if int(change) != p.change {
		t.Fatalf("%v: the offset changes by %d minutes, want %d", p, change, p.change)
	}
	return ticks
}

func mustZone(t testing.TB, name string) *time.Location {
	t.Helper()
	zone, err := LoadZone(name)
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

var (
	gapRules    = []GapRule{"", GapRun, GapSkip}
	repeatRules = []RepeatRule{"", RepeatOnce, RepeatBoth}
)

func TestScheduleAgreesWithAScanOfTheClock(t *testing.T) {
	for i, p := range places {
		t.Run(p.String(), func(t *testing.T) {
			t.Parallel()
			g := newGenerator(uint64(1000 + i))
			day := 24 * time.Hour
			compareWithScan(t, g, p, p.ticks(t, 2*day, 3*day, time.Minute), false, scaled(t, 120))
			compareWithScan(t, g, p, p.ticks(t, 2*time.Hour, 4*time.Hour, time.Second), true, scaled(t, 6))
		})
	}
}

func compareWithScan(t *testing.T, g generator, p place, ticks []tick, withSeconds bool, cases int) {
	t.Helper()
	for range cases {
		m := g.expression(withSeconds)
		spec := Spec{
			Cron: m.text, Timezone: p.zone,
			DSTGap: gapRules[g.IntN(3)], DSTRepeat: repeatRules[g.IntN(3)],
		}
		label := fmt.Sprintf("%q in %v gap=%q repeat=%q", m.text, p, spec.DSTGap, spec.DSTRepeat)
		s, err := Compile(spec)
		if err != nil {
			requireImpossible(t, m, err)
			continue
		}
		// The first tick cannot know what came before it.
		compareInstants(t, g, label, s, ticks[0].unix, ticks[len(ticks)-1].unix, m.due(ticks[1:], spec.DSTGap, spec.DSTRepeat))
	}
}

// compareInstants checks Next, Between and Latest against the wanted instants
// of (from, to].
func compareInstants(t *testing.T, g generator, label string, s *Schedule, from, to int64, want []int64) {
	t.Helper()
	after, until := time.Unix(from, 0), time.Unix(to, 0)
	instants, more, err := s.Between(after, until, len(want)+1)
	if err != nil || more != 0 {
		t.Fatalf("%s: Between: %d more, %v", label, more, err)
	}
	var got []int64
	for _, instant := range instants {
		got = append(got, instant.Unix())
	}
	if !slices.Equal(want, got) { // cmp alone takes most of the test's time
		t.Fatalf("%s: instants differ (-scan +schedule):\n%s", label, cmp.Diff(want, got))
	}
	// The same questions from a reference in the middle.
	reference := from + g.Int64N(to-from)
	index := 0
	for index < len(want) && want[index] <= reference {
		index++
	}
	rest := want[index:]
	limit := min(g.IntN(3), len(rest))
	head, more, err := s.Between(time.Unix(reference, 5), until, limit)
	if err != nil || len(head) != limit || more != len(rest)-limit {
		t.Fatalf("%s: Between(%d, %d, %d) = %v, %d, %v; want %d in all", label, reference, to, limit, head, more, err, len(rest))
	}
	latest, ok, err := s.Latest(time.Unix(reference, 5), until)
	if err != nil || ok != (len(rest) > 0) || ok && latest.Unix() != rest[len(rest)-1] {
		t.Fatalf("%s: Latest(%d, %d) = %v, %v, %v; want the last of %d", label, reference, to, latest, ok, err, len(rest))
	}
}

// requireImpossible fails unless the expression was refused for having no
// instant, and a calendar of eight years agrees.
func requireImpossible(t *testing.T, m model, err error) {
	t.Helper()
	var syntax *SyntaxError
	if !errors.As(err, &syntax) || syntax.Field != "day of month" {
		t.Fatalf("%q: %v", m.text, err)
	}
	for day := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC); day.Year() < 2032; day = day.AddDate(0, 0, 1) {
		if m.matchesDate(int(day.Month()), day.Day(), int(day.Weekday())) {
			t.Fatalf("%q is refused, but %s matches: %v", m.text, day.Format(time.DateOnly), err)
		}
	}
}

// Days over many years, with the century that is no leap year.
func TestDaysAgreeWithACalendar(t *testing.T) {
	g := newGenerator(7)
	spans := [][2]int{{2023, 2034}, {2094, 2106}}
	for range scaled(t, 60) {
		m := g.expression(false)
		m.minute, m.hour = [60]bool{30: true}, [60]bool{12: true}
		var dayFields [3]string
		if _, err := fmt.Sscan(m.text, new(string), new(string), &dayFields[0], &dayFields[1], &dayFields[2]); err != nil {
			t.Fatal(err)
		}
		m.text = fmt.Sprintf("30 12 %s %s %s", dayFields[0], dayFields[1], dayFields[2])
		s, err := Compile(Spec{Cron: m.text})
		if err != nil {
			requireImpossible(t, m, err)
			continue
		}
		for _, years := range spans {
			var want []int64
			start := time.Date(years[0], 1, 1, 12, 30, 0, 0, time.UTC)
			end := time.Date(years[1], 1, 1, 12, 30, 0, 0, time.UTC)
			for day := start; day.Before(end); day = day.AddDate(0, 0, 1) {
				if m.matchesDate(int(day.Month()), day.Day(), int(day.Weekday())) {
					want = append(want, day.Unix())
				}
			}
			compareInstants(t, g, m.text, s, start.Unix()-1, end.Unix()-1, want)
		}
	}
}

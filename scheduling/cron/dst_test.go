package cron

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// The rules of daylight saving, case by case, on the wall clock of the zone.
func TestDaylightSaving(t *testing.T) {
	const berlin, spring, autumn = "Europe/Berlin", "2027-03-28", "2027-10-31"
	cases := []struct {
		name, zone, day, cron string
		gap                   GapRule
		repeat                RepeatRule
		want                  []string // the instants of that day
	}{
		{name: "gap, one match", zone: berlin, day: spring, cron: "30 2 * * *", want: []string{"03:00:00+02:00"}},
		{name: "gap, several matches are one", zone: berlin, day: spring, cron: "30,45 2 * * *", want: []string{"03:00:00+02:00"}},
		{name: "gap, skip", zone: berlin, day: spring, cron: "30 2 * * *", gap: GapSkip},
		{name: "gap, with a match at its end", zone: berlin, day: spring, cron: "0 2,3 * * *", want: []string{"03:00:00+02:00"}},
		{name: "gap, skip, with a match at its end", zone: berlin, day: spring, cron: "0 2,3 * * *", gap: GapSkip, want: []string{"03:00:00+02:00"}},
		{name: "gap, with a match just before it", zone: berlin, day: spring, cron: "59 1-2 * * *", want: []string{"01:59:00+01:00", "03:00:00+02:00"}},
		{name: "gap, elapsed by minute", zone: berlin, day: spring, cron: "*/30 2,3 * * *", want: []string{"03:00:00+02:00", "03:30:00+02:00"}},
		{name: "gap, elapsed by hour", zone: berlin, day: spring, cron: "30 */2 1-31 3 0", want: []string{
			"00:30:00+01:00", "04:30:00+02:00", "06:30:00+02:00", "08:30:00+02:00", "10:30:00+02:00", "12:30:00+02:00",
			"14:30:00+02:00", "16:30:00+02:00", "18:30:00+02:00", "20:30:00+02:00", "22:30:00+02:00",
		}},
		{name: "gap, seconds", zone: berlin, day: spring, cron: "*/20 59 2 * * *", want: []string{"03:00:00+02:00"}},
		{name: "repeat, first time", zone: berlin, day: autumn, cron: "30 2 * * *", want: []string{"02:30:00+02:00"}},
		{name: "repeat, both", zone: berlin, day: autumn, cron: "30 2 * * *", repeat: RepeatBoth, want: []string{"02:30:00+02:00", "02:30:00+01:00"}},
		{name: "repeat, its first instant", zone: berlin, day: autumn, cron: "0 2 * * *", want: []string{"02:00:00+02:00"}},
		{name: "repeat, its end comes once", zone: berlin, day: autumn, cron: "0 3 * * *", want: []string{"03:00:00+01:00"}},
		{name: "repeat, elapsed", zone: berlin, day: autumn, cron: "*/30 2 * * *", want: []string{
			"02:00:00+02:00", "02:30:00+02:00", "02:00:00+01:00", "02:30:00+01:00",
		}},
		{name: "repeat, seconds", zone: berlin, day: autumn, cron: "15,45 59 2 * * *", want: []string{"02:59:15+02:00", "02:59:45+02:00"}},
		{name: "half an hour, gap", zone: "Australia/Lord_Howe", day: "2027-10-03", cron: "15 2 * * *", want: []string{"02:30:00+11:00"}},
		{name: "half an hour, repeat", zone: "Australia/Lord_Howe", day: "2027-04-04", cron: "45 1 * * *", want: []string{"01:45:00+11:00"}},
		{name: "no midnight, Santiago", zone: "America/Santiago", day: "2027-09-05", cron: "0 0 * * *", want: []string{"01:00:00-03:00"}},
		{name: "no midnight, Havana", zone: "America/Havana", day: "2027-03-14", cron: "@daily", want: []string{"01:00:00-04:00"}},
		{name: "no midnight, Azores", zone: "Atlantic/Azores", day: "2027-03-28", cron: "0 0 * * *", want: []string{"01:00:00+00:00"}},
		{name: "no midnight, Cairo", zone: "Africa/Cairo", day: "2027-04-30", cron: "59 0 * * *", want: []string{"01:00:00+03:00"}},
		{name: "no midnight, São Paulo", zone: "America/Sao_Paulo", day: "2018-11-04", cron: "0 0 * * *", want: []string{"01:00:00-02:00"}},
		{name: "two midnights, Havana", zone: "America/Havana", day: "2027-11-07", cron: "0 0 * * *", want: []string{"00:00:00-04:00"}},
		{name: "a whole day, the day after", zone: "Pacific/Apia", day: "2011-12-31", cron: "0 2 * * *", want: []string{"00:00:00+14:00", "02:00:00+14:00"}},
		{name: "a whole day, skip", zone: "Pacific/Apia", day: "2011-12-31", cron: "0 2 * * *", gap: GapSkip, want: []string{"02:00:00+14:00"}},
		{name: "a whole day, once a month", zone: "Pacific/Apia", day: "2011-12-31", cron: "0 2 30 * *", want: []string{"00:00:00+14:00"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := mustCompile(t, Spec{Cron: c.cron, Timezone: c.zone, DSTGap: c.gap, DSTRepeat: c.repeat})
			zone := mustZone(t, c.zone)
			noon, err := time.Parse(time.DateTime, c.day+" 12:00:00")
			if err != nil {
				t.Fatal(err)
			}
			instants, _, err := s.Between(noon.Add(-36*time.Hour), noon.Add(36*time.Hour), 1000)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, instant := range instants {
				if local := instant.In(zone); local.Format(time.DateOnly) == c.day {
					got = append(got, local.Format("15:04:05-07:00"))
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("%q on %s (-want +got):\n%s", c.cron, c.day, diff)
			}
		})
	}
}

func mustCompile(t testing.TB, spec Spec) *Schedule {
	t.Helper()
	s, err := Compile(spec)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Two years, every instant after the last, and the same from any starting point.
func TestTwoYearsIncrease(t *testing.T) {
	zoneNames := []string{
		"UTC", "America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "America/Santiago", "Africa/Cairo",
	}
	exprs := []string{"*/5 * * * *", "30 */2 * * *", "0 0 * * *", "15,45 0-3 * * *", "0 12 * * 1", "30 2 29-31 * 0"}
	start := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	end := start.AddDate(2, 0, 0)
	for _, name := range zoneNames {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, expr := range exprs {
				s := mustCompile(t, Spec{Cron: expr, Timezone: name, Jitter: time.Hour, JitterSeed: "job"})
				total := walk(t, s, expr, start, end)
				if got := s.count(start, end); got != total || total < 50 {
					t.Fatalf("%s: counted %d instants, walked %d", expr, got, total)
				}
			}
		})
	}
}

// walk steps through (start, end] and returns the number of instants.
func walk(t *testing.T, s *Schedule, label string, start, end time.Time) int {
	t.Helper()
	for total, at := 0, start; ; total++ {
		next, ok, err := s.Next(at)
		if err != nil || !ok || !next.After(at) {
			t.Fatalf("%s: Next(%v) = %v, %v, %v", label, at, next, ok, err)
		}
		if next.After(end) {
			return total
		}
		if again, _, _ := s.Next(next.Add(-1)); !again.Equal(next) {
			t.Fatalf("%s: Next just before %v = %v", label, next, again)
		}
		at = next
	}
}

package cron

import (
	"errors"
	"strings"
	"testing"
	"time"
)

type compileError struct {
	name      string
	spec      Spec
	attribute string
	window    int
	text      string
}

func TestCompileErrors(t *testing.T) {
	day := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	nightly := "0 2 * * *"
	cases := []compileError{
		{"nothing", Spec{}, "cron", ScheduleWide, "schedule: cron: no schedule is given: set one of cron, every and at"},
		{"two kinds", Spec{Cron: nightly, Every: time.Hour}, "every", ScheduleWide, "schedule: every: cannot stand beside cron: set one of cron, every and at"},
		{"three kinds", Spec{Cron: nightly, Every: time.Hour, At: []time.Time{day}}, "every", ScheduleWide, "schedule: every: cannot stand beside cron: set one of cron, every and at"},
		{"every and at", Spec{Every: time.Hour, At: []time.Time{day}}, "at", ScheduleWide, "schedule: at: cannot stand beside every: set one of cron, every and at"},
		{"cron", Spec{Cron: "0 24 * * *"}, "cron", ScheduleWide, `schedule: cron: cron expression "0 24 * * *": hour, column 3: "24" is out of range: use 0-23`},
		{"every, short", Spec{Every: 999 * time.Millisecond}, "every", ScheduleWide, "schedule: every: 999ms is too short: use at least 1s"},
		{"every, negative", Spec{Every: -time.Hour}, "every", ScheduleWide, "schedule: every: -1h0m0s is too short: use at least 1s"},
		{"every, long", Spec{Every: MaxEvery + 1}, "every", ScheduleWide, "schedule: every: 8784h0m0.000000001s is too long: use at most 8784h0m0s, or cron"},
		{"at, years", Spec{At: []time.Time{{}}}, "at", ScheduleWide, "schedule: at: 0001-01-01T00:00:00Z is out of range: use the years 1970 to 2199"},
		{"at, many", Spec{At: make([]time.Time, MaxAt+1)}, "at", ScheduleWide, "schedule: at: 1001 instants are too many: use at most 1000"},

		{"zone, unknown", Spec{Cron: nightly, Timezone: "Mars/Phobos"}, "timezone", ScheduleWide, `schedule: timezone: "Mars/Phobos" is not a known time zone: use an IANA name such as "Europe/Berlin", or "UTC": unknown time zone Mars/Phobos`},
		{"zone, local", Spec{Cron: nightly, Timezone: "Local"}, "timezone", ScheduleWide, `schedule: timezone: "Local" is a different time zone on each machine: use an IANA name such as "Europe/Berlin"`},
		{"zone, file", Spec{Cron: nightly, Timezone: "localtime"}, "timezone", ScheduleWide, `schedule: timezone: "localtime" is a different time zone on each machine: use an IANA name such as "Europe/Berlin"`},
		{"zone, leap seconds", Spec{Cron: nightly, Timezone: "right/Europe/Berlin"}, "timezone", ScheduleWide, `schedule: timezone: "right/Europe/Berlin" is a variant of a time zone: leave out "right/"`},
		{"zone, path", Spec{Cron: nightly, Timezone: "Europe/./Berlin"}, "timezone", ScheduleWide, `schedule: timezone: a time zone is an IANA name such as "Europe/Berlin" or "Etc/GMT+8"`},
		{"zone, slashes", Spec{Cron: nightly, Timezone: "Europe//Berlin"}, "timezone", ScheduleWide, `schedule: timezone: a time zone is an IANA name such as "Europe/Berlin" or "Etc/GMT+8"`},
		{"zone, long", Spec{Cron: nightly, Timezone: strings.Repeat("x", 65)}, "timezone", ScheduleWide, `schedule: timezone: the time zone name has 65 bytes: use an IANA name such as "Europe/Berlin"`},

		{"jitter, negative", Spec{Cron: nightly, Jitter: -1, JitterSeed: "x"}, "jitter", ScheduleWide, "schedule: jitter: -1ns is out of range: use 1ms to 24h0m0s"},
		{"jitter, long", Spec{Cron: nightly, Jitter: 25 * time.Hour, JitterSeed: "x"}, "jitter", ScheduleWide, "schedule: jitter: 25h0m0s is out of range: use 1ms to 24h0m0s"},
		{"jitter, no seed", Spec{Cron: nightly, Jitter: time.Minute}, "jitter", ScheduleWide, "schedule: jitter: jitter needs a seed, such as the job's name"},
		{
			"jitter, past the end", Spec{At: []time.Time{time.Unix(endSecond-1, 0)}, Jitter: time.Hour, JitterSeed: "x"},
			"jitter", ScheduleWide, "schedule: jitter: moves the schedule out of the years 1970 to 2199",
		},

		{"bounds, crossed", Spec{Cron: nightly, NotBefore: day, NotAfter: day.Add(-1)}, "not_after", ScheduleWide, "schedule: not_after: 2026-12-31T23:59:59.999999999Z is before not_before, 2027-01-01T00:00:00Z"},
		{"bounds, narrow", Spec{Cron: nightly, NotBefore: day, NotAfter: day.Add(time.Hour)}, "not_after", ScheduleWide, "schedule: not_after: the schedule has no instant within its bounds"},
		{"bounds, late", Spec{At: []time.Time{day}, NotBefore: day.Add(1)}, "not_before", ScheduleWide, "schedule: not_before: the schedule has no instant from there on"},

		{"gap rule", Spec{Cron: nightly, DSTGap: "never"}, "dst_gap", ScheduleWide, `schedule: dst_gap: "never" is not a rule: use "run" or "skip"`},
		{"repeat rule", Spec{Cron: nightly, DSTRepeat: "twice"}, "dst_repeat", ScheduleWide, `schedule: dst_repeat: "twice" is not a rule: use "once" or "both"`},
		{"gap rule, every", Spec{Every: time.Hour, DSTGap: GapSkip}, "dst_gap", ScheduleWide, "schedule: dst_gap: applies to cron only"},
		{"repeat rule, at", Spec{At: []time.Time{day}, DSTRepeat: RepeatBoth}, "dst_repeat", ScheduleWide, "schedule: dst_repeat: applies to cron only"},

		{"windows, many", Spec{Cron: nightly, Blackout: make([]Window, MaxWindows+1)}, "blackout", ScheduleWide, "schedule: blackout: 65 windows are too many: use at most 64"},
		badWindow("empty", Window{}, "cron", "the window is empty: give cron and duration, or from and to"),
		badWindow("both", Window{Cron: nightly, Duration: time.Hour, From: day}, "cron", "cannot stand beside from and to: give cron and duration, or from and to"),
		badWindow("no duration", Window{Cron: nightly}, "duration", "0s is out of range: use 1s to 744h0m0s"),
		badWindow("long", Window{Cron: nightly, Duration: MaxWindow + 1}, "duration", "744h0m0.000000001s is out of range: use 1s to 744h0m0s"),
		badWindow("cron", Window{Cron: "x * * * *", Duration: time.Hour}, "cron", `cron expression "x * * * *": minute, column 1: "x" is not a value: use 0-59, a range a-b, a step */n, or a list of them`),
		badWindow("absolute with duration", Window{From: day, To: day.Add(1), Duration: 1}, "duration", "belongs to cron: a window with from and to has none"),
		badWindow("no from", Window{To: day}, "from", "from is missing beside to"),
		badWindow("no to", Window{From: day}, "to", "to must be after from"),
		badWindow("backwards", Window{From: day, To: day}, "to", "to must be after from"),
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s, err := Compile(c.spec)
			var specErr *SpecError
			if s != nil || !errors.As(err, &specErr) {
				t.Fatalf("Compile = %v, %v, want a *SpecError alone", s, err)
			}
			if specErr.Attribute != c.attribute || specErr.Window != c.window {
				t.Errorf("blames %s of window %d, want %s of %d", specErr.Attribute, specErr.Window, c.attribute, c.window)
			}
			if err.Error() != c.text {
				t.Errorf("\n got %s\nwant %s", err, c.text)
			}
		})
	}
}

// badWindow puts a faulty window behind a sound one.
func badWindow(name string, w Window, attribute, text string) compileError {
	sound := Window{Cron: "0 0 * * *", Duration: time.Hour}
	return compileError{
		"window, " + name, Spec{Cron: "0 2 * * *", Blackout: []Window{sound, w}},
		attribute, 1, "schedule: blackout 2: " + attribute + ": " + text,
	}
}

func TestSyntaxErrorComesThrough(t *testing.T) {
	_, err := Compile(Spec{Cron: "0 24 * * *"})
	var syntax *SyntaxError
	if !errors.As(err, &syntax) || syntax.Offset != 2 {
		t.Errorf("%v holds no *SyntaxError with its offset", err)
	}
}

func TestZonesAreShared(t *testing.T) {
	for _, name := range []string{"", "UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires", "Etc/GMT+8", "America/Port-au-Prince"} {
		first, second := mustZone(t, name), mustZone(t, name)
		if first != second {
			t.Errorf("%q is loaded twice", name)
		}
	}
}

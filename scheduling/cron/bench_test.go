package cron

import (
	"testing"
	"time"
)

func BenchmarkParse(b *testing.B) {
	for _, expr := range []string{"0 2 * * *", "@daily", "*/5 9-17 * JAN-JUN,DEC MON-FRI", "15,45 0,30 1-5/2 1,15 * SUN"} {
		b.Run(expr, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Parse(expr); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkNext(b *testing.B) {
	cases := []struct{ name, expr, zone string }{
		{"every minute UTC", "* * * * *", "UTC"},
		{"nightly UTC", "0 2 * * *", "UTC"},
		{"nightly New York", "0 2 * * *", "America/New_York"},
		{"every second Berlin", "* * * * * *", "Europe/Berlin"},
		{"yearly Berlin", "@yearly", "Europe/Berlin"},
		{"leap day Berlin", "0 0 29 2 *", "Europe/Berlin"},
		{"leap Sunday Berlin", "0 0 29 2 */7", "Europe/Berlin"},
	}
	start := time.Date(2072, 3, 1, 0, 0, 0, 0, time.UTC)
	for _, c := range cases {
		b.Run(c.name, func(b *testing.B) {
			s, err := Compile(Spec{Cron: c.expr, Timezone: c.zone})
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, ok, err := s.Next(start); err != nil || !ok {
					b.Fatal(ok, err)
				}
			}
		})
	}
}

// A week's outage of a job that runs every second.
func BenchmarkBetween(b *testing.B) {
	s, err := Compile(Spec{Cron: "* * * * * *", Timezone: "Europe/Berlin"})
	if err != nil {
		b.Fatal(err)
	}
	start := time.Date(2026, 3, 25, 0, 0, 0, 0, time.UTC)
	for b.Loop() {
		if _, more, err := s.Between(start, start.AddDate(0, 0, 7), 10); err != nil || more != 7*86400-10 {
			b.Fatal(more, err)
		}
	}
}

func BenchmarkLatest(b *testing.B) {
	s, err := Compile(Spec{Cron: "*/5 * * * *", Timezone: "Europe/Berlin"})
	if err != nil {
		b.Fatal(err)
	}
	start := time.Date(2026, 3, 25, 0, 0, 0, 0, time.UTC)
	for b.Loop() {
		if _, ok, err := s.Latest(start, start.AddDate(0, 0, 7)); err != nil || !ok {
			b.Fatal(ok, err)
		}
	}
}

package cron

import (
	"errors"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func at(t testing.TB, s string) time.Time {
	t.Helper()
	parsed, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

// list returns the instants of (after, until] as RFC 3339.
func list(t *testing.T, s *Schedule, after, until string) []string {
	t.Helper()
	instants, more, err := s.Between(at(t, after), at(t, until), 20)
	if err != nil || more != 0 {
		t.Fatalf("Between: %d more, %v", more, err)
	}
	var got []string
	for _, instant := range instants {
		if instant.Location() != time.UTC {
			t.Errorf("%v is not in UTC", instant)
		}
		got = append(got, instant.Format(time.RFC3339Nano))
	}
	return got
}

func TestInstants(t *testing.T) {
	zone := time.FixedZone("", 3600)
	cases := []struct {
		name         string
		spec         Spec
		after, until string
		want         []string
	}{
		{
			"cron, strictly after and up to and including", Spec{Cron: "0 * * * *"},
			"2027-01-01T01:00:00Z", "2027-01-01T03:00:00Z",
			[]string{"2027-01-01T02:00:00Z", "2027-01-01T03:00:00Z"},
		},
		{
			"cron, from between two seconds", Spec{Cron: "0 * * * *"},
			"2027-01-01T00:59:59.999999999Z", "2027-01-01T01:59:59.9Z",
			[]string{"2027-01-01T01:00:00Z"},
		},
		{
			"cron, from just after", Spec{Cron: "0 * * * *"},
			"2027-01-01T01:00:00.000000001Z", "2027-01-01T02:00:00Z",
			[]string{"2027-01-01T02:00:00Z"},
		},
		{
			"every, on multiples since the epoch", Spec{Every: 25 * time.Minute},
			"2027-01-01T00:00:00Z", "2027-01-01T01:10:00Z",
			[]string{"2027-01-01T00:15:00Z", "2027-01-01T00:40:00Z", "2027-01-01T01:05:00Z"},
		},
		{
			"every, below whole seconds", Spec{Every: 1500 * time.Millisecond},
			"2027-01-01T00:00:00Z", "2027-01-01T00:00:03Z",
			[]string{"2027-01-01T00:00:01.5Z", "2027-01-01T00:00:03Z"},
		},
		{
			"at, in order and once each",
			Spec{At: []time.Time{
				time.Date(2027, 1, 2, 0, 0, 0, 0, time.UTC),
				time.Date(2027, 1, 1, 12, 0, 0, 5, time.UTC),
				time.Date(2027, 1, 2, 1, 0, 0, 0, zone),
			}},
			"2027-01-01T00:00:00Z", "2027-01-02T00:00:00Z",
			[]string{"2027-01-01T12:00:00.000000005Z", "2027-01-02T00:00:00Z"},
		},
		{
			"at, past", Spec{At: []time.Time{time.Date(2027, 1, 2, 0, 0, 0, 0, time.UTC)}},
			"2027-01-02T00:00:00Z", "2030-01-01T00:00:00Z", nil,
		},
		{
			"bounds are inclusive",
			Spec{
				Cron:      "0 * * * *",
				NotBefore: time.Date(2027, 1, 1, 6, 0, 0, 0, zone), NotAfter: time.Date(2027, 1, 1, 7, 0, 0, 0, time.UTC),
			},
			"2027-01-01T00:00:00Z", "2028-01-01T00:00:00Z",
			[]string{"2027-01-01T05:00:00Z", "2027-01-01T06:00:00Z", "2027-01-01T07:00:00Z"},
		},
		{
			"bounds judge the instant after jitter", // of 16m40s
			Spec{
				Cron: "0 * * * *", Jitter: time.Hour, JitterSeed: "default/report",
				NotBefore: time.Date(2027, 1, 1, 5, 10, 0, 0, time.UTC), NotAfter: time.Date(2027, 1, 1, 7, 10, 0, 0, time.UTC),
			},
			"2027-01-01T00:00:00Z", "2028-01-01T00:00:00Z",
			[]string{"2027-01-01T05:16:40Z", "2027-01-01T06:16:40Z"},
		},
		{
			"jitter below a second", Spec{Every: time.Second, Jitter: 500 * time.Millisecond, JitterSeed: "default/report"},
			"2027-01-01T00:00:00Z", "2027-01-01T00:00:02Z",
			[]string{"2027-01-01T00:00:00.4Z", "2027-01-01T00:00:01.4Z"},
		},
		{
			"the first instant of all", Spec{Cron: "@daily"},
			"0001-01-01T00:00:00Z", "1970-01-02T00:00:00Z",
			[]string{"1970-01-01T00:00:00Z", "1970-01-02T00:00:00Z"},
		},
		{
			"the last instant of all", Spec{Cron: "@daily"},
			"2199-12-30T00:00:00Z", "2300-01-01T00:00:00Z",
			[]string{"2199-12-31T00:00:00Z"},
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := mustCompile(t, c.spec)
			if diff := cmp.Diff(c.want, list(t, s, c.after, c.until)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			latest, ok, err := s.Latest(at(t, c.after), at(t, c.until))
			if err != nil || ok != (len(c.want) > 0) || ok && latest.Format(time.RFC3339Nano) != c.want[len(c.want)-1] {
				t.Errorf("Latest = %v, %v, %v", latest, ok, err)
			}
			if got := s.count(at(t, c.after), at(t, c.until)); got != len(c.want) {
				t.Errorf("count = %d, want %d", got, len(c.want))
			}
		})
	}
}

// An instant that comes every so often, from wherever one looks.
func TestBetweenCountsWhatItDoesNotList(t *testing.T) {
	week := Spec{Cron: "* * * * * *", Timezone: "Europe/Berlin", Jitter: time.Minute, JitterSeed: "x"}
	for _, spec := range []Spec{week, {Every: time.Second, Jitter: time.Minute, JitterSeed: "x"}} {
		s := mustCompile(t, spec)
		instants, more, err := s.Between(at(t, "2027-10-28T00:00:00Z"), at(t, "2027-11-04T00:00:00Z"), 10)
		if err != nil || len(instants) != 10 || more != 7*86400-10 {
			t.Errorf("Between = %v, %d, %v", instants, more, err)
		}
		if _, more, _ := s.Between(at(t, "2027-10-28T00:00:00Z"), at(t, "2027-10-27T00:00:00Z"), -1); more != 0 {
			t.Errorf("a stretch that runs backwards holds %d instants", more)
		}
	}
}

// A jitter of a few seconds would leave a thousand jobs at a few instants, if it
// were dealt out in whole ones.
func TestShortJitterIsFine(t *testing.T) {
	seen := map[time.Duration]bool{}
	for i := range 1000 {
		spec := Spec{Every: time.Minute, Jitter: time.Second, JitterSeed: fmt.Sprintf("default/job-%d", i)}
		next, _, err := mustCompile(t, spec).Next(time.Unix(0, 0))
		if err != nil {
			t.Fatal(err)
		}
		offset := time.Duration(next.UnixNano()) % time.Minute
		if offset >= time.Second {
			t.Fatalf("%s is moved by %v", spec.JitterSeed, offset)
		}
		seen[offset] = true
	}
	if len(seen) < 500 {
		t.Errorf("1,000 jobs are due at %d instants of the second", len(seen))
	}
}

func TestJitterSpreadsAndStays(t *testing.T) {
	const jobs, buckets = 1000, 10
	var spread [buckets]int
	for i := range jobs {
		spec := Spec{Cron: "0 0 * * *", Jitter: time.Hour, JitterSeed: fmt.Sprintf("default/job-%d", i)}
		first := list(t, mustCompile(t, spec), "2027-01-01T00:00:00Z", "2027-01-02T00:00:00Z")
		again := list(t, mustCompile(t, spec), "2027-01-01T00:00:00Z", "2027-01-02T00:00:00Z")
		if !cmp.Equal(first, again) || len(first) != 1 {
			t.Fatalf("%s: %v, then %v", spec.JitterSeed, first, again)
		}
		offset := at(t, first[0]).Sub(at(t, "2027-01-01T00:00:00Z"))
		if offset < 0 || offset >= time.Hour || offset%time.Second != 0 {
			t.Fatalf("%s is moved by %v", spec.JitterSeed, offset)
		}
		spread[offset*buckets/time.Hour]++
	}
	for _, n := range spread {
		if n < jobs/buckets/2 || n > jobs/buckets*2 {
			t.Errorf("jobs are unevenly spread over the hour: %v", spread)
		}
	}
}

func TestBlackout(t *testing.T) {
	nightly := Window{Cron: "0 22 * * MON-FRI", Duration: 8 * time.Hour}
	holidays := Window{From: time.Date(2027, 12, 25, 12, 0, 0, 0, time.UTC), To: time.Date(2027, 12, 28, 12, 0, 0, 0, time.UTC)}
	s := mustCompile(t, Spec{Cron: "0 * * * *", Timezone: "Europe/Berlin", Blackout: []Window{nightly, holidays}})
	cases := []struct {
		at   string
		want *Window
	}{
		{"2027-06-07T21:59:59.999999999+02:00", nil},
		{"2027-06-07T22:00:00+02:00", &nightly},
		{"2027-06-08T05:59:59.999999999+02:00", &nightly},
		{"2027-06-08T06:00:00+02:00", nil},
		{"2027-06-12T05:00:00+02:00", &nightly}, // Saturday, since Friday
		{"2027-06-12T23:00:00+02:00", nil},
		{"2027-12-25T11:59:59.999999999Z", nil},
		{"2027-12-25T12:00:00Z", &holidays},
		{"2027-12-27T22:00:00Z", &nightly}, // both: the first
		{"2027-12-28T11:59:59.999999999Z", &holidays},
		{"2027-12-28T12:00:00Z", nil},
		{"0001-01-01T00:00:00Z", nil},
		{"2400-01-01T00:00:00Z", nil},
	}
	for _, c := range cases {
		got, ok := s.Blackout(at(t, c.at))
		if ok != (c.want != nil) || ok && got != *c.want {
			t.Errorf("Blackout(%s) = %v, %v", c.at, got, ok)
		}
	}
	next, ok, err := s.Next(at(t, "2027-12-25T12:00:00Z"))
	if err != nil || !ok || !next.Equal(at(t, "2027-12-25T13:00:00Z")) {
		t.Errorf("an instant in a blackout window is still due: Next = %v, %v, %v", next, ok, err)
	}
}

// stuck is a source that does what a faulty evaluator would.
type stuck struct{ t time.Time }

func (s stuck) next(time.Time) (time.Time, bool) { return s.t, true }
func (s stuck) count(_, _ time.Time) int         { return 1 }

func TestNextNeverRepeats(t *testing.T) {
	now := at(t, "2027-01-01T00:00:00Z")
	for _, faulty := range []time.Time{now, now.Add(-time.Hour)} {
		s := &Schedule{source: stuck{faulty}}
		if got, ok, err := s.Next(now); !errors.Is(err, ErrStalled) || ok || !got.IsZero() {
			t.Fatalf("Next = %v, %v, %v", got, ok, err)
		}
		if got, _, err := s.Between(now, now.Add(time.Hour), 5); !errors.Is(err, ErrStalled) || got != nil {
			t.Errorf("Between = %v, %v", got, err)
		}
		if _, ok, err := s.Latest(now, now.Add(time.Hour)); !errors.Is(err, ErrStalled) || ok {
			t.Errorf("Latest = %v, %v", ok, err)
		}
	}
}

func TestNextFromTheEndsOfTime(t *testing.T) {
	specs := []Spec{
		{Cron: "@daily", Timezone: "Europe/Berlin", Jitter: time.Hour, JitterSeed: "x"},
		{Every: time.Hour},
		{At: []time.Time{at(t, "2027-01-01T00:00:00Z")}},
	}
	for _, spec := range specs {
		s := mustCompile(t, spec)
		for _, far := range []time.Time{{}, time.Unix(math.MinInt64, 0), time.Unix(-1<<40, 0)} {
			if next, ok, err := s.Next(far); !ok || err != nil || !inRange(next) {
				t.Errorf("Next(%v) = %v, %v, %v", far, next, ok, err)
			}
		}
		for _, far := range []time.Time{time.Unix(1<<62, 0), time.Unix(endSecond, 0), time.Unix(1<<40, 0)} {
			if next, ok, err := s.Next(far); ok || err != nil {
				t.Errorf("Next(%v) = %v, %v, %v", far, next, ok, err)
			}
		}
	}
}

// time.ZoneBounds ends a span before the instant asked for on this day.
func TestLastDayOfALeapYear(t *testing.T) {
	s := mustCompile(t, Spec{Cron: "0 */8 * * *", Timezone: "Europe/Berlin"})
	want := []string{"2040-12-30T23:00:00Z", "2040-12-31T07:00:00Z", "2040-12-31T15:00:00Z", "2040-12-31T23:00:00Z"}
	if diff := cmp.Diff(want, list(t, s, "2040-12-30T20:00:00Z", "2041-01-01T00:00:00Z")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

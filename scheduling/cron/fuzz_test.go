package cron

import (
	"errors"
	"testing"
	"time"
)

// Whatever the input, one call takes less than this.
const callLimit = time.Millisecond

// requireQuick fails if f takes longer than callLimit every time: one slow call
// may be the machine's doing, five in a row are ours.
func requireQuick(t *testing.T, what string, f func()) {
	t.Helper()
	var took time.Duration
	for range 5 {
		start := time.Now()
		f()
		if took = time.Since(start); took <= callLimit {
			return
		}
	}
	t.Fatalf("%s takes %v, want at most %v", what, took, callLimit)
}

var seedExprs = []string{
	"", " ", "@daily", "@", "@every 5m", "0 2 * * *", "*/5 9-17 * JAN-JUN,DEC MON-FRI", "30 0 2 * * *",
	"0 0 29 2 */7", "0 0 30 2 *", "0 0 30 2 1", "*,99 * * * *", "1-2-3 * * * *", "5-1 * * * *", "1,, * * * *",
	"*/0 * * * *", "0 0 L * *", "0 0 15W * *", "0 0 * * 5#3", "0 0 ? * *", "H * * * *", "TZ=UTC 0 0 * * *",
	"0 0 * * * * * *", "\x00 * * * *", "0\n0 * * *", "99999999999999999999/1 * * * *", "1/ * * * *", "*-* * * * *",
	"7-7/7 7 7 7 7", "0-59/59,0-59/58,0-59/57 */23 */30 */11 */6",
}

func FuzzParse(f *testing.F) {
	for _, expr := range seedExprs {
		f.Add(expr)
	}
	f.Fuzz(func(t *testing.T, source string) {
		expr, err := Parse(source)
		requireQuick(t, "Parse", func() { _, _ = Parse(source) })
		if err != nil {
			var syntax *SyntaxError
			if !errors.As(err, &syntax) || syntax.Problem == "" || syntax.Offset < 0 || syntax.Offset > len(source) {
				t.Fatalf("Parse(%q): %#v", source, err)
			}
			if end := syntax.Offset + len(syntax.Text); end > len(source) || source[syntax.Offset:end] != syntax.Text {
				t.Fatalf("Parse(%q): %q is not at %d", source, syntax.Text, syntax.Offset)
			}
			return
		}
		if expr.String() != source {
			t.Fatalf("Parse(%q).String() = %q", source, expr.String())
		}
		if _, ok := expr.next(startSecond, endSecond); !ok {
			t.Fatalf("%q is accepted, but has no instant", source)
		}
	})
}

func FuzzNext(f *testing.F) {
	for i, expr := range seedExprs {
		f.Add(expr, byte(i), byte(i/2), int64(i), int64(1_800_000_000+i*11_111_111))
	}
	f.Add("30 2 * * *", byte(1), byte(0), int64(0), int64(1_806_000_000))
	f.Fuzz(func(t *testing.T, expr string, place, rules byte, jitter, after int64) {
		spec := Spec{
			Cron: expr, Timezone: places[int(place)%len(places)].zone,
			DSTGap: gapRules[rules%3], DSTRepeat: repeatRules[rules/3%3],
			Jitter: time.Duration(jitter), JitterSeed: "job",
		}
		s, err := Compile(spec)
		if err != nil {
			return
		}
		start := time.Unix(after, 0)
		requireQuick(t, "Next", func() { _, _, _ = s.Next(start) })
		requireSteps(t, s, start)
	})
}

// requireSteps checks a few steps of a schedule against one another.
func requireSteps(t *testing.T, s *Schedule, start time.Time) {
	t.Helper()
	reference := start
	for step := range 5 {
		next, ok, err := s.Next(reference)
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			return
		}
		if !next.After(reference) || !inRange(next) {
			t.Fatalf("Next(%v) = %v", reference, next)
		}
		if again, _, _ := s.Next(next.Add(-1)); !again.Equal(next) {
			t.Fatalf("Next just before %v = %v", next, again)
		}
		if got := s.count(start, next); got != step+1 {
			t.Fatalf("step %d from %v is %v, but %d instants are counted", step+1, start, next, got)
		}
		if latest, ok, err := s.Latest(reference, next); !ok || err != nil || !latest.Equal(next) {
			t.Fatalf("Latest(%v, %v) = %v, %v, %v", reference, next, latest, ok, err)
		}
		reference = next
	}
}

package cron

import (
	"testing"
	"time"

	"github.com/adhocore/gronx"
)

// In UTC, gronx is a second opinion on fields, days and months that shares no
// code and no author with this package. It gives up on dates that are far away;
// those are left out, and must be few.
func TestScheduleAgreesWithGronxInUTC(t *testing.T) {
	g := newGenerator(42)
	compared, gaveUp := 0, 0
	for range scaled(t, 1000) {
		m := g.expression(g.IntN(3) == 0)
		s, err := Compile(Spec{Cron: m.text})
		if err != nil {
			requireImpossible(t, m, err)
			continue
		}
		start := time.Unix(1_800_000_000+g.Int64N(400_000_000), 0).UTC()
		want, err := gronx.NextTickAfter(m.text, start, false)
		if err != nil {
			gaveUp++
			continue
		}
		compared++
		got, ok, err := s.Next(start)
		if err != nil || !ok || !got.Equal(want) {
			t.Errorf("%q after %v: %v, %v, %v; gronx: %v", m.text, start, got, ok, err, want)
		}
	}
	if gaveUp*20 > compared {
		t.Errorf("gronx gave up on %d expressions and answered %d: the comparison is hollow", gaveUp, compared)
	}
}

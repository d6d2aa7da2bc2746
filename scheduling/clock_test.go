package scheduling

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/rota-scheduler/rota/fsm"
)

// machine is a computer's two clocks.
type machine struct{ wall, mono int64 }

func (m *machine) clock() *Clock {
	return NewClock(func() time.Time { return time.Unix(0, m.wall) }, func() int64 { return m.mono })
}

func (m *machine) pass(d time.Duration) {
	m.wall += int64(d)
	m.mono += int64(d)
}

const someday = int64(1_700_000_000e9)

func TestClockIgnoresStepsOfTheWallClock(t *testing.T) {
	for _, leading := range []bool{false, true} {
		m := &machine{someday, 1}
		c := m.clock()
		if leading {
			c.Lead()
		}
		m.wall += int64(time.Hour)
		m.pass(time.Second)
		got := int64(c.Now()) - someday - int64(time.Second)
		want := map[bool]int64{false: 0, true: int64(500 * time.Microsecond)}[leading]
		if got != want {
			t.Errorf("leading %v: moved by %v, want %v", leading, time.Duration(got), time.Duration(want))
		}
	}
}

func TestALeadingClockSlewsToItsWallClockAndStays(t *testing.T) {
	for _, off := range []time.Duration{3 * time.Millisecond, -3 * time.Millisecond} {
		m := &machine{someday, 1}
		c := m.clock()
		c.Lead()
		m.wall += int64(off)
		for i := range 10 {
			m.pass(time.Second)
			c.Now()
			left := time.Duration(m.wall - int64(c.Now()))
			want := max(off.Abs()-time.Duration(i+1)*500*time.Microsecond, 0)
			if left.Abs() != want {
				t.Errorf("after %d s %v are left, want %v", i+1, left, want)
			}
		}
	}
}

// A new leader carries on from where the old one was, however wrong its own
// wall clock is.
func TestClockCarriesOnOverLeaders(t *testing.T) {
	a, b := &machine{someday, 1}, &machine{someday + int64(time.Minute), 7}
	old, successor := a.clock(), b.clock()
	old.Lead()
	pass := func(d time.Duration) { a.pass(d); b.pass(d) }
	pass(time.Second)
	successor.Sample(old.Now(), b.mono, b.mono)
	pass(10 * time.Second)
	last := old.Now()
	old.Follow()
	successor.Lead()
	if got := successor.Now().Sub(last); got != 0 {
		t.Errorf("time jumped by %v", got)
	}
	pass(100 * time.Second)
	if got := successor.Now().Sub(last) - 100*time.Second; got != 50*time.Millisecond {
		t.Errorf("slewed by %v in 100 s", got)
	}
	if got := successor.WallOffset(); got != time.Minute-50*time.Millisecond {
		t.Errorf("offset %v", got)
	}
}

func TestSample(t *testing.T) {
	const far = fsm.Time(someday + 3600e9)
	type sample struct{ sent, received time.Duration }
	for _, tt := range []struct {
		name    string
		leading bool
		before  []sample
		sample
		taken bool
	}{
		{name: "half the round trip", sample: sample{0, 40 * time.Millisecond}, taken: true},
		{name: "the first, however slow, but never ahead of the leader", sample: sample{0, 4 * time.Second}, taken: true},
		{name: "a slow one after a quick one", before: []sample{{0, 0}}, sample: sample{1, 101*time.Millisecond + 1}},
		{name: "a slow one after a long silence", before: []sample{{0, 0}}, sample: sample{time.Hour, time.Hour + 3*time.Second}, taken: true},
		{name: "received before it was sent", sample: sample{time.Second, 0}},
		{name: "by a leader", leading: true, sample: sample{0, 0}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := &machine{someday, 1}
			c := m.clock()
			if tt.leading {
				c.Lead()
			}
			for _, s := range tt.before {
				c.Sample(fsm.Time(someday), 1+int64(s.sent), 1+int64(s.received))
			}
			m.pass(tt.received)
			c.Sample(far, 1+int64(tt.sent), 1+int64(tt.received))
			want := fsm.Time(m.wall)
			if tt.taken {
				want = far + fsm.Time(min(tt.received-tt.sent, 100*time.Millisecond))/2
			}
			if got := c.Now(); got != want {
				t.Errorf("%s, want %s", got, want)
			}
		})
	}
}

func TestALeadingClockNeverGoesBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &machine{someday, 1}
		c := m.clock()
		c.Lead()
		last := c.Now()
		for range rapid.IntRange(1, 50).Draw(t, "looks") {
			m.wall += rapid.Int64Range(-1e15, 1e15).Draw(t, "step of the wall clock")
			elapsed := rapid.Int64Range(0, 1e12).Draw(t, "elapsed")
			m.mono += elapsed
			now := c.Now()
			if d := int64(now - last); d < 0 || d < elapsed-elapsed/2000-1 || d > elapsed+elapsed/2000+1 {
				t.Fatalf("%d ns passed and the clock moved by %d", elapsed, d)
			}
			last = now
		}
	})
}

// TestClockRestored: the clock of an agent that comes back goes on where the one
// before it was, also if it leads at once, and whatever the wall clock says.
func TestClockRestored(t *testing.T) {
	before := NewClock(func() time.Time { return time.Unix(1000, 0) }, func() int64 { return 500 })
	after := NewClock(func() time.Time { return time.Unix(9000, 0) }, func() int64 { return 1500 })
	after.Restore(before.Offset())
	after.Lead()
	if got, want := after.Now(), fsm.At(time.Unix(1000, 1000)); got != want {
		t.Errorf("it is %s, want %s", got, want)
	}
}

// TestALeaderThatWasKeepsItsTime: a node that led knows cluster time. A slow answer
// of the next leader must not set it back by the way that the answer took.
func TestALeaderThatWasKeepsItsTime(t *testing.T) {
	m := &machine{someday, 1}
	c := m.clock()
	c.Lead()
	m.pass(10 * time.Second)
	c.Follow()
	asked, sent := c.Now(), m.mono
	m.pass(920 * time.Millisecond)
	c.Sample(asked, sent, m.mono)
	if late := fsm.Time(m.wall).Sub(c.Now()); late != 0 {
		t.Errorf("the clock is %s late", late)
	}
}

// TestLatest: a clock that only slow answers have set says how late it may be,
// until it hears a quick one.
func TestLatest(t *testing.T) {
	m := &machine{someday, 1}
	c := m.clock()
	expect := func(when string, doubt time.Duration) {
		t.Helper()
		if got := c.Latest().Sub(c.Now()); time.Duration(got) != doubt {
			t.Errorf("%s: it may be %s later, want %s", when, got, doubt)
		}
		if _, kept := c.Offset(); kept != int64(doubt) {
			t.Errorf("%s: it is kept with a doubt of %d ns", when, kept)
		}
	}
	expect("by the wall clock", 0)
	m.pass(time.Second)
	c.Sample(fsm.Time(someday), 1, m.mono)
	expect("after a slow answer", 900*time.Millisecond)
	if late := fsm.Time(m.wall) - c.Latest(); late > fsm.Time(50*time.Millisecond) {
		t.Errorf("the latest it can be is %d ns before it", late)
	}
	m.pass(150 * time.Millisecond)
	c.Sample(fsm.Time(m.wall-int64(150*time.Millisecond)), m.mono-int64(150*time.Millisecond), m.mono)
	expect("after a better answer", 50*time.Millisecond)
	again := m.clock()
	again.Restore(c.Offset())
	c = again
	expect("after a restart", 50*time.Millisecond)
	c.Lead()
	expect("while it leads", 50*time.Millisecond)
	c.Follow()
	expect("after it has led", 50*time.Millisecond)
	c.Lead()
	m.pass(1000 * time.Second)
	expect("after it has led for long", 0)
	c.Follow()
	m.pass(400 * time.Second)
	c.Sample(fsm.Time(m.wall), m.mono-int64(500*time.Millisecond), m.mono)
	expect("after a slow answer that follows a long silence", 400*time.Millisecond)
	c.Sample(fsm.Time(m.wall), m.mono, m.mono)
	expect("after a quick answer", 0)
}

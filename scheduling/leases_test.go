package scheduling

import (
	"testing"
	"time"
)

const (
	lapse = 3 * time.Second
	quiet = lapse + 500*time.Millisecond // with the margin
	loss  = 40*time.Second + 500*time.Millisecond
)

// table is a lease table with a clock that the test moves.
type table struct {
	*Leases
	t    *testing.T
	mono int64
}

// newTable opens a term at a barrier of 100, with n1 known, and a quorum checked.
func newTable(t *testing.T) *table {
	tb := &table{t: t, mono: int64(time.Hour)}
	tb.Leases = NewLeases(func() int64 { return tb.mono }, DefaultTiming())
	tb.Open(100, []string{"n1"})
	tb.Verified(tb.mono)
	return tb
}

func (tb *table) pass(d time.Duration) { tb.mono += int64(d) }

func (tb *table) wantGrant(g Grant, ok bool, age time.Duration, floor uint64) {
	tb.t.Helper()
	if want := (Grant{OK: ok, Age: age, Floor: floor}); g != want {
		tb.t.Errorf("granted %+v, want %+v", g, want)
	}
}

func (tb *table) wantReady(incarnation uint64) {
	tb.t.Helper()
	if inc, ok := tb.Ready("n1"); ok != (incarnation != 0) || inc != incarnation {
		tb.t.Errorf("ready for incarnation %d (%v), want %d", inc, ok, incarnation)
	}
}

func TestAGrantIsAsOldAsTheProofOfAQuorum(t *testing.T) {
	tb := newTable(t)
	tb.pass(time.Second)
	tb.wantGrant(tb.Heartbeat("n1", 1, 50), true, time.Second, 100)
	tb.Verified(tb.mono - int64(time.Millisecond))
	tb.Verified(tb.mono - int64(time.Minute)) // an older one that came late
	tb.wantGrant(tb.Heartbeat("n1", 1, 50), true, time.Millisecond, 100)
}

func TestNothingIsGranted(t *testing.T) {
	for name, spoil := range map[string]func(tb *table) Grant{
		"before a quorum is proved": func(tb *table) Grant {
			tb.Open(100, []string{"n1"})
			return tb.Heartbeat("n1", 1, 50)
		},
		"after the term": func(tb *table) Grant { tb.Close(); return tb.Heartbeat("n1", 1, 50) },
		"to what the log has not taken note of": func(tb *table) Grant {
			return tb.Heartbeat("n1", 1, 0)
		},
		"to an older incarnation": func(tb *table) Grant {
			tb.Heartbeat("n1", 2, 50)
			return tb.Heartbeat("n1", 1, 50)
		},
		"while a decision is in flight": func(tb *table) Grant { tb.Hold("n1"); return tb.Heartbeat("n1", 1, 50) },
		"while another one is": func(tb *table) Grant {
			tb.Hold("n1")
			tb.Hold("n1")
			tb.Settle("n1", 0, true)
			return tb.Heartbeat("n1", 1, 50)
		},
		"after a decision of unknown fate": func(tb *table) Grant {
			tb.Hold("n1")
			tb.Settle("n1", 0, false)
			tb.pass(time.Hour)
			return tb.Heartbeat("n1", 1, 50)
		},
	} {
		t.Run(name, func(t *testing.T) {
			tb := newTable(t)
			if g := spoil(tb); g.OK {
				t.Errorf("granted %+v", g)
			}
			tb.wantReady(map[bool]uint64{true: 2}[name == "to an older incarnation"])
		})
	}
}

func TestFloors(t *testing.T) {
	tb := newTable(t)
	tb.wantGrant(tb.Heartbeat("n1", 1, 50), true, 0, 100) // the barrier
	tb.wantGrant(tb.Heartbeat("n2", 1, 120), true, 0, 120)
	tb.wantGrant(tb.Heartbeat("n1", 2, 130), true, 0, 130) // what registered the incarnation
	tb.Hold("n1")
	tb.Settle("n1", 140, true) // what was decided about the node
	tb.wantGrant(tb.Heartbeat("n1", 2, 130), true, 0, 140)
	tb.Hold("n1")
	tb.Settle("n1", 0, true) // a decision that is surely not in the log
	tb.wantGrant(tb.Heartbeat("n1", 2, 130), true, 0, 140)
	tb.wantGrant(tb.Heartbeat("n2", 1, 120), true, 0, 120)
}

func TestANewTermForgetsHolds(t *testing.T) {
	tb := newTable(t)
	tb.Heartbeat("n1", 1, 50)
	tb.Hold("n1")
	tb.Settle("n1", 0, false)
	tb.Hold("n1")
	tb.Close()
	tb.Open(200, []string{"n1"})
	tb.wantReady(0) // not answered in this term
	tb.Settle("n1", 0, false)
	tb.Verified(tb.mono)
	tb.wantGrant(tb.Heartbeat("n1", 1, 50), true, 0, 200)
	tb.wantReady(1)
}

func TestReady(t *testing.T) {
	tb := newTable(t)
	tb.wantReady(0)
	changed := tb.Changed()
	tb.Heartbeat("n1", 4, 50)
	tb.wantReady(4)
	select {
	case <-changed:
	default:
		t.Error("nobody was told that the node became ready")
	}
	tb.pass(lapse - 1)
	tb.wantReady(4)
	tb.pass(1)
	tb.wantReady(0)
	changed = tb.Changed()
	tb.Heartbeat("n1", 4, 50)
	tb.wantReady(4)
	select {
	case <-changed:
	default:
		t.Error("nobody was told that the node came back")
	}
	tb.Saw("n1", 4)
	tb.wantReady(4)
	tb.Saw("n1", 5)
	tb.wantReady(0)
	tb.Heartbeat("n1", 5, 60)
	tb.wantReady(5)
}

func TestContact(t *testing.T) {
	tb := newTable(t)
	since := func() time.Duration {
		t.Helper()
		answered, ok := tb.Contact("n1")
		if !ok {
			t.Fatal("no contact in a term")
		}
		return time.Duration(tb.mono - answered)
	}
	// A node that never spoke in this term counts from its beginning.
	tb.pass(quiet)
	if got := since(); got != quiet {
		t.Errorf("%s since the term began, want %s", got, quiet)
	}
	tb.Heartbeat("n1", 1, 50)
	if got := since(); got != 0 {
		t.Errorf("%s since an answer just now", got)
	}
	tb.Hold("n1")
	tb.pass(time.Second)
	tb.Heartbeat("n1", 1, 50) // no answer that grants: no contact
	tb.Settle("n1", 0, true)
	if got := since(); got != time.Second {
		t.Errorf("%s: an answer that granted nothing counts as contact", got)
	}
	tb.Close()
	if _, ok := tb.Contact("n1"); ok {
		t.Error("judged after the term")
	}
}

func TestContactOfANodeThatIsNotInTheTable(t *testing.T) {
	tb := newTable(t)
	tb.pass(time.Hour)
	first, _ := tb.Contact("n9")
	if first != tb.mono {
		t.Error("a node that is new does not count from now")
	}
	tb.pass(loss)
	if again, _ := tb.Contact("n9"); again != first {
		t.Error("asking about a node counts as contact with it")
	}
}

func TestClockIsOff(t *testing.T) {
	tb := newTable(t)
	observe := func(id string, off time.Duration) {
		tb.Heartbeat(id, 1, 50)
		tb.ObserveClock(id, off)
	}
	observe("n1", time.Hour)
	observe("n2", 0)
	tb.wantReady(1) // of two nobody can say which is wrong
	observe("n3", 10*time.Millisecond)
	tb.wantReady(0)
	observe("n1", 400*time.Millisecond)
	tb.wantReady(1)
	// A cluster whose time is wrong has nothing against its nodes.
	for _, id := range []string{"n1", "n2", "n3"} {
		observe(id, time.Hour)
	}
	tb.wantReady(1)
}

package membership

import (
	"log/slog"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// testLogger writes to the test's log.
func testLogger(t *testing.T) *slog.Logger {
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelInfo}))
}

// awaitMembers waits until the members as src sees them fulfil the condition.
func awaitMembers(t *testing.T, src MemberSource, what string, ok func([]Member) bool) []Member {
	t.Helper()
	deadline := time.NewTimer(30 * time.Second)
	defer deadline.Stop()
	for {
		members, changed := src.Watch()
		if ok(members) {
			return members
		}
		select {
		case <-changed:
		case <-deadline.C:
			t.Fatalf("not in time: %s; members: %+v", what, members)
		}
	}
}

// statuses is true when exactly these names have these statuses.
func statuses(want map[string]Status) func([]Member) bool {
	return func(members []Member) bool {
		if len(members) != len(want) {
			return false
		}
		for _, m := range members {
			if want[m.Name] != m.Status {
				return false
			}
		}
		return true
	}
}

func allAlive(names ...string) func([]Member) bool {
	want := make(map[string]Status)
	for _, n := range names {
		want[n] = StatusAlive
	}
	return statuses(want)
}

package cluster

import (
	"context"
	"fmt"
	"testing"
	"time"
)

// pollEvery is how often a condition is looked at.
const pollEvery = 10 * time.Millisecond

// Eventually looks until cond returns nil. It fails the test, with cond's last
// error, when that does not happen in time.
func Eventually(t testing.TB, within time.Duration, what string, cond func() error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	if err := Poll(ctx, cond); err != nil {
		t.Fatalf("not within %s: %s: %v", within, what, err)
	}
}

// Poll looks until cond returns nil, or ctx ends: then it returns cond's last
// error.
func Poll(ctx context.Context, cond func() error) error {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		err := cond()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w (%w)", err, ctx.Err())
		case <-tick.C:
		}
	}
}

// Until returns when the wall clock shows t.
func Until(tb testing.TB, t time.Time) {
	tb.Helper()
	timer := time.NewTimer(time.Until(t))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-tb.Context().Done():
		tb.Fatalf("the test ended before %s", t)
	}
}

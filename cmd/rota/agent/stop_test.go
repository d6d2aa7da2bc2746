package agent

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// TestStopThatHangs: a stop that a hung disk holds up is given up, so that the
// process can end; any other is waited for.
func TestStopThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		thawed := make(chan struct{})
		err := within(failedTimeout, func() error { <-thawed; return nil })
		if took := time.Since(began); !errors.Is(err, ErrStopHangs) || took != failedTimeout {
			t.Errorf("got %v after %s, want ErrStopHangs after %s", err, took, failedTimeout)
		}
		close(thawed)
		other := errors.New("other")
		if err := within(failedTimeout, func() error { <-time.After(failedTimeout / 2); return other }); !errors.Is(err, other) {
			t.Errorf("got %v, want what the stop said", err)
		}
	})
}

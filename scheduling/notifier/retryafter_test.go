package notifier

import (
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rota-scheduler/rota/fsm"
)

// TestRetryAfter: a receiver that is busy is asked again when it says, within the
// bounds of the pauses; what else waits for it waits as well.
func TestRetryAfter(t *testing.T) {
	in := func(d time.Duration) func() string {
		return func() string { return time.Now().Add(d).UTC().Format(http.TimeFormat) }
	}
	is := func(s string) func() string { return func() string { return s } }
	tests := []struct {
		name        string
		code        int
		header      func() string
		least, most time.Duration // of the pause
	}{
		{"seconds", 429, is("90"), 90 * time.Second, 90 * time.Second},
		{"unavailable", 503, is("90"), 90 * time.Second, 90 * time.Second},
		{"an instant", 503, in(2 * time.Minute), 119 * time.Second, 2 * time.Minute},
		{"past the bound", 429, is("86400"), maxPause, maxPause},
		{"past every number", 429, is("99999999999999999999"), 0, time.Second},
		{"sooner than the pause", 429, is("0"), 0, time.Second},
		{"an instant that is over", 429, in(-time.Hour), 0, time.Second},
		{"no form that is known", 429, is("soon"), 0, time.Second},
		{"another status", 500, is("90"), 0, time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(r *rig) {
				var calls atomic.Int32
				w := r.receiver("host", func(w http.ResponseWriter, _ *http.Request) {
					if calls.Add(1) == 1 {
						w.Header().Set("Retry-After", tt.header())
						w.WriteHeader(tt.code)
					}
				})
				r.job("j", fsm.Notify{URL: "http://host/"})
				defer r.lead()()
				r.end("j")
				r.after(time.Millisecond)
				r.end("j") // meanwhile
				r.after(time.Hour)
				got := w.requests()
				if len(got) != 3 {
					t.Fatalf("%d requests", len(got))
				}
				again := got[1]
				if tt.most <= time.Second { // nothing was asked for: the second event goes at once
					again = got[2]
				}
				if pause := again.at.Sub(got[0].at); pause < tt.least || pause > tt.most {
					t.Errorf("asked again after %s, want %s to %s", pause, tt.least, tt.most)
				}
			})
		})
	}
}

// TestRetryAfterAmongSuccesses: one answer that asks for a pause counts, whatever is
// said meanwhile to the requests that were under way beside it.
func TestRetryAfterAmongSuccesses(t *testing.T) {
	bubble(t, func(r *rig) {
		var calls atomic.Int32
		w := r.receiver("host", func(w http.ResponseWriter, _ *http.Request) {
			switch calls.Add(1) {
			case 1:
				<-time.After(2 * time.Second)
			case 2:
				<-time.After(time.Second)
				w.Header().Set("Retry-After", "30")
				w.WriteHeader(http.StatusTooManyRequests)
			case 3:
				<-time.After(time.Second)
				w.Header().Set("Retry-After", "90")
				w.WriteHeader(http.StatusTooManyRequests)
			}
		})
		r.job("j", fsm.Notify{URL: "http://host/"})
		for range 3 {
			r.end("j")
		}
		began := time.Now()
		defer r.lead()()
		r.after(10 * time.Second)
		r.end("j")
		r.after(time.Hour)
		got := w.requests()
		if len(got) != 6 {
			t.Fatalf("%d requests", len(got))
		}
		for _, again := range got[3:] {
			if pause := again.at.Sub(began); pause < 91*time.Second {
				t.Errorf("asked again %s after the first, want 91s at least", pause)
			}
		}
	})
}

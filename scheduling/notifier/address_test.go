package notifier

import (
	"testing"
	"time"

	"github.com/rota-scheduler/rota/fsm"
)

// TestCorrected: what waits follows a block that was changed, and no other.
func TestCorrected(t *testing.T) {
	old := fsm.Notify{URL: "http://old/"}
	tests := []struct {
		name string
		now  []fsm.Notify
		want string // the host that gets the event
	}{
		{"corrected", []fsm.Notify{{URL: "http://new/"}}, "new"},
		{"as it was", []fsm.Notify{old, {URL: "http://new/"}}, "old"},
		{"moved", []fsm.Notify{{URL: "http://new/"}, old}, "old"},
		{"gone", nil, "old"},
		{"of another kind", []fsm.Notify{{Kind: fsm.NotifyExec, Command: "/bin/page"}}, "old"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(r *rig) {
				w := map[string]*web{"old": r.receiver("old", nil), "new": r.receiver("new", nil)}
				r.job("j", old)
				r.end("j")
				r.job("j", tt.now...)
				defer r.lead()()
				r.after(time.Second)
				for host, receiver := range w {
					want := 0
					if host == tt.want {
						want = 1
					}
					if n := len(receiver.requests()); n != want {
						t.Errorf("%d requests to %s, want %d", n, host, want)
					}
				}
				if s := r.stats(); s.Delivered != 1 || s.Pending != 0 {
					t.Errorf("counts %+v", s)
				}
			})
		})
	}
}

// TestRemovedBeforeAnother: a block that is gone hands nothing to the one that has
// its place now.
func TestRemovedBeforeAnother(t *testing.T) {
	bubble(t, func(r *rig) {
		first, second := r.receiver("first", nil), r.receiver("second", nil)
		stays := fsm.Notify{URL: "http://second/"}
		r.job("j", fsm.Notify{URL: "http://first/"}, stays)
		r.end("j")
		r.job("j", stays)
		defer r.lead()()
		r.after(time.Second)
		if a, b := len(first.requests()), len(second.requests()); a != 1 || b != 1 {
			t.Errorf("%d requests to the first receiver, %d to the second", a, b)
		}
	})
}

// TestCorrectedForOtherEvents: a block that tells of other things now is another one.
func TestCorrectedForOtherEvents(t *testing.T) {
	bubble(t, func(r *rig) {
		was := r.receiver("old", nil)
		r.job("j", fsm.Notify{URL: "http://old/"})
		r.end("j")
		spec := fsm.JobSpec{
			Namespace: fsm.DefaultNamespace, Name: "j", Tasks: []fsm.Task{{Name: "t", Driver: fsm.DriverNoop}},
			Notify: []fsm.Notify{{Kind: fsm.NotifyWebhook, URL: "http://new/", On: []string{fsm.EventMissed}}},
		}
		r.apply(fsm.OpPutJobs, fsm.PutJobs{At: r.now(), Jobs: []fsm.PutJob{{Spec: spec}}})
		defer r.lead()()
		r.after(time.Second)
		if n := len(was.requests()); n != 1 {
			t.Errorf("%d requests to the old receiver", n)
		}
	})
}

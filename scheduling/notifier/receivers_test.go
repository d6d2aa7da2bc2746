package notifier

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rota-scheduler/rota/fsm"
)

// TestBadReceiversDelayNobody: one that hangs, one that refuses, one that is down,
// each with a queue, and the good ones get theirs at once.
func TestBadReceiversDelayNobody(t *testing.T) {
	bubble(t, func(r *rig) {
		good := r.receiver("good", nil)
		r.receiver("hanging", hang)
		r.receiver("broken", answers(http.StatusInternalServerError, "no"))
		r.job("good", fsm.Notify{URL: "http://good/"})
		for i := range 20 { // many bad receivers, some of them of one host
			host := []string{"hanging", "broken", "down"}[i%3]
			r.job(fmt.Sprint("bad", i), fsm.Notify{URL: fmt.Sprintf("http://%s/%d", host, i)})
		}
		defer r.lead()()
		for i := range 400 {
			r.end(fmt.Sprint("bad", i%20))
			if i%4 == 0 {
				r.end("good")
				r.after(100 * time.Millisecond)
			}
		}
		r.after(time.Second)
		got := good.requests()
		if len(got) != 100 {
			t.Fatalf("%d of 100 have arrived", len(got))
		}
		for i, g := range got[1:] {
			if pause := g.at.Sub(got[i].at); pause > 110*time.Millisecond {
				t.Errorf("request %d came %s after the one before", i+1, pause)
			}
		}
	})
}

// TestRoom: of one receiver few at a time, and one where the last has failed.
func TestRoom(t *testing.T) {
	bubble(t, func(r *rig) {
		var fail atomic.Bool
		w := r.receiver("host", func(w http.ResponseWriter, _ *http.Request) {
			<-time.After(time.Second)
			if fail.Load() {
				w.WriteHeader(http.StatusServiceUnavailable)
			}
		})
		r.job("j", fsm.Notify{URL: "http://host/"})
		for range 20 {
			r.end("j")
		}
		defer r.lead()()
		r.after(20 * time.Second)
		if w.most != perReceiver || len(w.requests()) != 20 {
			t.Errorf("%d at a time, %d requests", w.most, len(w.requests()))
		}
		fail.Store(true)
		r.end("j")
		r.after(2 * time.Second)
		w.mu.Lock()
		w.most = 0
		w.mu.Unlock()
		for range 20 {
			r.end("j")
		}
		r.after(30 * time.Second)
		if w.most != 1 {
			t.Errorf("%d at a time to a receiver that fails", w.most)
		}
	})
}

// TestRoomOfAHost: whatever the number of receivers behind it.
func TestRoomOfAHost(t *testing.T) {
	bubble(t, func(r *rig) {
		w := r.receiver("host", func(http.ResponseWriter, *http.Request) { <-time.After(time.Second) })
		for i := range 20 {
			name := fmt.Sprint("j", i)
			r.job(name, fsm.Notify{URL: "http://host/" + name})
			r.end(name)
			r.end(name)
		}
		defer r.lead()()
		r.after(10 * time.Second)
		if w.most != perHost || len(w.requests()) != 40 {
			t.Errorf("%d at a time, %d requests", w.most, len(w.requests()))
		}
	})
}

package notifier

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rota-scheduler/rota/fsm"
)

// TestAFileSystemThatHangs: reading a secret ends with its try, so that it cannot
// hold up the end of a term, and few reads hang at a time.
func TestAFileSystemThatHangs(t *testing.T) {
	bubble(t, func(*rig) {
		s, hung := newSecrets(), make(chan struct{})
		var reads atomic.Int32
		s.read = func(string) (string, error) {
			reads.Add(1)
			<-hung
			return "late", nil
		}
		of := func() (string, error) {
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			return s.of(ctx, &fsm.Notify{SecretFile: "/mnt/gone/secret"})
		}
		for range maxReads + 3 {
			if secret, err := of(); err == nil || !strings.Contains(err.Error(), "/mnt/gone/secret") {
				t.Fatalf("%q, %v", secret, err)
			}
		}
		if n := reads.Load(); n != maxReads {
			t.Errorf("%d reads, want %d", n, maxReads)
		}
		close(hung)
		synctest.Wait()
		if secret, err := of(); secret != "late" || err != nil {
			t.Errorf("%q, %v when it is back", secret, err)
		}
	})
}

// TestAnAnswerThatBreaksOff: the status says that the event was taken.
func TestAnAnswerThatBreaksOff(t *testing.T) {
	bubble(t, func(r *rig) {
		w := r.receiver("host", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			w.WriteHeader(http.StatusOK)
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		})
		r.job("j", fsm.Notify{URL: "http://host/"})
		defer r.lead()()
		r.end("j")
		r.after(time.Minute)
		if stats := r.store.Read().NotifyStats(); len(w.requests()) != 1 || stats.Delivered != 1 || stats.Retried != 0 {
			t.Errorf("%d requests; %+v", len(w.requests()), stats)
		}
	})
}

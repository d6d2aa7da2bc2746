package notifier

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rota-scheduler/rota/fsm"
)

// TestMessage: what a receiver gets, to the byte, and how it checks the signature.
func TestMessage(t *testing.T) {
	bubble(t, func(r *rig) {
		w := r.receiver("host", nil)
		r.job("j", fsm.Notify{URL: "http://host/hook?team=data", Secret: "s3cret"})
		defer r.lead()()
		r.end("j")
		r.after(time.Second)
		got := w.requests()
		if len(got) != 1 {
			t.Fatalf("%d requests", len(got))
		}
		id := got[0].header.Get(HeaderEventID)
		at := got[0].at.UTC().Format(time.RFC3339Nano)
		want := `{"schema":1,"id":"` + id + `","event":"failure","occurred_at":"` + at + `","namespace":"default","job":"j","version":1,` +
			`"run_id":"run-1","trigger":"manual","scheduled_at":null,"started_at":"` + at + `","ended_at":"` + at + `","state":"failed",` +
			`"reason":"exit code 7","task":"t","shard":0,"attempt":1,"node":"n1","outcome":"failed","exit_code":7,` +
			`"output_tail":"disk\u0000 full�\n","link":"/v1/runs/run-1"}`
		if diff := cmp.Diff(want, string(got[0].body)); diff != "" {
			t.Errorf("body (-want +got):\n%s", diff)
		}
		h := got[0].header
		timestamp := fmt.Sprint(got[0].at.Unix())
		for name, want := range map[string]string{
			HeaderEvent: "failure", HeaderAttempt: "1", HeaderTimestamp: timestamp, "Content-Type": "application/json",
			HeaderSignature: Sign("s3cret", timestamp, got[0].body),
		} {
			if h.Get(name) != want {
				t.Errorf("%s is %q, want %q", name, h.Get(name), want)
			}
		}
		if s := r.stats(); s.Delivered != 1 || s.Pending != 0 {
			t.Errorf("counts %+v", s)
		}
	})
}

// TestSign pins the signature: receivers are written against it.
func TestSign(t *testing.T) {
	const want = "v1=5b004453be83a053657f172ebe0e3835230360b0cf349c7e5ce2ee1aa0f5f3ac" // of openssl dgst -sha256 -hmac key
	if got := Sign("key", "1700000000", []byte(`{"schema":1}`)); got != want {
		t.Errorf("signature %s, want %s", got, want)
	}
}

// TestTriesAgain: with pauses that double, under the same ID, until it is taken.
func TestTriesAgain(t *testing.T) {
	bubble(t, func(r *rig) {
		var calls atomic.Int32
		w := r.receiver("host", func(w http.ResponseWriter, _ *http.Request) {
			if calls.Add(1) < 6 {
				w.WriteHeader(http.StatusInternalServerError)
			}
		})
		r.job("j", fsm.Notify{URL: "http://host/"})
		defer r.lead()()
		r.end("j")
		r.after(time.Minute)
		got := w.requests()
		if len(got) != 6 || len(w.ids()) != 1 {
			t.Fatalf("%d requests of %d events", len(got), len(w.ids()))
		}
		for i := 1; i < 6; i++ {
			pause, most := got[i].at.Sub(got[i-1].at), time.Second<<(i-1)
			if pause > most || pause < most*3/4 {
				t.Errorf("pause %d is %s, want up to a quarter less than %s", i, pause, most)
			}
			if a := got[i].header.Get(HeaderAttempt); a != fmt.Sprint(i+1) {
				t.Errorf("request %d says attempt %s", i, a)
			}
		}
		if s := r.stats(); s.Delivered != 1 || s.Retried != 5 || s.Pending != 0 {
			t.Errorf("counts %+v", s)
		}
	})
}

// TestGivesUp: after a day, and says so where people look.
func TestGivesUp(t *testing.T) {
	bubble(t, func(r *rig) {
		r.job("j", fsm.Notify{URL: "http://user:pw@nobody/secret-path"})
		defer r.lead()()
		r.end("j")
		r.after(giveUpAfter + time.Hour)
		s := r.stats()
		if s.Failed != 1 || s.Pending != 0 || s.Retried < 145 || s.Retried > 210 {
			t.Errorf("counts %+v", s)
		}
		for n := range r.store.Read().Notifications(0) {
			if n.Status != fsm.NotificationFailed || !strings.Contains(n.LastError, "refused") {
				t.Errorf("kept as %s: %s", n.Status, n.LastError)
			}
			for _, secret := range []string{"pw", "secret-path"} {
				if strings.Contains(n.LastError+n.To, secret) {
					t.Errorf("%q shows in %q and %q", secret, n.LastError, n.To)
				}
			}
		}
	})
}

// TestRecordsOnlyWhatArrived: nothing is recorded as delivered that the receiver
// has not answered for.
func TestRecordsOnlyWhatArrived(t *testing.T) {
	bubble(t, func(r *rig) {
		w := r.receiver("host", func(http.ResponseWriter, *http.Request) { <-time.After(time.Second) })
		var answered sync.Map
		inner := w.answer
		w.answer = func(rw http.ResponseWriter, req *http.Request) {
			inner(rw, req)
			answered.Store(req.Header.Get(HeaderEventID), true)
		}
		r.before = func(cmd fsm.RecordDeliveries) {
			v := r.store.Read()
			for _, d := range cmd.Deliveries {
				for n := range v.Notifications(d.Seq - 1) {
					if _, ok := answered.Load(n.ID); !ok && d.Error == "" {
						t.Errorf("event %s is recorded as delivered, and has not been answered", n.ID)
					}
					break
				}
			}
		}
		r.job("j", fsm.Notify{URL: "http://host/"})
		defer r.lead()()
		for range 50 {
			r.end("j")
		}
		r.after(time.Minute)
		if s := r.stats(); s.Delivered != 50 || s.Pending != 0 {
			t.Errorf("counts %+v", s)
		}
	})
}

// TestNextLeaderGoesOn: what was not recorded is sent again under the same ID, and
// what was recorded is not.
func TestNextLeaderGoesOn(t *testing.T) {
	bubble(t, func(r *rig) {
		w := r.receiver("host", nil)
		r.job("j", fsm.Notify{URL: "http://host/"})
		stop := r.lead()
		first := r.end("j")
		r.after(time.Second)
		r.set(true, false) // it is deposed, and does not know
		for range 3 {
			r.end("j")
		}
		r.after(time.Second)
		stop()
		r.set(false, false)
		defer r.lead()()
		r.after(time.Second)
		if got := len(w.requests()); len(w.ids()) != 4 || got < 5 || got > 7 {
			t.Errorf("%d requests of %d events", got, len(w.ids()))
		}
		for _, req := range w.requests()[1:] {
			if strings.Contains(string(req.body), `"`+first+`"`) {
				t.Errorf("what was recorded was sent again")
			}
		}
		if s := r.stats(); s.Delivered != 4 || s.Pending != 0 {
			t.Errorf("counts %+v", s)
		}
	})
}

// TestUnknownFate: a record whose answer is lost is written again, which changes
// nothing.
func TestUnknownFate(t *testing.T) {
	bubble(t, func(r *rig) {
		w := r.receiver("host", nil)
		r.job("j", fsm.Notify{URL: "http://host/"})
		defer r.lead()()
		r.set(false, true)
		r.end("j")
		r.after(time.Second)
		r.set(false, false)
		r.end("j")
		r.after(time.Second)
		if s := r.stats(); s.Delivered != 2 || len(w.requests()) != 2 {
			t.Errorf("counts %+v, %d requests", s, len(w.requests()))
		}
	})
}

// TestAnswers: what counts as taken, and what an error shows of an answer.
func TestAnswers(t *testing.T) {
	for _, c := range []struct {
		name   string
		answer http.HandlerFunc
		want   string // the error; empty means delivered
	}{
		{"ok", answers(200, "fine"), ""},
		{"no content", answers(204, ""), ""},
		{"refused", answers(403, "wrong\n signature"), `answered 403: "wrong signature"`},
		{"huge", answers(500, strings.Repeat("x", 1<<20)), `answered 500: "` + strings.Repeat("x", maxShown) + `…"`},
		{"huge and fine", answers(200, strings.Repeat("x", 1<<20)), ""},
		{"elsewhere", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://other/", http.StatusTemporaryRedirect)
		}, `answered 307: ""`},
		{"hangs", hang, "no answer within 2s"},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(r *rig) {
				r.receiver("host", c.answer)
				other := r.receiver("other", nil)
				r.job("j", fsm.Notify{URL: "http://host/", Timeout: fsm.Duration(2 * time.Second)})
				stop := r.lead()
				r.end("j")
				r.after(2100 * time.Millisecond)
				stop()
				if len(other.requests()) > 0 {
					t.Error("a redirect was followed")
				}
				var got string
				for n := range r.store.Read().Notifications(0) {
					got = n.LastError
				}
				if got != c.want {
					t.Errorf("error %q, want %q", got, c.want)
				}
			})
		})
	}
}

// TestSecretFile: read for each request, and its absence is an error that names
// the file.
func TestSecretFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secret")
	t.Setenv("HTTP_PROXY", "http://nowhere:1/") // not used
	bubble(t, func(r *rig) {
		w := r.receiver("host", nil)
		r.job("j", fsm.Notify{URL: "http://host/", SecretFile: path})
		defer r.lead()()
		r.end("j")
		r.after(100 * time.Millisecond)
		for n := range r.store.Read().Notifications(0) {
			if !strings.Contains(n.LastError, path) {
				t.Errorf("error %q", n.LastError)
			}
		}
		if err := os.WriteFile(path, []byte("from a file\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		r.after(2 * time.Second)
		got := w.requests()
		if len(got) != 1 {
			t.Fatalf("%d requests", len(got))
		}
		if want := Sign("from a file", got[0].header.Get(HeaderTimestamp), got[0].body); got[0].header.Get(HeaderSignature) != want {
			t.Errorf("signature %q, want %q", got[0].header.Get(HeaderSignature), want)
		}
	})
}

// TestCommands: what a command is told, how many run at a time, and that one that
// fails is tried again.
func TestCommands(t *testing.T) {
	bubble(t, func(r *rig) {
		var mu sync.Mutex
		live, most := 0, 0
		var seen []Command
		jobs := map[string]int{}
		r.exec = func(ctx context.Context, c Command) error {
			mu.Lock()
			live++
			most = max(most, live)
			seen = append(seen, c)
			job := c.Env[slices.IndexFunc(c.Env, func(s string) bool { return strings.HasPrefix(s, "ROTA_JOB=") })]
			jobs[job]++
			if jobs[job] > 1 {
				t.Errorf("two commands of %s at a time", job)
			}
			first := len(seen) == 1
			mu.Unlock()
			<-time.After(time.Second)
			mu.Lock()
			live--
			jobs[job]--
			mu.Unlock()
			if first {
				return errors.New("exit code 1")
			}
			return nil
		}
		for i := range 6 {
			r.job(fmt.Sprint("j", i), fsm.Notify{Kind: fsm.NotifyExec, Command: "/bin/page", Args: []string{"-v"}, Env: map[string]string{"TEAM": "data", "ROTA_JOB": "x"}, User: "nobody"})
		}
		defer r.lead()()
		r.end("j0")
		r.after(time.Minute)
		for i := range 12 {
			r.end(fmt.Sprint("j", i/2))
		}
		r.after(time.Minute)
		if most != commands || len(seen) != 14 {
			t.Errorf("%d at a time, %d in all", most, len(seen))
		}
		if s := r.stats(); s.Delivered != 13 || s.Retried != 1 {
			t.Errorf("counts %+v", s)
		}
		env := strings.Join(seen[1].Env, "\n")
		for _, want := range []string{
			"ROTA_EVENT=failure", "ROTA_JOB=j0", "ROTA_RUN_ID=run-1", "ROTA_EXIT_CODE=7", "ROTA_TASK=t", "TEAM=data",
			"ROTA_DELIVERY_ATTEMPT=2", `ROTA_EVENT_JSON={"schema":1`, "ROTA_REASON=exit code 7",
		} {
			if !strings.Contains("\n"+env, "\n"+want) {
				t.Errorf("no %s in:\n%s", want, env)
			}
		}
		if seen[0].ID == seen[1].ID || !slices.Equal(seen[1].Argv, []string{"/bin/page", "-v"}) || seen[1].User != "nobody" {
			t.Errorf("commands %+v and %+v", seen[0], seen[1])
		}
	})
}

// TestWaitsForTheFormat: nothing is sent while older nodes could not apply what
// must be recorded of it.
func TestWaitsForTheFormat(t *testing.T) {
	bubble(t, func(r *rig) {
		r.store = fsm.NewStore(func(err error) { t.Error(err) })
		r.index = 0
		r.apply(fsm.OpRegisterNode, fsm.RegisterNode{At: r.now(), Node: fsm.Node{ID: "n1", Name: "n1", Incarnation: 1, Capacity: 1}})
		w := r.receiver("host", nil)
		r.job("j", fsm.Notify{URL: "http://host/"})
		defer r.lead()()
		r.end("j")
		r.after(time.Hour)
		if n := len(w.requests()); n > 0 {
			t.Errorf("%d requests", n)
		}
		r.apply(fsm.OpRaiseFormat, fsm.RaiseFormat{Format: fsm.Format})
		r.after(time.Second)
		if n := len(w.requests()); n != 1 {
			t.Errorf("%d requests once it may", n)
		}
	})
}

package httpapi

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/transport/api"
)

const hookSecret = "hunter2"

// tell applies a job whose missed instants are told of, and misses n.
func (w *world) tell(name string, n int) {
	w.t.Helper()
	s := spec(name)
	s.Schedules = []fsm.Schedule{{Every: 1e9}}
	s.Notify = []fsm.Notify{{Kind: fsm.NotifyWebhook, On: []string{fsm.EventMissed}, URL: "https://u:" + hookSecret + "@host/" + hookSecret, Secret: hookSecret}}
	w.must(fsm.OpPutJobs, fsm.PutJobs{At: start, Jobs: []fsm.PutJob{{Spec: s, Next: []fsm.Time{start + 1}}}})
	d := fsm.DecideFires{At: start + fsm.Time(n) + 1}
	for i := range n {
		at := start + fsm.Time(i) + 1
		d.Decisions = append(d.Decisions, fsm.FireDecision{Job: key(name), Version: 1, Instant: at, Next: at + 1, Skip: fsm.ReasonMissed})
	}
	w.must(fsm.OpDecideFires, d)
}

func TestListNotifications(t *testing.T) {
	w := newWorld(t)
	w.tell("a", 3)
	w.tell("b", 2)
	w.must(fsm.OpRecordDeliveries, fsm.RecordDeliveries{At: start, Deliveries: []fsm.Delivery{{Seq: 1, Try: 1}, {Seq: 2, Try: 1, Error: "gave up"}, {Seq: 3, Try: 1, Error: "later", Next: start + 5}}})
	list := func(query string) []string {
		t.Helper()
		var out []string
		token := ""
		for {
			got := answer[api.List[fsm.Notification]](t, w.call("GET", "/v1/notifications?per_page=2&"+query+"&page_token="+token, nil), 200)
			for _, n := range got.Items {
				out = append(out, fmt.Sprintf("%d %s %s %s %d", n.Seq, n.Job, n.Status, n.To, n.Tries))
			}
			if token = got.NextPageToken; token == "" {
				return out
			}
		}
	}
	all := []string{
		"5 b pending https://host 0", "4 b pending https://host 0",
		"3 a pending https://host 1", "2 a failed https://host 1",
	}
	for query, want := range map[string][]string{
		"": all, "namespace=*": all, "namespace=other": nil, "job=a": all[2:], "status=failed": all[3:], "status=pending&job=b": all[:2],
	} {
		if got := list(query); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", query, got, want)
		}
	}
	wantError(t, w.call("GET", "/v1/notifications?status=done", nil), 400, api.CodeBadRequest, "pending, failed, dropped")
	wantError(t, w.call("GET", "/v1/notifications?page_token=eA", nil), 400, api.CodeBadRequest)
}

// TestSecretsAreNotServed: nothing that is answered holds a job's secret, however
// it is asked for.
func TestSecretsAreNotServed(t *testing.T) {
	w := newWorld(t)
	w.must(fsm.OpRaiseFormat, fsm.RaiseFormat{Format: fsm.Format})
	w.tell("a", 3)
	w.must(fsm.OpRecordDeliveries, fsm.RecordDeliveries{At: start, Deliveries: []fsm.Delivery{{Seq: 1, Try: 1, Error: "no"}}})
	for _, path := range []string{"/v1/jobs", "/v1/jobs/a", "/v1/jobs/a?version=1", "/v1/jobs/a/fires", "/v1/runs", "/v1/notifications"} {
		rec := w.call("GET", path, nil)
		body := rec.Body.String()
		if path == "/v1/jobs/a" && !strings.Contains(body, fsm.RedactedSecret) {
			t.Errorf("%s does not say that there is a secret: %s", path, body)
		}
		body = strings.Replace(body, `"url":"https://u:`+hookSecret+"@host/"+hookSecret, "", 1) // the URL belongs to the spec
		if rec.Code != http.StatusOK || strings.Contains(body, hookSecret) {
			t.Errorf("%s: %d %s", path, rec.Code, body)
		}
	}
	got := answer[api.Job](t, w.call("GET", "/v1/jobs/a", nil), 200)
	rec := w.call("PUT", "/v1/jobs", api.PutJobs{Jobs: []fsm.JobSpec{*got.Spec}})
	wantError(t, rec, 422, api.CodeInvalid, "give the secret itself")
}

// TestNotificationsWaitForTheFormat: a node that does not know notify blocks would
// leave them out, and so differ from the others.
func TestNotificationsWaitForTheFormat(t *testing.T) {
	w := newWorld(t)
	s := spec("a")
	s.Notify = []fsm.Notify{{Kind: fsm.NotifyExec, On: []string{fsm.EventFailure}, Command: "/bin/true"}}
	put := func() *httptest.ResponseRecorder {
		return w.call("PUT", "/v1/jobs", api.PutJobs{Jobs: []fsm.JobSpec{s}})
	}
	wantError(t, put(), 409, api.CodeUpgrading, "job a", "log format 2")
	w.must(fsm.OpRaiseFormat, fsm.RaiseFormat{Format: fsm.Format})
	answer[api.List[fsm.PutResult]](t, put(), 200)
}

package httpapi

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/transport"
	"github.com/rota-scheduler/rota/transport/api"
)

func TestPutJobs(t *testing.T) {
	w := newWorld(t)
	rec := w.call("PUT", "/v1/jobs", api.PutJobs{Jobs: []fsm.JobSpec{spec("a"), {Name: "b", Tasks: spec("").Tasks}}})
	got := answer[api.List[fsm.PutResult]](t, rec, 200)
	want := api.List[fsm.PutResult]{Index: 1, Items: []fsm.PutResult{
		{Job: key("a"), Version: 1, Created: true, Changed: true},
		{Job: key("b"), Version: 1, Created: true, Changed: true},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if got := rec.Header().Get(IndexHeader); got != "1" {
		t.Errorf("index header %q", got)
	}
	if got := rec.Header().Get(transport.NodeHeader); got != "n1" {
		t.Errorf("node header %q", got)
	}
	changed := spec("a")
	changed.Description = "other"
	for _, dry := range []bool{true, false} {
		path := fmt.Sprintf("/v1/jobs?dry_run=%t", dry)
		got = answer[api.List[fsm.PutResult]](t, w.call("PUT", path, api.PutJobs{Jobs: []fsm.JobSpec{changed, spec("b"), spec("c")}}), 200)
		want := []fsm.PutResult{
			{Job: key("a"), Version: 2, Changed: true},
			{Job: key("b"), Version: 1},
			{Job: key("c"), Version: 1, Created: true, Changed: true},
		}
		if diff := cmp.Diff(want, got.Items); diff != "" {
			t.Errorf("dry_run=%t: %s", dry, diff)
		}
	}
	if w.proposed.Load() != 2 {
		t.Errorf("%d proposals: a dry run proposes nothing", w.proposed.Load())
	}
}

func TestPutJobFile(t *testing.T) {
	w := newWorld(t)
	answer[api.List[fsm.PutResult]](t, w.call("PUT", "/v1/jobs?namespace=team", "x y"), 200)
	if w.store.Read().Job(fsm.JobKey{Namespace: "team", Name: "y"}) == nil {
		t.Error("the job of the file is not there")
	}
	rec := w.call("PUT", "/v1/jobs", "x bad", FilenameHeader, "night%20jobs.hcl")
	wantError(t, rec, 422, api.CodeInvalid, "night jobs.hcl:2,1", "no such thing", "want another")
	e := answer[api.Error](t, rec, 422)
	if len(e.Error.Diagnostics) != 1 || e.Error.Diagnostics[0].Line != 2 {
		t.Errorf("diagnostics %+v", e.Error.Diagnostics)
	}
}

func TestPutJobsRefuses(t *testing.T) {
	w := newWorld(t)
	json := []string{"Content-Type", "application/json; charset=utf-8"}
	var large []string
	for i := range 9 {
		large = append(large, fmt.Sprintf(`{"name":"j%d","tasks":[{"name":"t","driver":"shell","command":"%s"}]}`, i, strings.Repeat("x", fsm.MaxSpecBytes-1000)))
	}
	many := `{"jobs":[` + strings.Join(large, ",") + `]}`
	for _, tt := range []struct {
		name, body string
		header     []string
		status     int
		code, text string
	}{
		{"empty", "", json, 400, api.CodeBadRequest, "no job"},
		{"no jobs", `{"jobs":[]}`, json, 400, api.CodeBadRequest, "no job"},
		{"unknown field", `{"jobs":[{"name":"a","taskz":[]}]}`, json, 400, api.CodeBadRequest, `"taskz"`},
		{"syntax", "{\n\"jobs\": }", json, 400, api.CodeBadRequest, "line 2"},
		{"cut", `{"jobs":[`, json, 400, api.CodeBadRequest, "no JSON"},
		{"two values", `{"jobs":[]}{}`, json, 400, api.CodeBadRequest, "behind"},
		{"type", `{"jobs":[{"name":7}]}`, json, 400, api.CodeBadRequest, "name"},
		{"time", `{"jobs":[{"name":"a","schedules":[{"at":["noon"]}]}]}`, json, 400, api.CodeBadRequest, "RFC 3339"},
		{"no task", `{"jobs":[{"name":"a"}]}`, json, 422, api.CodeInvalid, "at least one task"},
		{"cron", `{"jobs":[{"name":"a","schedules":[{"cron":"never"}],"tasks":[{"name":"t","driver":"noop"}]}]}`, json, 422, api.CodeInvalid, "five fields"},
		{"twice", `{"jobs":[{"name":"a","tasks":[{"name":"t","driver":"noop"}]},{"name":"a","tasks":[{"name":"t","driver":"noop"}]}]}`, json, 422, api.CodeInvalid, "twice"},
		{"large entry", many, json, 413, api.CodeTooLarge, "bytes"},
		{"large body", strings.Repeat(" ", maxBody+1), json, 413, api.CodeTooLarge, "larger than"},
		{"large file", strings.Repeat(" ", maxBody+1), nil, 413, api.CodeTooLarge, "larger than"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			wantError(t, w.call("PUT", "/v1/jobs", tt.body, tt.header...), tt.status, tt.code, tt.text)
		})
	}
	wantError(t, w.call("PUT", "/v1/jobs?namespace=..", "x"), 400, api.CodeBadRequest, "namespace")
	wantError(t, w.call("PUT", "/v1/jobs?dry_run=maybe", "x"), 400, api.CodeBadRequest, "dry_run")
	if w.store.Index() > 1 { // "twice" is refused by the log
		t.Errorf("something was written: index %d", w.store.Index())
	}
}

func TestListJobs(t *testing.T) {
	w := newWorld(t)
	var all []string
	for i := range 7 {
		name := fmt.Sprintf("job%d", i)
		w.putJob(spec(name), 0)
		all = append(all, name)
	}
	other := spec("elsewhere")
	other.Namespace = "team"
	w.putJob(other, 0)
	names := func(list api.List[api.Job]) (names []string) {
		for _, j := range list.Items {
			names = append(names, j.Name)
		}
		return names
	}
	var paged []string
	token, pages := "", 0
	for {
		list := get[api.List[api.Job]](w, "/v1/jobs?per_page=3&page_token="+token)
		paged = append(paged, names(list)...)
		pages++
		if token = list.NextPageToken; token == "" {
			break
		}
	}
	if diff := cmp.Diff(all, paged); diff != "" || pages != 3 {
		t.Errorf("%d pages: %s", pages, diff)
	}
	if got := names(get[api.List[api.Job]](w, "/v1/jobs?namespace=*")); len(got) != 8 {
		t.Errorf("all namespaces: %v", got)
	}
	if diff := cmp.Diff([]string{"elsewhere"}, names(get[api.List[api.Job]](w, "/v1/jobs?namespace=team"))); diff != "" {
		t.Error(diff)
	}
	if rec := w.call("GET", "/v1/jobs?namespace=empty", nil); !strings.Contains(rec.Body.String(), `"items":[]`) {
		t.Errorf("an empty list is no list: %s", rec.Body)
	}
	for _, q := range []string{"per_page=0", "per_page=10001", "per_page=x", "page_token=!", "page_token=YQ", "consistent=2", "index=x", "index=1&wait=x"} {
		wantError(t, w.call("GET", "/v1/jobs?"+q, nil), 400, api.CodeBadRequest, "want")
	}
}

func TestGetJob(t *testing.T) {
	w := newWorld(t)
	s := spec("a")
	s.Description = "first"
	w.putJob(s, time.Minute)
	s.Description = "second"
	w.putJob(s, time.Minute)
	w.node(1)
	w.fire("a", 0)
	run := w.fire("a", 1)
	got := get[api.Job](w, "/v1/jobs/a")
	if got.Version != 2 || got.Spec == nil || got.Spec.Description != "second" || got.Description != "second" {
		t.Errorf("job %+v", got)
	}
	if diff := cmp.Diff([]string{"every 1m0s"}, got.Schedules); diff != "" {
		t.Error(diff)
	}
	if want := start.Add(fsm.Duration(3 * time.Minute)); got.Next != want {
		t.Errorf("next %s, want %s", got.Next, want)
	}
	if got.LastRun == nil || got.LastRun.ID != run {
		t.Errorf("last run %+v, want %s", got.LastRun, run)
	}
	if got.Stats == nil || got.Stats.Skipped[fsm.ReasonMissed] != 1 {
		t.Errorf("stats %+v", got.Stats)
	}
	if got := get[api.Job](w, "/v1/jobs/a?version=1"); got.Spec.Description != "first" {
		t.Errorf("version 1: %+v", got.Spec)
	}
	wantError(t, w.call("GET", "/v1/jobs/a?version=9", nil), 404, api.CodeNotFound, "version 9")
	wantError(t, w.call("GET", "/v1/jobs/b", nil), 404, api.CodeNotFound, "job b")
	wantError(t, w.call("GET", "/v1/jobs/a?namespace=team", nil), 404, api.CodeNotFound, "team/a")
}

func TestFires(t *testing.T) {
	w := newWorld(t)
	w.putJob(spec("a"), time.Minute)
	w.node(1)
	for range 4 {
		w.fire("a", 0)
	}
	run := w.fire("a", 1)
	w.started(run)
	var got []fsm.Fire
	token := ""
	for {
		list := get[api.List[fsm.Fire]](w, "/v1/jobs/a/fires?per_page=2&page_token="+token)
		got = append(got, list.Items...)
		if token = list.NextPageToken; token == "" {
			break
		}
	}
	if len(got) != 5 || got[0].Outcome != fsm.OutcomeRan || got[0].RunID != run || got[4].Reason != fsm.ReasonMissed {
		t.Fatalf("fires %+v", got)
	}
	for i := range got[1:] {
		if got[i+1].ScheduledAt >= got[i].ScheduledAt {
			t.Errorf("fire %d is not older", i+1)
		}
	}
	wantError(t, w.call("GET", "/v1/jobs/b/fires", nil), 404, api.CodeNotFound)
	wantError(t, w.call("GET", "/v1/jobs/a/fires?page_token="+pageToken("x"), nil), 400, api.CodeBadRequest)
}

func TestPauseWaitsForRetraction(t *testing.T) {
	w := newWorld(t)
	w.putJob(spec("a"), time.Minute)
	w.node(1)
	run := w.fire("a", 1)
	done := w.background("POST", "/v1/jobs/a/pause")
	w.blocked(1)
	if s := w.store.Read().Shard(run, "main", 0); s.State != fsm.ShardRetracting {
		t.Fatalf("the gate is %s", s.State)
	}
	wantError(t, w.call("POST", "/v1/jobs/a/pause?wait=1ms", nil), 504, api.CodeTimeout, run, "retracting", "id-1")
	w.report(run, fsm.Report{Kind: fsm.ReportNever})
	job := answer[api.Job](t, within(t, "pause answers", done), 200)
	if !job.Paused {
		t.Error("not paused")
	}
	if job := answer[api.Job](t, w.call("POST", "/v1/jobs/a/resume", nil), 200); job.Paused {
		t.Error("still paused")
	}
	wantError(t, w.call("POST", "/v1/jobs/b/pause", nil), 404, api.CodeNotFound)
	wantError(t, w.call("POST", "/v1/jobs/b/resume", nil), 404, api.CodeNotFound)
	wantError(t, w.call("POST", "/v1/jobs/a/pause?wait=soon", nil), 400, api.CodeBadRequest, "wait")
}

func TestPauseLetsStartedRunsGoOn(t *testing.T) {
	w := newWorld(t)
	w.putJob(spec("a"), time.Minute)
	w.node(1)
	run := w.fire("a", 1)
	w.started(run)
	w.report(run, fsm.Report{Kind: fsm.ReportKilled, EndedAt: start + 1})
	w.arm(run, 1) // a retry of a run that has started
	answer[api.Job](t, w.call("POST", "/v1/jobs/a/pause", nil), 200)
}

func TestDeleteWaitsForRetraction(t *testing.T) {
	w := newWorld(t)
	w.putJob(spec("a"), time.Minute)
	w.node(1)
	run := w.fire("a", 1)
	wantError(t, w.call("DELETE", "/v1/jobs/a?wait=1ms", nil), 504, api.CodeTimeout, run, "being deleted")
	done := w.background("DELETE", "/v1/jobs/a")
	w.blocked(1)
	wantError(t, w.call("PUT", "/v1/jobs", "a"), 409, api.CodeDeleting, "wait")
	wantError(t, w.call("PUT", "/v1/jobs?dry_run", "a"), 409, api.CodeDeleting, "wait")
	w.report(run, fsm.Report{Kind: fsm.ReportNever})
	if rec := within(t, "delete answers", done); rec.Code != 200 || strings.TrimSpace(rec.Body.String()) != "{}" {
		t.Errorf("%d %s", rec.Code, rec.Body)
	}
	wantError(t, w.call("GET", "/v1/jobs/a", nil), 404, api.CodeNotFound)
	wantError(t, w.call("DELETE", "/v1/jobs/a", nil), 404, api.CodeNotFound)
}

func TestDeleteDoesNotWaitForTheDying(t *testing.T) {
	w := newWorld(t)
	w.putJob(spec("a"), time.Minute)
	w.node(1)
	run := w.fire("a", 1)
	w.started(run)
	if rec := w.call("DELETE", "/v1/jobs/a", nil); rec.Code != http.StatusOK {
		t.Errorf("%d %s", rec.Code, rec.Body)
	}
	if got := get[api.Run](w, "/v1/runs/"+run); !got.Cancelling {
		t.Error("the run is not being killed")
	}
}

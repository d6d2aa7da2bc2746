package httpapi

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/transport/api"
)

func TestListRuns(t *testing.T) {
	w := newWorld(t)
	w.node(1)
	w.putJob(spec("a"), 0)
	w.putJob(spec("b"), 0)
	// IDs run against the order of the log: the listing follows the log.
	var a, all []string
	for i := range 6 {
		id := w.manual("a", 100-i)
		a = append([]string{id}, a...)
		all = append([]string{w.manual("b", 200-i), id}, all...)
	}
	w.arm(a[0], 1)
	w.started(a[0])
	w.ended(a[0])
	w.arm(a[1], 1)
	w.started(a[1])
	list := func(query string) (ids []string) {
		token := ""
		for {
			page := get[api.List[fsm.Run]](w, "/v1/runs?"+query+"&page_token="+token)
			for _, r := range page.Items {
				ids = append(ids, r.ID)
			}
			if token = page.NextPageToken; token == "" {
				return ids
			}
		}
	}
	for query, want := range map[string][]string{
		"":                               all,
		"per_page=5":                     all,
		"namespace=*":                    all,
		"namespace=team":                 nil,
		"job=a":                          a,
		"job=a&per_page=4":               a,
		"job=a&namespace=*":              a,
		"job=a&state=succeeded":          a[:1],
		"state=running":                  a[1:2],
		"job=a&state=pending&per_page=3": a[2:],
		"state=failed":                   nil,
	} {
		if diff := cmp.Diff(want, list(query)); diff != "" {
			t.Errorf("%q: %s", query, diff)
		}
	}
	wantError(t, w.call("GET", "/v1/runs?state=odd", nil), 400, api.CodeBadRequest, "pending")
	wantError(t, w.call("GET", "/v1/runs?job=c", nil), 404, api.CodeNotFound, "job c")
	wantError(t, w.call("GET", "/v1/runs?page_token="+pageToken("x", "y"), nil), 400, api.CodeBadRequest, "page_token")
}

func TestFirstKeepsTheFirst(t *testing.T) {
	f := first[int]{n: 3, compare: func(a, b int) int { return a - b }}
	for i := range 1000 {
		f.add((i * 7919) % 1000)
	}
	if diff := cmp.Diff([]int{0, 1, 2}, f.sorted()); diff != "" {
		t.Error(diff)
	}
}

func TestGetRun(t *testing.T) {
	w := newWorld(t)
	w.node(1)
	s := spec("a", "extract", "crunch")
	s.Tasks[1].DependsOn = []string{"extract"}
	w.putJob(s, 0)
	id := w.manual("a", 1)
	other := w.manual("a", 2)
	w.arm(id, 1)
	w.started(id)
	got := get[api.Run](w, "/v1/runs/"+id)
	if got.State != fsm.RunRunning || len(got.Tasks) != 2 {
		t.Fatalf("run %+v", got)
	}
	extract, crunch := got.Tasks[0], got.Tasks[1]
	if extract.Name != "extract" || len(extract.Items) != 1 || extract.Items[0].NodeName != "n1" {
		t.Errorf("extract %+v", extract)
	}
	if crunch.Name != "crunch" || crunch.State != fsm.TaskWaiting || len(crunch.Items) != 0 ||
		cmp.Diff([]string{"extract"}, crunch.DependsOn) != "" {
		t.Errorf("crunch %+v", crunch)
	}
	if got := get[api.Run](w, "/v1/runs/"+strings.ToLower(id)); got.ID != id {
		t.Errorf("lower case finds %s", got.ID)
	}
	wantError(t, w.call("GET", "/v1/runs/"+id[:20], nil), 400, api.CodeBadRequest, id, other)
	wantError(t, w.call("GET", "/v1/runs/01JN0", nil), 400, api.CodeBadRequest, "6")
	wantError(t, w.call("GET", "/v1/runs/01JN0000%2F..", nil), 400, api.CodeBadRequest, "letters")
	wantError(t, w.call("GET", "/v1/runs/01JN000000Z", nil), 404, api.CodeNotFound)
	wantError(t, w.call("GET", "/v1/runs/ZZZZZZZ", nil), 404, api.CodeNotFound)
}

func TestRunByUniquePrefix(t *testing.T) {
	w := newWorld(t)
	w.putJob(spec("a"), 0)
	ids := []string{"01AAAAAAAAAAAAAAAAAAAAAAAA", "01BBBBBBAAAAAAAAAAAAAAAAAA", "01BBBBBCAAAAAAAAAAAAAAAAAA", "01BBBBBDAAAAAAAAAAAAAAAAAA"}
	for _, id := range ids {
		w.must(fsm.OpStartRun, &fsm.StartRun{At: start, ID: id, Job: key("a")})
	}
	for _, id := range ids {
		if got := get[api.Run](w, "/v1/runs/"+id[:8]); got.ID != id {
			t.Errorf("%s finds %s", id[:8], got.ID)
		}
	}
	if got := answer[api.Run](t, w.call("POST", "/v1/runs/01bbbbbc/cancel", nil), 200); got.ID != ids[2] || got.State != fsm.RunCancelled {
		t.Errorf("cancelled %s, which is %s", got.ID, got.State)
	}
	wantError(t, w.call("POST", "/v1/runs/01bbbbbc/cancel", nil), 409, api.CodeEnded, "nothing left")
	wantError(t, w.call("POST", "/v1/runs/01cccccc/cancel", nil), 404, api.CodeNotFound)
	wantError(t, w.call("POST", "/v1/runs/01bbbbbd/cancel", `{"force":true}`), 400, api.CodeBadRequest, `"force"`)
}

func TestOldRunWithoutItsVersion(t *testing.T) {
	w := newWorld(t)
	w.node(1)
	w.putJob(spec("a"), 0)
	id := w.manual("a", 1)
	w.arm(id, 1)
	w.started(id)
	w.ended(id)
	for i := range 15 {
		s := spec("a")
		s.Description = fmt.Sprint(i)
		w.putJob(s, 0)
	}
	if w.store.Read().Version(key("a"), 1) != nil {
		t.Fatal("version 1 is still there: this test shows nothing")
	}
	if got := get[api.Run](w, "/v1/runs/"+id); len(got.Tasks) != 1 || got.Tasks[0].Name != "main" {
		t.Errorf("tasks %+v", got.Tasks)
	}
}

func TestStartRun(t *testing.T) {
	w := newWorld(t)
	w.putJob(spec("a"), 0)
	first := answer[api.Run](t, w.call("POST", "/v1/jobs/a/run", nil), 201)
	second := answer[api.Run](t, w.call("POST", "/v1/jobs/a/run", "{}"), 201)
	if first.ID == second.ID || len(first.ID) != 26 || first.Trigger != fsm.TriggerManual || len(first.Tasks) != 1 {
		t.Errorf("runs %+v, %s", first, second.ID)
	}
	if !strings.HasPrefix(first.ID, second.ID[:10]) {
		t.Errorf("%s and %s do not begin with the time", first.ID, second.ID)
	}
	wantError(t, w.call("POST", "/v1/jobs/b/run", nil), 404, api.CodeNotFound, "job b")
	wantError(t, w.call("POST", "/v1/jobs/a/run", `{"parms":{}}`), 400, api.CodeBadRequest, `"parms"`)
	wantError(t, w.call("POST", "/v1/jobs/a/run", `{"params":{"x":1}}`), 422, api.CodeInvalid, `no param "x"`)
	wantError(t, w.call("POST", "/v1/jobs/a/run", `{"params":{"x":[1]}}`), 400, api.CodeBadRequest, "a string, a number or a boolean")
}

func TestIdempotencyKey(t *testing.T) {
	w := newWorld(t)
	w.putJob(spec("a"), 0)
	w.putJob(spec("b"), 0)
	run := func(job, key string) string {
		return answer[api.Run](t, w.call("POST", "/v1/jobs/"+job+"/run", nil, IdempotencyHeader, key), 201).ID
	}
	first := run("a", "k1")
	if again := run("a", "k1"); again != first {
		t.Errorf("the same key made %s and %s", first, again)
	}
	if len(first) != 26 || first == run("a", "k2") || first == run("b", "k1") {
		t.Errorf("%s is not of its job and key alone", first)
	}
	if n := len(get[api.List[fsm.Run]](w, "/v1/runs").Items); n != 3 {
		t.Errorf("%d runs, want 3", n)
	}
	wantError(t, w.call("POST", "/v1/jobs/a/run", nil, IdempotencyHeader, strings.Repeat("k", 257)), 400, api.CodeBadRequest, "256")
}

// TestIdempotencyKeyOfNewJob: a job that was deleted and applied again has
// forgotten the key; its run is another one.
func TestIdempotencyKeyOfNewJob(t *testing.T) {
	w := newWorld(t)
	var ids []string
	for range 2 {
		w.putJob(spec("a"), 0)
		ids = append(ids, answer[api.Run](t, w.call("POST", "/v1/jobs/a/run", nil, IdempotencyHeader, "k"), 201).ID)
		if rec := w.call("DELETE", "/v1/jobs/a", nil); rec.Code != 200 {
			t.Fatalf("deleting the job: %d %s", rec.Code, rec.Body)
		}
	}
	if ids[0] == ids[1] {
		t.Errorf("the runs of two jobs are both %s", ids[0])
	}
}

func TestStartRunAsksArmedFiresBack(t *testing.T) {
	for name, said := range map[string]fsm.ReportKind{"released": fsm.ReportNever, "refused": fsm.ReportStarted} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.node(1)
			w.putJob(spec("a"), time.Minute)
			fire := w.fire("a", 1)
			done := w.background("POST", "/v1/jobs/a/run", IdempotencyHeader, "k")
			w.blocked(1)
			w.report(fire, fsm.Report{Kind: said, StartedAt: start})
			rec := within(t, "run answers", done)
			again := w.call("POST", "/v1/jobs/a/run", nil, IdempotencyHeader, "k")
			if said == fsm.ReportStarted {
				wantError(t, rec, 409, api.CodeOverlap, "cancel it")
				wantError(t, again, 409, api.CodeOverlap)
				wantError(t, w.call("POST", "/v1/jobs/a/run", nil), 409, api.CodeOverlap, fire)
				return
			}
			if run := answer[api.Run](t, rec, 201); len(run.WaitsFor) != 0 || run.State != fsm.RunPending {
				t.Errorf("run %+v", run)
			}
			answer[api.Run](t, again, 201)
		})
	}
}

func TestStartRunThatIsPausedMeanwhile(t *testing.T) {
	w := newWorld(t)
	w.node(1)
	w.putJob(spec("a"), time.Minute)
	w.fire("a", 1)
	done := w.background("POST", "/v1/jobs/a/run")
	w.blocked(1)
	w.must(fsm.OpSetPaused, &fsm.SetPaused{At: start, Job: key("a"), Paused: true})
	wantError(t, within(t, "run answers", done), 409, api.CodeConflict, "paused")
}

func TestStartRunThatWaitsTooLong(t *testing.T) {
	w := newWorld(t)
	w.api.limits.release = time.Millisecond
	w.node(1)
	w.putJob(spec("a"), time.Minute)
	fire := w.fire("a", 1)
	run := answer[api.Run](t, w.call("POST", "/v1/jobs/a/run", nil), 201)
	if diff := cmp.Diff([]string{fire}, run.WaitsFor); diff != "" {
		t.Error(diff)
	}
}

func TestStartRunWithParams(t *testing.T) {
	w := newWorld(t)
	s := spec("a")
	day := "today"
	s.Params = []fsm.Param{
		{Name: "count", Type: fsm.ParamNumber},
		{Name: "day", Default: &day, Pattern: "[a-z]+"},
		{Name: "dry", Type: fsm.ParamBool, Default: new("false")},
	}
	w.putJob(s, 0)
	run := answer[api.Run](t, w.call("POST", "/v1/jobs/a/run", `{"params":{"count":1.50,"dry":true}}`), 201)
	if diff := cmp.Diff(map[string]string{"count": "1.50", "day": "today", "dry": "true"}, run.Params); diff != "" {
		t.Error(diff)
	}
	for body, text := range map[string]string{
		`{}`:                                   `param "count" of job a has no default`,
		`{"params":{"count":"many"}}`:          `want a number`,
		`{"params":{"count":1,"day":"12"}}`:    `does not match the pattern`,
		`{"params":{"count":1,"dry":"yes"}}`:   `want true or false`,
		`{"params":{"count":1,"other":"yes"}}`: `no param "other"`,
	} {
		wantError(t, w.call("POST", "/v1/jobs/a/run", body), 422, api.CodeInvalid, text)
	}
}

func TestRetryRun(t *testing.T) {
	w := newWorld(t)
	w.node(1)
	w.putJob(spec("a", "one", "two"), 0)
	id := w.manual("a", 1)
	wantError(t, w.call("POST", "/v1/runs/"+id+"/retry", nil), 409, api.CodeConflict, "pending")
	answer[api.Run](t, w.call("POST", "/v1/runs/"+id+"/cancel", nil), 200)
	run := answer[api.Run](t, w.call("POST", "/v1/runs/"+id[:20]+"/retry", nil), 200)
	if run.ID != id || run.State.Ended() || run.Retries != 1 || run.EndedAt != 0 {
		t.Errorf("run %+v", run.Run)
	}
	wantError(t, w.call("POST", "/v1/runs/ZZZZZZZ/retry", nil), 404, api.CodeNotFound)
	wantError(t, w.call("POST", "/v1/runs/"+id+"/retry", `{"force":true}`), 400, api.CodeBadRequest, `"force"`)
}

func TestBriefRun(t *testing.T) {
	w := newWorld(t)
	w.node(1)
	w.putJob(spec("a"), 0)
	id := w.manual("a", 1)
	w.arm(id, 1)
	w.started(id)
	got := get[api.Run](w, "/v1/runs/"+id+"?brief=true")
	if len(got.Tasks) != 1 || len(got.Tasks[0].Items) != 0 || got.Tasks[0].State != fsm.TaskRunning {
		t.Errorf("tasks %+v", got.Tasks)
	}
}

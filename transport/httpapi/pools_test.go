package httpapi

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/transport/api"
)

// TestPools: pools are applied with jobs or by themselves, listed, and deleted once
// no job names them.
func TestPools(t *testing.T) {
	w := newWorld(t)
	w.must(fsm.OpRaiseFormat, &fsm.RaiseFormat{Format: fsm.Format})
	s := spec("a")
	s.Tasks[0].Pools = []fsm.PoolUse{{Name: "db", Weight: 2}}
	put := api.PutJobs{Jobs: []fsm.JobSpec{s}, Pools: []fsm.PutPool{{Name: "db", Limit: 3}}}
	for _, path := range []string{"/v1/jobs?dry_run=true", "/v1/jobs"} {
		got := answer[api.PutAnswer](t, w.call("PUT", path, put), 200)
		if diff := cmp.Diff([]fsm.PoolResult{{Name: "db", Limit: 3, Created: true, Changed: true}}, got.Pools); diff != "" || len(got.Items) != 1 {
			t.Errorf("%s: %+v %s", path, got, diff)
		}
	}
	put.Jobs, put.Pools[0].Limit = nil, 5
	for _, path := range []string{"/v1/jobs?dry_run=true", "/v1/jobs"} {
		got := answer[api.PutAnswer](t, w.call("PUT", path, put), 200)
		if diff := cmp.Diff([]fsm.PoolResult{{Name: "db", Limit: 5, Changed: true}}, got.Pools); diff != "" || got.Items == nil {
			t.Errorf("%s: %+v %s", path, got, diff)
		}
	}
	list := answer[api.List[fsm.Pool]](t, w.call("GET", "/v1/pools", nil), 200)
	if len(list.Items) != 1 || list.Items[0].Limit != 5 || list.Items[0].Jobs != 1 {
		t.Errorf("listed %+v", list.Items)
	}
	wantError(t, w.call("DELETE", "/v1/pools/db", nil), 409, api.CodeConflict, "1 jobs")
	wantError(t, w.call("DELETE", "/v1/pools/none", nil), 404, api.CodeNotFound)
	answer[api.PutAnswer](t, w.call("PUT", "/v1/jobs", api.PutJobs{Jobs: []fsm.JobSpec{spec("a")}}), 200)
	if rec := w.call("DELETE", "/v1/pools/db", nil); rec.Code != 204 || w.store.Read().Pool("db") != nil {
		t.Errorf("deleting: %d %s", rec.Code, rec.Body)
	}
}

func TestPutIsCheckedAgainstPools(t *testing.T) {
	w := newWorld(t)
	w.must(fsm.OpRaiseFormat, &fsm.RaiseFormat{Format: fsm.Format})
	s := spec("a")
	s.Tasks[0].Pools = []fsm.PoolUse{{Name: "db", Weight: 2}}
	broken := spec("b")
	broken.Constraints = []fsm.Constraint{{Attribute: "zone", Operator: fsm.OpRegexp, Value: "("}}
	for name, put := range map[string]api.PutJobs{
		"unknown":   {Jobs: []fsm.JobSpec{s}},
		"too small": {Jobs: []fsm.JobSpec{s}, Pools: []fsm.PutPool{{Name: "db", Limit: 1}}},
		"twice":     {Pools: []fsm.PutPool{{Name: "db", Limit: 1}, {Name: "db", Limit: 1}}},
		"no limit":  {Pools: []fsm.PutPool{{Name: "db"}}},
		"regexp":    {Jobs: []fsm.JobSpec{broken}},
	} {
		for _, path := range []string{"/v1/jobs?dry_run=true", "/v1/jobs"} {
			if rec := w.call("PUT", path, put); rec.Code != 422 {
				t.Errorf("%s, %s: %d %s", name, path, rec.Code, rec.Body)
			}
		}
	}
}

// TestWarnings: what could not run as things are is applied, and said.
func TestWarnings(t *testing.T) {
	w := newWorld(t)
	s := spec("a")
	s.Description = "warn"
	for _, path := range []string{"/v1/jobs?dry_run=true", "/v1/jobs"} {
		rec := w.call("PUT", path, api.PutJobs{Jobs: []fsm.JobSpec{s}})
		if got := answer[api.PutAnswer](t, rec, 200); len(got.Warnings) != 1 {
			t.Errorf("%s: %+v", path, got)
		}
		var raw map[string]json.RawMessage
		if err := json.Unmarshal(rec.Body.Bytes(), &raw); err != nil || raw["items"] == nil || raw["warnings"] == nil {
			t.Errorf("%s: %s", path, rec.Body)
		}
	}
}

// TestPlacingWaitsForEveryNode: a node of an older version would leave out what it
// does not know, and differ from the others.
func TestPlacingWaitsForEveryNode(t *testing.T) {
	for name, change := range map[string]func(*fsm.JobSpec){
		"priority":     func(s *fsm.JobSpec) { s.Priority = new(1) },
		"constraint":   func(s *fsm.JobSpec) { s.Constraints = []fsm.Constraint{{Attribute: "zone", Value: "a"}} },
		"spread":       func(s *fsm.JobSpec) { s.Tasks[0].Spreads = []fsm.Spread{{Attribute: "zone"}} },
		"max_per_node": func(s *fsm.JobSpec) { s.Tasks[0].MaxPerNode = 1 },
		"pool":         func(s *fsm.JobSpec) { s.Tasks[0].Pools = []fsm.PoolUse{{Name: "db", Weight: 1}} },
	} {
		w := newWorld(t)
		s := spec("a")
		change(&s)
		put := api.PutJobs{Jobs: []fsm.JobSpec{s}}
		wantError(t, w.call("PUT", "/v1/jobs", put), 409, api.CodeUpgrading)
		w.must(fsm.OpRaiseFormat, &fsm.RaiseFormat{Format: fsm.Format})
		if rec := w.call("PUT", "/v1/jobs", put); rec.Code == 409 {
			t.Errorf("%s is refused still: %s", name, rec.Body)
		}
	}
}

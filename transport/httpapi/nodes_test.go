package httpapi

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/transport/api"
)

// TestNodeStatusNow: what is out of reach shows so at once, and what was said of
// the node stays known.
func TestNodeStatusNow(t *testing.T) {
	w := newWorld(t)
	for n := 1; n <= 4; n++ { // the fake cluster says that n3 is down and n4 suspect
		w.node(n)
	}
	set := func(n string, status fsm.NodeStatus) {
		w.must(fsm.OpSetNodeStatus, &fsm.SetNodeStatus{At: start, ID: n, Status: status, By: "ann@ops"})
	}
	want := func(n int, status, set fsm.NodeStatus, health string) {
		t.Helper()
		var list api.List[api.Node]
		if err := json.Unmarshal(w.call("GET", "/v1/nodes", nil).Body.Bytes(), &list); err != nil {
			t.Fatal(err)
		}
		if got := list.Items[n-1]; got.Status != status || got.SetStatus != set || got.Health != health {
			t.Errorf("n%d is %s, set to %s, %s; want %s, %s, %s", n, got.Status, got.SetStatus, got.Health, status, set, health)
		}
	}
	want(1, fsm.NodeReady, fsm.NodeReady, "ok")
	if body := w.call("GET", "/v1/nodes", nil).Body.String(); strings.Count(body, `"namesakes":["127.0.0.1:99"]`) != 1 {
		t.Errorf("the namesake of n2 is not listed once: %s", body)
	}
	want(3, fsm.NodeDown, fsm.NodeReady, "down")
	want(4, fsm.NodeSuspect, fsm.NodeReady, "suspect")
	set("id-3", fsm.NodeDraining)
	want(3, fsm.NodeDown, fsm.NodeDraining, "down")
	set("id-3", fsm.NodeMaintenance) // it may well be switched off
	want(3, fsm.NodeMaintenance, fsm.NodeMaintenance, "down")
}

func TestDrainRequests(t *testing.T) {
	w := newWorld(t)
	w.node(1)
	for body, want := range map[string]fsm.Node{
		`{"status":"draining","by":"ann@ops"}`:           {Status: fsm.NodeDraining, StatusSetBy: "ann@ops"},
		`{"status":"draining","deadline":"10m"}`:         {Status: fsm.NodeDraining, StatusSetBy: operator, EvictAt: start.Add(fsm.Duration(10 * time.Minute))},
		`{"status":"maintenance","by":"x","force":true}`: {Status: fsm.NodeMaintenance, StatusSetBy: "x", EvictAt: start},
		`{"status":"ready","by":"ann@ops"}`:              {Status: fsm.NodeReady, StatusSetBy: "ann@ops"},
	} {
		if rec := w.call("PUT", "/v1/nodes/n1/status", json.RawMessage(body)); rec.Code != 200 {
			t.Errorf("%s: %d %s", body, rec.Code, rec.Body)
		}
		n := w.store.Read().Node("id-1")
		if n.Status != want.Status || n.StatusSetBy != want.StatusSetBy || n.EvictAt != want.EvictAt || n.StatusSetAt != start {
			t.Errorf("%s: %+v", body, n)
		}
	}
	for _, body := range []string{
		`{"status":"down"}`, `{"status":"draining","deadline":"-1s"}`, `{"status":"draining","deadline":"9000h"}`,
		`{"status":"draining","deadline":"1s","force":true}`, `{"status":"ready","force":true}`, `{"status":"ready","deadline":"1s"}`,
		`{"status":"draining","by":"` + strings.Repeat("x", 129) + `"}`, `{"status":"draining","by":"a\u0007"}`, `{"status":"draining","soon":1}`,
	} {
		if rec := w.call("PUT", "/v1/nodes/n1/status", json.RawMessage(body)); rec.Code != 400 {
			t.Errorf("%s: %d %s", body, rec.Code, rec.Body)
		}
	}
}

package httpapi

import (
	"encoding/json"
	"testing"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/transport/api"
)

func TestSettings(t *testing.T) {
	w := newWorld(t)
	put := func(body string) (int, fsm.Settings) {
		t.Helper()
		var s fsm.Settings
		rec := w.call("PUT", "/v1/settings", json.RawMessage(body))
		_ = json.Unmarshal(rec.Body.Bytes(), &s)
		return rec.Code, s
	}
	code, s := put(`{"region_latency":[{"regions":["us","cn"],"rtt":"120ms"}],"remove_dead_after":"1h","by":"ann@ops"}`)
	if code != 200 || len(s.RegionLatency) != 1 || s.RegionLatency[0].Regions != [2]string{"cn", "us"} || s.SetBy != "ann@ops" || s.ModifyIndex == 0 {
		t.Fatalf("%d %+v", code, s)
	}
	var got fsm.Settings
	if err := json.Unmarshal(w.call("GET", "/v1/settings", nil).Body.Bytes(), &got); err != nil || got.ModifyIndex != s.ModifyIndex || got.RemoveDeadAfter != s.RemoveDeadAfter {
		t.Errorf("%+v %v", got, err)
	}
	for body, want := range map[string]int{
		`{"if_index":99}`: 409, `{"remove_dead_after":"1s"}`: 422, `{"region_latency":[{"regions":["us","us"],"rtt":"1ms"}]}`: 422,
		`{"format":9}`: 400, `{"by":"\u0007"}`: 400, `{"autoscale":{"provider":"magic","min":1,"max":2}}`: 422,
	} {
		if code, _ := put(body); code != want {
			t.Errorf("%s: %d, want %d", body, code, want)
		}
	}
	var rtt api.RTT
	if err := json.Unmarshal(w.call("GET", "/v1/nodes/rtt", nil).Body.Bytes(), &rtt); err != nil || len(rtt.Nodes) != 1 {
		t.Errorf("%+v %v", rtt, err)
	}
}

func TestAutoscale(t *testing.T) {
	w := newWorld(t)
	if rec := w.call("POST", "/v1/autoscale/plan", nil); rec.Code != 422 {
		t.Errorf("a plan without settings: %d", rec.Code)
	}
	var plan api.ScalePlan
	rec := w.call("POST", "/v1/autoscale/plan", json.RawMessage(`{"provider":"standby","min":3,"max":5}`))
	if err := json.Unmarshal(rec.Body.Bytes(), &plan); err != nil || plan.Delta != 2 {
		t.Errorf("%d %s %v", rec.Code, rec.Body, err)
	}
	w.call("PUT", "/v1/settings", json.RawMessage(`{"autoscale":{"provider":"standby","min":3,"max":5}}`))
	for range 2 {
		w.must(fsm.OpStartScaling, &fsm.StartScaling{Settings: w.store.Read().Settings().ModifyIndex, Event: fsm.ScaleEvent{Kind: fsm.ScaleUp, Steps: make([]fsm.ScaleStep, 1)}})
		var last *fsm.ScaleEvent
		for e := range w.store.Read().ScaleEvents() {
			last = e
		}
		w.must(fsm.OpAdvanceScaling, &fsm.AdvanceScaling{At: start, Index: last.Index, From: fsm.ScalePending, To: fsm.ScaleStep{State: fsm.ScaleDone}})
	}
	var got api.Autoscale
	if err := json.Unmarshal(w.call("GET", "/v1/autoscale", nil).Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Events) != 2 || got.Events[0].Index < got.Events[1].Index || got.Settings.UpAt != 0.8 || got.Settings.Max != 5 {
		t.Errorf("%+v", got)
	}
}

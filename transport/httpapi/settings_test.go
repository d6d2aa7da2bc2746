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

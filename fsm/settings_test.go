package fsm

import (
	"errors"
	"slices"
	"testing"
)

func TestPutSettings(t *testing.T) {
	l := newLab(t)
	l.must(OpRaiseFormat, RaiseFormat{Format: 2})
	put := func(s ClusterSettings, index uint64) error {
		return l.apply(OpPutSettings, PutSettings{At: l.now, By: "ann@ops", Index: index, Settings: s}).Err
	}
	pair := func(a, b string, ms int) RegionLatency {
		return RegionLatency{[2]string{a, b}, Duration(ms) * 1e6}
	}
	if err := put(ClusterSettings{RegionLatency: []RegionLatency{pair("eu", "cn", 120), pair("cn", "ap", 40)}}, 0); err != nil {
		t.Fatal(err)
	}
	s := l.view().Settings()
	if !slices.Equal(s.RegionLatency, []RegionLatency{pair("ap", "cn", 40), pair("cn", "eu", 120)}) || s.SetBy != "ann@ops" || s.Format != 2 {
		t.Errorf("%+v", s)
	}
	if err := put(ClusterSettings{}, s.ModifyIndex-1); !errors.Is(err, ErrConflict) {
		t.Errorf("settings that were read before the last change: %v", err)
	}
	good := Autoscale{Provider: ProviderExec, Min: 1, Max: 3, Command: []string{"/bin/true"}}
	bad := func(change func(*Autoscale)) ClusterSettings {
		a := good
		change(&a)
		return ClusterSettings{Autoscale: a}
	}
	for name, s := range map[string]ClusterSettings{
		"one region twice":   {RegionLatency: []RegionLatency{pair("cn", "cn", 1)}},
		"a pair twice":       {RegionLatency: []RegionLatency{pair("cn", "eu", 1), pair("eu", "cn", 2)}},
		"no time":            {RegionLatency: []RegionLatency{pair("cn", "eu", 0)}},
		"longer than a day":  {RegionLatency: []RegionLatency{pair("cn", "eu", 86_400_000)}},
		"no name":            {RegionLatency: []RegionLatency{pair("", "eu", 1)}},
		"too many":           {RegionLatency: make([]RegionLatency, MaxRegionLatencies+1)},
		"dead for a second":  {RemoveDeadAfter: Duration(second)},
		"unknown provider":   bad(func(a *Autoscale) { a.Provider = "magic" }),
		"max below min":      bad(func(a *Autoscale) { a.Min, a.Max = 5, 3 }),
		"no node at all":     bad(func(a *Autoscale) { a.Min = 0 }),
		"down above up":      bad(func(a *Autoscale) { a.UpAt, a.DownAt = 0.5, 0.6 }),
		"step of nothing":    bad(func(a *Autoscale) { a.Step = -1 }),
		"no command":         bad(func(a *Autoscale) { a.Command = nil }),
		"webhook without":    bad(func(a *Autoscale) { a.Provider, a.Command = ProviderWebhook, nil }),
		"webhook by file":    bad(func(a *Autoscale) { a.Provider, a.Command, a.URL = ProviderWebhook, nil, "file:///etc/passwd" }),
		"window of a moment": bad(func(a *Autoscale) { a.Window = 1 }),
	} {
		if err := put(s, 0); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := put(bad(func(*Autoscale) {}), 0); err != nil {
		t.Error(err)
	}
}

// TestScaling: one change of size at a time, by the settings it was decided by;
// each step is taken once; what is kept is bounded.
func TestScaling(t *testing.T) {
	l := newLab(t)
	l.must(OpPutSettings, PutSettings{At: l.now, Settings: ClusterSettings{Autoscale: Autoscale{Provider: ProviderStandby, Min: 1, Max: 9}}})
	settings := l.view().Settings().ModifyIndex
	begin := func() Result {
		return l.apply(OpStartScaling, StartScaling{ScaleEvent{Kind: ScaleUp, At: l.now, Steps: make([]ScaleStep, 2)}, settings})
	}
	r := begin()
	if r.Err != nil {
		t.Fatal(r.Err)
	}
	e := r.Value.(*ScaleEvent)
	if e.Steps[0].Request == e.Steps[1].Request || e.Steps[0].Request == "" || e.Steps[0].State != ScalePending {
		t.Errorf("steps %+v", e.Steps)
	}
	if err := begin().Err; !errors.Is(err, ErrConflict) {
		t.Errorf("a second change beside the first: %v", err)
	}
	advance := func(step int, from string, tries int, to ScaleStep) error {
		return l.apply(OpAdvanceScaling, AdvanceScaling{l.now, e.Index, step, from, tries, to}).Err
	}
	for _, err := range []error{
		advance(0, ScalePending, 0, ScaleStep{State: ScalePending, Tries: 1, Error: "no answer"}),
		advance(0, ScalePending, 1, ScaleStep{State: ScaleDone, Tries: 1, Request: "forged"}),
	} {
		if err != nil {
			t.Error(err)
		}
	}
	for name, err := range map[string]error{
		"a step that has moved on": advance(0, ScalePending, 0, ScaleStep{State: ScaleDone}),
		"a step that is done":      advance(0, ScaleDone, 1, ScaleStep{State: ScalePending}),
	} {
		if !errors.Is(err, ErrStale) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := advance(7, ScalePending, 0, ScaleStep{State: ScaleDone}); !errors.Is(err, ErrNotFound) {
		t.Errorf("no such step: %v", err)
	}
	if err := advance(1, ScalePending, 0, ScaleStep{State: ScaleFailed}); err != nil {
		t.Error(err)
	}
	for got := range l.view().ScaleEvents() {
		if !got.Ended() || got.Steps[0].Request != e.Steps[0].Request {
			t.Errorf("%+v", got)
		}
	}
	for range maxScaleEvents + 20 {
		e = begin().Value.(*ScaleEvent)
		for i := range e.Steps {
			if err := advance(i, ScalePending, 0, ScaleStep{State: ScaleDone}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if n := len(slices.Collect(l.view().ScaleEvents())); n != maxScaleEvents {
		t.Errorf("%d are kept", n)
	}
	l.must(OpPutSettings, PutSettings{At: l.now})
	if err := begin().Err; !errors.Is(err, ErrStale) {
		t.Errorf("a decision by settings that were changed since: %v", err)
	}
}

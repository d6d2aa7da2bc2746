package scheduling

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/rota-scheduler/rota/fsm"
)

func scaling(lo, hi int) fsm.Autoscale {
	return fsm.Autoscale{Provider: fsm.ProviderExec, Min: lo, Max: hi, Command: []string{"x"}}
}

// steady is a whole window of one load, in percent, on that many nodes of 100.
func steady(s fsm.Autoscale, nodes, percent int) ScaleInput {
	at := func(t fsm.Time) LoadSample {
		return LoadSample{At: t, Nodes: nodes, Running: nodes * percent, Capacity: nodes * 100}
	}
	return ScaleInput{Now: noon, Settings: s, Samples: []LoadSample{at(noon.Add(-s.WithDefaults().Window)), at(noon)}}
}

func TestDecideScale(t *testing.T) {
	minute := fsm.Duration(time.Minute)
	for name, tt := range map[string]struct {
		in   ScaleInput
		want int
	}{
		"85% grows by a quarter":           {steady(scaling(1, 50), 8, 85), 2},
		"15% shrinks by a quarter":         {steady(scaling(1, 50), 8, 15), -2},
		"at least by one":                  {steady(scaling(1, 50), 2, 85), 1},
		"not past max":                     {steady(scaling(1, 9), 8, 85), 1},
		"not at max":                       {steady(scaling(1, 8), 8, 100), 0},
		"not below min":                    {steady(scaling(7, 9), 8, 15), -1},
		"not at min":                       {steady(scaling(8, 9), 8, 0), 0},
		"in between":                       {steady(scaling(1, 50), 8, 50), 0},
		"below min, at any load":           {steady(scaling(3, 9), 1, 10), 2},
		"above max, at any load":           {steady(scaling(1, 3), 5, 100), -2},
		"no more than leaves the load low": {steady(fsm.Autoscale{Provider: "x", Min: 1, Max: 9, UpAt: 0.6, DownAt: 0.4, Step: 0.75}, 4, 36), -1},
		"what waits counts":                {ScaleInput{Now: noon, Settings: scaling(1, 9), Samples: []LoadSample{{At: noon - 1e15, Nodes: 4, Capacity: 400, Waiting: 350}, {At: noon, Nodes: 4, Capacity: 400}}}, 1},
		"before a whole window":            {ScaleInput{Now: noon, Settings: scaling(1, 9), Samples: []LoadSample{{At: noon - 1e9, Nodes: 4, Capacity: 400, Running: 400}, {At: noon, Nodes: 4, Capacity: 400, Running: 400}}}, 0},
		"nothing known":                    {ScaleInput{Now: noon, Settings: scaling(1, 9)}, 0},
		"up, soon after a change":          {withChange(steady(scaling(1, 50), 8, 85), 2*minute), 0},
		"up, after its cooldown":           {withChange(steady(scaling(1, 50), 8, 85), 3*minute), 2},
		"down, soon after a change":        {withChange(steady(scaling(1, 50), 8, 15), 9*minute), 0},
		"down, after its cooldown":         {withChange(steady(scaling(1, 50), 8, 15), 10*minute), -2},
	} {
		if got := DecideScale(tt.in); got.Delta != tt.want || got.Reason == "" {
			t.Errorf("%s: %+v, want %d", name, got, tt.want)
		}
	}
}

func withChange(in ScaleInput, ago fsm.Duration) ScaleInput {
	in.LastChange = in.Now.Add(-ago)
	return in
}

// TestScaleProperties: within bounds, in the right direction, by no more than a
// step, and never so that the same load would call for the opposite.
func TestScaleProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lo := rapid.IntRange(1, 20).Draw(t, "min")
		s := scaling(lo, lo+rapid.IntRange(0, 30).Draw(t, "max"))
		s.DownAt = float64(rapid.IntRange(1, 60).Draw(t, "down")) / 100
		s.UpAt = s.DownAt + float64(rapid.IntRange(1, 60).Draw(t, "gap"))/100
		s.Step = float64(rapid.IntRange(1, 100).Draw(t, "step")) / 100
		nodes := rapid.IntRange(1, 60).Draw(t, "nodes")
		percent := rapid.IntRange(0, 200).Draw(t, "load")
		d := DecideScale(steady(s, nodes, percent))
		load := float64(percent) / 100
		after := nodes + d.Delta
		switch {
		case d.Delta != 0 && (after < s.Min || after > s.Max):
			t.Fatalf("%d nodes, outside of %d to %d", after, s.Min, s.Max)
		case nodes < s.Min || nodes > s.Max:
			if after != min(max(nodes, s.Min), s.Max) {
				t.Fatalf("from %d to %d, bounds %d to %d", nodes, after, s.Min, s.Max)
			}
			return
		case d.Delta > 0 && load < s.UpAt, d.Delta < 0 && load > s.DownAt:
			t.Fatalf("by %d at a load of %.2f", d.Delta, load)
		case max(d.Delta, -d.Delta) > stepOf(nodes, s.Step):
			t.Fatalf("by %d of %d nodes", d.Delta, nodes)
		case d.Delta < 0 && load*float64(nodes)/float64(after) >= s.UpAt:
			t.Fatalf("from %d nodes to %d, which calls for more at a load of %.2f", nodes, after, load)
		}
	})
}

// TestNoFlapping: under load that goes up and down like a square wave, of any
// period, the cluster never shrinks within ten minutes of growing.
func TestNoFlapping(t *testing.T) {
	for _, half := range []time.Duration{10 * time.Second, time.Minute, 2 * time.Minute, 3 * time.Minute, 5 * time.Minute, 10 * time.Minute} {
		s := scaling(2, 20)
		nodes := 4
		in := ScaleInput{Settings: s}
		var changes []fsm.Time
		var deltas []int
		for at := fsm.Time(0); at < fsm.Time(2*time.Hour); at += fsm.Time(2 * time.Second) {
			weight := 20
			if (time.Duration(at)/half)%2 == 0 {
				weight = 400
			}
			in.Now = noon + at
			in.Samples = trimSamples(append(in.Samples, LoadSample{At: in.Now, Nodes: nodes, Running: min(weight, nodes*100), Waiting: max(0, weight-nodes*100), Capacity: nodes * 100}), in.Now.Add(-s.WithDefaults().Window))
			if d := DecideScale(in); d.Delta != 0 {
				nodes += d.Delta
				in.LastChange = in.Now
				changes, deltas = append(changes, at), append(deltas, d.Delta)
			}
			if nodes < s.Min || nodes > s.Max {
				t.Fatalf("%d nodes", nodes)
			}
		}
		grown := -fsm.Time(time.Hour)
		for i, at := range changes {
			if deltas[i] > 0 {
				grown = at
			} else if at-grown < fsm.Time(10*time.Minute) {
				t.Errorf("half a period of %s: grown at %s and shrunk again at %s", half, time.Duration(grown), time.Duration(at))
			}
		}
	}
}

func TestPickRemovals(t *testing.T) {
	node := func(id string, held int, voter bool) Removable {
		return Removable{Node: &fsm.Node{ID: id}, Held: held, Voter: voter}
	}
	nodes := []Removable{node("lead", 0, true), node("v2", 1, true), node("v3", 0, true), node("m4", 50, false), node("m5", 9, false)}
	for name, tt := range map[string]struct {
		n, live, voters int
		park            bool
		want            []string
	}{
		"the least loaded without a vote": {1, 3, 3, false, []string{"m5"}},
		"then at most one with a vote":    {4, 3, 3, false, []string{"m5", "m4", "v3"}},
		"none while one is down already":  {4, 2, 3, false, []string{"m5", "m4"}},
		"parked nodes go on voting":       {4, 2, 3, true, []string{"v3", "v2", "m5", "m4"}},
		"never the leader":                {9, 5, 5, true, []string{"v3", "v2", "m5", "m4"}},
	} {
		var got []string
		for _, n := range PickRemovals(nodes, tt.n, "lead", tt.live, tt.voters, tt.park) {
			got = append(got, n.ID)
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
	}
}

// fakeProvider keeps requests; it fails as often as it is told to.
type fakeProvider struct {
	mu       sync.Mutex
	requests []string
	failing  int
}

func (p *fakeProvider) call(kind, request string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.requests = append(p.requests, kind+" "+request)
	if p.failing > 0 {
		p.failing--
		return errors.New("no answer")
	}
	return nil
}

func (p *fakeProvider) Add(_ context.Context, request string) error { return p.call("add", request) }

func (p *fakeProvider) Remove(_ context.Context, request string, n *fsm.Node) error {
	return p.call("remove "+n.Name, request)
}

// scaled is a world whose leader scales it.
func scaled(w *world, s fsm.Autoscale, p *fakeProvider) *Leader {
	w.apply(fsm.OpPutSettings, fsm.PutSettings{At: w.now(), Settings: fsm.ClusterSettings{Autoscale: s}})
	l := w.leader()
	l.Provider = func(*fsm.Autoscale) (NodeProvider, error) { return p, nil }
	return l
}

func (w *world) lastScale() *fsm.ScaleEvent { return lastScaling(w.store.Read()) }

// TestScaleUpSurvivesFailover: a provider that does not answer is asked again, by
// the next leader too, with the same names; each step is recorded once.
func TestScaleUpSurvivesFailover(t *testing.T) {
	bubble(t, func(w *world) {
		w.register("n1", 1, 100)
		w.open("n1")
		p := &fakeProvider{failing: 3}
		l := scaled(w, scaling(3, 9), p)
		stop := w.lead(l.autoscale, w.beating("n1"))
		w.after(5 * time.Second)
		stop() // the leader is gone after a failure
		if e := w.lastScale(); e == nil || e.Ended() || e.Want != 3 || len(e.Steps) != 2 || e.Reason == "" {
			t.Fatalf("%+v", e)
		}
		defer w.lead(scaled2(w, p).autoscale, w.beating("n1"))()
		w.after(20 * time.Second)
		e := w.lastScale()
		if !e.Ended() || e.Steps[0].State != fsm.ScaleDone || e.Steps[1].State != fsm.ScaleDone {
			t.Fatalf("%+v", e)
		}
		seen := map[string]int{}
		for _, r := range p.requests {
			seen[r]++
		}
		if len(seen) != 2 || len(p.requests) != 5 || w.proposed(fsm.OpStartScaling) != 1 {
			t.Errorf("requests %v, %d decisions", p.requests, w.proposed(fsm.OpStartScaling))
		}
	})
}

// scaled2 is another leader of a world that has its settings.
func scaled2(w *world, p *fakeProvider) *Leader {
	l := w.leader()
	l.Provider = func(*fsm.Autoscale) (NodeProvider, error) { return p, nil }
	return l
}

// TestScaleDown drains first, asks the provider once the node is empty, and lets
// it go only once it is silent.
func TestScaleDown(t *testing.T) {
	bubble(t, func(w *world) {
		ctx, silence := context.WithCancel(context.Background())
		for _, id := range []string{"n1", "n2", "n3"} {
			w.register(id, 1, 100)
		}
		w.open("n1", "n2", "n3")
		w.heavy(1, "work")
		ref := w.gate("work").Ref()
		w.apply(fsm.OpArmShards, fsm.ArmShards{At: w.now(), Placements: []fsm.Placement{{AttemptRef: ref, Node: "n2", Incarnation: 1}}})
		ref.Attempt++
		w.report("n2", fsm.Report{AttemptRef: ref, Kind: fsm.ReportStarted})
		w.heavy(5, "more") // so that n3 holds more than n2
		more := w.gate("more").Ref()
		w.apply(fsm.OpArmShards, fsm.ArmShards{At: w.now(), Placements: []fsm.Placement{{AttemptRef: more, Node: "n3", Incarnation: 1}}})
		more.Attempt++
		w.report("n3", fsm.Report{AttemptRef: more, Kind: fsm.ReportStarted})
		p := &fakeProvider{}
		s := scaling(1, 3)
		s.Window = fsm.Duration(10 * time.Second)
		l := scaled(w, s, p)
		beatN2 := func(outer context.Context) error {
			both, cancel := context.WithCancel(outer)
			defer cancel()
			defer context.AfterFunc(ctx, cancel)()
			return w.beating("n2")(both)
		}
		defer w.lead(l.autoscale, w.beating("n1"), beatN2, w.beating("n3"))()
		w.after(30 * time.Second)
		n2 := func() *fsm.Node { return w.store.Read().Node("n2") }
		if n := n2(); n.Status != fsm.NodeDraining || n.StatusSetBy != scaler || n.EvictAt == 0 || len(p.requests) != 0 {
			t.Fatalf("%+v, asked %v", n, p.requests)
		}
		w.report("n2", fsm.Report{AttemptRef: ref, Kind: fsm.ReportEnded, Outcome: fsm.AttemptSucceeded})
		w.after(10 * time.Second)
		if n := n2(); n.Status != fsm.NodeDraining || len(p.requests) != 1 {
			t.Fatalf("%s while it beats, asked %v", n.Status, p.requests)
		}
		silence()
		w.after(time.Minute)
		e := w.lastScale()
		if n := n2(); n.Status != fsm.NodeLeft || !e.Ended() || e.Steps[0].State != fsm.ScaleDone || len(p.requests) != 1 {
			t.Errorf("%s, %+v, asked %v", n.Status, e, p.requests)
		}
	})
}

// TestScaleDownTakenBack: who uses the node again meanwhile is not overruled.
func TestScaleDownTakenBack(t *testing.T) {
	bubble(t, func(w *world) {
		for _, id := range []string{"n1", "n2"} {
			w.register(id, 1, 100)
		}
		w.open("n1", "n2")
		p := &fakeProvider{failing: 1000}
		l := scaled(w, scaling(1, 1), p)
		defer w.lead(l.autoscale, w.beating("n1"), w.beating("n2"))()
		w.after(5 * time.Second)
		w.apply(fsm.OpPutSettings, fsm.PutSettings{At: w.now(), Settings: fsm.ClusterSettings{Autoscale: scaling(1, 2)}})
		w.apply(fsm.OpSetNodeStatus, fsm.SetNodeStatus{At: w.now(), ID: "n2", Status: fsm.NodeReady, By: "ann@ops"})
		w.after(10 * time.Second)
		e := w.lastScale()
		if n := w.store.Read().Node("n2"); n.Status != fsm.NodeReady || e == nil || e.Steps[0].State != fsm.ScaleFailed || e.Steps[0].Error != errTakenBack.Error() {
			t.Errorf("%s %+v", n.Status, e)
		}
	})
}

// TestStandby wakes and parks nodes, and never the leader.
func TestStandby(t *testing.T) {
	bubble(t, func(w *world) {
		var beats []func(context.Context) error
		for i := range 5 {
			id := fmt.Sprintf("n%d", i+1)
			w.register(id, 1, 100)
			beats = append(beats, w.beating(id))
			if i >= 2 {
				w.apply(fsm.OpSetNodeStatus, fsm.SetNodeStatus{ID: id, Status: fsm.NodeStandby, By: "ann"})
			}
		}
		w.open("n1", "n2", "n3", "n4", "n5")
		s := fsm.Autoscale{Provider: fsm.ProviderStandby, Min: 4, Max: 9}
		defer w.lead(append(beats, scaled(w, s, nil).autoscale)...)()
		used := func() (n int) {
			for node := range w.store.Read().Nodes() {
				if node.Status == fsm.NodeReady {
					n++
				}
			}
			return n
		}
		w.after(10 * time.Second)
		if got := used(); got != 4 {
			t.Fatalf("%d nodes are used, want 4", got)
		}
		s.Min, s.Max = 1, 1
		w.apply(fsm.OpPutSettings, fsm.PutSettings{At: w.now(), Settings: fsm.ClusterSettings{Autoscale: s}})
		w.after(20 * time.Second)
		if got := used(); got != 1 || w.store.Read().Node("n1").Status != fsm.NodeReady {
			t.Errorf("%d nodes are used; the leader is %s", got, w.store.Read().Node("n1").Status)
		}
	})
}

package scheduling

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/rota-scheduler/rota/fsm"
)

// NodeProvider adds and removes machines. A call may be repeated with the same
// request, also by another leader: it must then change nothing more. Calls may be
// made concurrently, for different requests.
type NodeProvider interface {
	// Add has one node more join the cluster. It need not wait for that.
	Add(ctx context.Context, request string) error
	// Remove stops a node for good. Nothing runs there any more.
	Remove(ctx context.Context, request string, node *fsm.Node) error
}

// scaleEvery is how many heartbeats lie between two looks.
const scaleEvery = 4

// autoscale grows and shrinks the cluster.
func (l *Leader) autoscale(ctx context.Context) error {
	tick := time.NewTicker(scaleEvery * l.Timing.Heartbeat)
	defer tick.Stop()
	var samples []LoadSample
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		v := l.Store.Read()
		s := v.Settings()
		if !s.Autoscale.On() {
			samples = nil
			continue
		}
		now := l.Clock.Now()
		samples = append(samples, l.sample(v, now))
		samples = trimSamples(samples, now.Add(-s.Autoscale.WithDefaults().Window))
		if e := lastScaling(v); e != nil && !e.Ended() {
			l.carryOut(ctx, e)
			continue
		}
		l.startScaling(ctx, v, samples)
	}
}

// trimSamples keeps what lies within the window, and the last one before it.
func trimSamples(samples []LoadSample, since fsm.Time) []LoadSample {
	for len(samples) > 1 && samples[1].At <= since {
		samples = samples[1:]
	}
	return samples
}

func lastScaling(v *fsm.View) (last *fsm.ScaleEvent) {
	for e := range v.ScaleEvents() {
		last = e
	}
	return last
}

// sample counts what runs and what waits for room now.
func (l *Leader) sample(v *fsm.View, now fsm.Time) LoadSample {
	s := LoadSample{At: now}
	for _, n := range l.inUse(v) {
		s.Nodes++
		s.Capacity += n.Capacity
	}
	for h := range v.Held() {
		if h.State == fsm.ShardRunning {
			s.Running += h.Weight
		}
	}
	for p := range v.Pending() {
		run := v.Run(p.RunID)
		if run == nil || run.Cancelling || len(run.WaitsFor) > 0 || p.NotBefore > now || (!run.Opened && run.NotBefore > now) {
			continue
		}
		s.Waiting += p.Weight
	}
	return s
}

// inUse lists the nodes that are ready and in touch.
func (l *Leader) inUse(v *fsm.View) []*fsm.Node {
	var nodes []*fsm.Node
	for n := range v.Nodes() {
		if n.Status == fsm.NodeReady && l.Health(n.ID) != HealthDown {
			nodes = append(nodes, n)
		}
	}
	return nodes
}

// startScaling decides, and records the decision with its figures.
func (l *Leader) startScaling(ctx context.Context, v *fsm.View, samples []LoadSample) {
	settings := v.Settings()
	in := ScaleInput{Now: l.Clock.Now(), Settings: settings.Autoscale, Samples: samples}
	if last := lastScaling(v); last != nil {
		in.LastChange = max(last.At, last.EndedAt)
	}
	d := DecideScale(in)
	now := samples[len(samples)-1]
	e := fsm.ScaleEvent{
		Kind: fsm.ScaleUp, At: in.Now, Nodes: now.Nodes, Load: d.Load,
		Running: now.Running, Waiting: now.Waiting, Capacity: now.Capacity, Reason: d.Reason,
	}
	switch {
	case d.Delta > 0:
		e.Steps = l.additions(v, &settings.Autoscale, d.Delta)
	case d.Delta < 0:
		e.Kind, e.Steps = fsm.ScaleDown, l.removals(v, &settings.Autoscale, -d.Delta)
	}
	if len(e.Steps) == 0 {
		return // nothing to do, or nothing that can be done
	}
	e.Want = e.Nodes + len(e.Steps)
	if e.Kind == fsm.ScaleDown {
		e.Want = e.Nodes - len(e.Steps)
	}
	l.Logger.Info("changing the size of the cluster", "kind", e.Kind, "nodes", e.Nodes, "want", e.Want, "reason", e.Reason)
	if _, _, err := l.Proposer.Propose(ctx, fsm.OpStartScaling, fsm.StartScaling{Event: e, Settings: settings.ModifyIndex}); err != nil && ctx.Err() == nil {
		l.Logger.Warn("the decision was not recorded; deciding again", "error", err)
	}
}

// additions are the steps of growing by n. Of nodes on standby there may be fewer.
func (l *Leader) additions(v *fsm.View, s *fsm.Autoscale, n int) []fsm.ScaleStep {
	if s.Provider != fsm.ProviderStandby {
		return make([]fsm.ScaleStep, n)
	}
	var steps []fsm.ScaleStep
	for node := range v.Nodes() {
		if node.Status == fsm.NodeStandby && l.Health(node.ID) == HealthOK && len(steps) < n {
			steps = append(steps, fsm.ScaleStep{Node: node.ID, Name: node.Name})
		}
	}
	return steps
}

// removals are the steps of shrinking by n, as far as that is safe.
func (l *Leader) removals(v *fsm.View, s *fsm.Autoscale, n int) []fsm.ScaleStep {
	voters := map[string]bool{}
	if l.Voters != nil {
		voters = l.Voters()
	}
	live := 0
	for id := range voters {
		if l.Health(id) == HealthOK {
			live++
		}
	}
	var nodes []Removable
	for _, node := range l.inUse(v) {
		r := Removable{Node: node, Voter: voters[node.ID]}
		for h := range v.HeldBy(node.ID) {
			r.Held += h.Weight
		}
		nodes = append(nodes, r)
	}
	var steps []fsm.ScaleStep
	for _, node := range PickRemovals(nodes, n, l.Self, live, len(voters), s.Provider == fsm.ProviderStandby) {
		steps = append(steps, fsm.ScaleStep{Node: node.ID, Name: node.Name})
	}
	return steps
}

// Plan is what the autoscaler would do now, by one look: for people who try
// settings out. Names are of the nodes that would be used or given up.
func (l *Leader) Plan(s fsm.Autoscale) (d ScaleDecision, sample LoadSample, names []string) {
	v := l.Store.Read()
	now := l.Clock.Now()
	sample = l.sample(v, now)
	early := sample
	early.At = now.Add(-s.WithDefaults().Window)
	d = DecideScale(ScaleInput{Now: now, Settings: s, Samples: []LoadSample{early, sample}})
	var steps []fsm.ScaleStep
	switch {
	case d.Delta > 0:
		steps = l.additions(v, &s, d.Delta)
	case d.Delta < 0:
		steps = l.removals(v, &s, -d.Delta)
	}
	for i := range steps {
		names = append(names, cmp.Or(steps[i].Name, "a new node"))
	}
	slices.Sort(names)
	return d, sample, names
}

package scheduling

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

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

const (
	// scaleEvery is how many heartbeats lie between two looks.
	scaleEvery = 4
	// maxScaleTries is how often a provider is asked for one step; maxScaleCalls
	// how many of its calls are made at a time.
	maxScaleTries = 10
	maxScaleCalls = 4
	// scaler is who sets the status of nodes.
	scaler = "autoscale"
)

// leaveWithin is how long a node that was given up may still be heard of.
const leaveWithin = fsm.Duration(10 * time.Minute)

var (
	errNoStandby = errors.New("the node is not on standby any more")
	errTakenBack = errors.New("its status was changed by somebody else")
	errStillHere = errors.New("the provider has not stopped it")
)

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
			l.carryOut(ctx, v, e)
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

// carryOut takes each step that is not done one further. All of it is in the log,
// so that another leader goes on with the same requests.
func (l *Leader) carryOut(ctx context.Context, v *fsm.View, e *fsm.ScaleEvent) {
	var g errgroup.Group
	g.SetLimit(maxScaleCalls)
	for i := range e.Steps {
		if e.Steps[i].Ended() {
			continue
		}
		g.Go(func() error {
			l.advance(ctx, v, e, i)
			return nil
		})
	}
	_ = g.Wait() // what a step came to is in the log
}

// advance takes one step further, and records what came of it.
func (l *Leader) advance(ctx context.Context, v *fsm.View, e *fsm.ScaleEvent, i int) {
	from := e.Steps[i]
	next, err := l.takeStep(ctx, v, e, &from)
	if next == from.State && err == nil {
		return
	}
	to := from
	to.State = next
	if ctx.Err() != nil {
		return // another leader repeats it
	}
	if err != nil {
		to = from
		to.Tries++
		to.Error = err.Error()
		l.Logger.Warn("a step of changing the size of the cluster failed", "request", from.Request, "node", from.Name, "tries", to.Tries, "error", err)
		if to.Tries >= maxScaleTries || errors.Is(err, errTakenBack) || errors.Is(err, errNoStandby) || errors.Is(err, errStillHere) {
			to.State = fsm.ScaleFailed
			l.giveBack(ctx, v, e, &from)
		}
	}
	_, _, err = l.Proposer.Propose(ctx, fsm.OpAdvanceScaling, fsm.AdvanceScaling{
		At: l.Clock.Now(), Index: e.Index, Step: i, From: from.State, Tries: from.Tries, To: to,
	})
	if err != nil && ctx.Err() == nil {
		l.Logger.Warn("a step was not recorded; it is taken again", "request", from.Request, "error", err)
	}
}

// takeStep does what comes next, and returns the state that it leads to.
func (l *Leader) takeStep(ctx context.Context, v *fsm.View, e *fsm.ScaleEvent, step *fsm.ScaleStep) (next string, err error) {
	if e.Kind == fsm.ScaleUp {
		return fsm.ScaleDone, l.addNode(ctx, v, step)
	}
	n := v.Node(step.Node)
	if n == nil || n.Status == fsm.NodeLeft || (n.Status == fsm.NodeStandby && n.StatusSetBy == scaler) {
		return fsm.ScaleDone, nil // it has gone by itself, or an earlier leader was as far
	}
	if step.State != fsm.ScalePending && (n.Status != fsm.NodeDraining || n.StatusSetBy != scaler) {
		return "", errTakenBack
	}
	switch step.State {
	case fsm.ScalePending:
		return fsm.ScaleDraining, l.drainNode(ctx, v, step)
	case fsm.ScaleDraining:
		if !drained(v, step.Node) {
			return step.State, nil
		}
		return fsm.ScaleRemoving, nil
	case fsm.ScaleRemoving:
		return l.removeNode(ctx, v, n, step)
	}
	// It is left only once it is silent: its heartbeat would bring it back.
	switch {
	case l.Health(n.ID) == HealthDown:
		return fsm.ScaleDone, l.setStatus(ctx, n.ID, fsm.NodeLeft)
	case l.Clock.Now() > step.Since.Add(leaveWithin):
		return "", errStillHere
	}
	return step.State, nil
}

func (l *Leader) addNode(ctx context.Context, v *fsm.View, step *fsm.ScaleStep) error {
	s := v.Settings().Autoscale.WithDefaults()
	if s.Provider == fsm.ProviderStandby {
		n := v.Node(step.Node)
		switch {
		case n != nil && n.Status == fsm.NodeReady && n.StatusSetBy == scaler:
			return nil // an earlier leader was as far
		case n == nil || n.Status != fsm.NodeStandby:
			return fmt.Errorf("%w: %s", errNoStandby, step.Name)
		}
		return l.setStatus(ctx, n.ID, fsm.NodeReady)
	}
	return l.ask(ctx, &s, func(ctx context.Context, p NodeProvider) error { return p.Add(ctx, step.Request) })
}

// ask makes one call of the provider, within its time.
func (l *Leader) ask(ctx context.Context, s *fsm.Autoscale, call func(context.Context, NodeProvider) error) error {
	if l.Provider == nil {
		return fmt.Errorf("%w: this node has no provider of nodes", fsm.ErrInvalid)
	}
	p, err := l.Provider(s)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Duration(s.Timeout))
	defer cancel()
	return call(ctx, p)
}

// drainNode has a node start nothing more, and end what still runs after a while.
func (l *Leader) drainNode(ctx context.Context, v *fsm.View, step *fsm.ScaleStep) error {
	s := v.Settings().Autoscale.WithDefaults()
	now := l.Clock.Now()
	_, _, err := l.Proposer.Propose(ctx, fsm.OpDrainNode, fsm.DrainNode{
		At: now, ID: step.Node, Status: fsm.NodeDraining, By: scaler, EvictAt: now.Add(s.DrainFor),
	})
	return err
}

// drained says whether nothing is bound to a node any more.
func drained(v *fsm.View, node string) bool {
	for range v.HeldBy(node) {
		return false
	}
	return true
}

// removeNode gives up a node that is empty and drains.
func (l *Leader) removeNode(ctx context.Context, v *fsm.View, n *fsm.Node, step *fsm.ScaleStep) (next string, err error) {
	s := v.Settings().Autoscale.WithDefaults()
	if s.Provider == fsm.ProviderStandby {
		return fsm.ScaleDone, l.setStatus(ctx, n.ID, fsm.NodeStandby)
	}
	return fsm.ScaleLeaving, l.ask(ctx, &s, func(ctx context.Context, p NodeProvider) error { return p.Remove(ctx, step.Request, n) })
}

// giveBack uses a node again that could not be given up.
func (l *Leader) giveBack(ctx context.Context, v *fsm.View, e *fsm.ScaleEvent, step *fsm.ScaleStep) {
	n := v.Node(step.Node)
	if e.Kind != fsm.ScaleDown || n == nil || n.Status != fsm.NodeDraining || n.StatusSetBy != scaler {
		return
	}
	if err := l.setStatus(ctx, n.ID, fsm.NodeReady); err != nil && ctx.Err() == nil {
		l.Logger.Warn("a node that could not be given up still drains", "node", n.Name, "error", err)
	}
}

func (l *Leader) setStatus(ctx context.Context, node string, status fsm.NodeStatus) error {
	_, _, err := l.Proposer.Propose(ctx, fsm.OpSetNodeStatus, fsm.SetNodeStatus{At: l.Clock.Now(), ID: node, Status: status, By: scaler})
	return err
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

package scheduling

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/rota-scheduler/rota/fsm"
)

const (
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

// carryOut takes each step that is not done one further. All of it is in the log,
// so that another leader goes on with the same requests.
func (l *Leader) carryOut(ctx context.Context, e *fsm.ScaleEvent) {
	var g errgroup.Group
	g.SetLimit(maxScaleCalls)
	for i := range e.Steps {
		if e.Steps[i].Ended() {
			continue
		}
		g.Go(func() error {
			l.advance(ctx, l.Store.Read(), e, i) // a view is for one goroutine
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

package fsm

import (
	"fmt"
	"iter"
	"net/url"
	"slices"
)

// Autoscale says when the cluster grows and shrinks, and how a node is had or
// given up. It is off while Provider is empty.
type Autoscale struct {
	// Provider is one of the providers below.
	Provider string `codec:"p,omitempty" json:"provider,omitempty"`
	// Min and Max bound the number of nodes in use.
	Min int `codec:"mi,omitempty" json:"min"`
	Max int `codec:"ma,omitempty" json:"max"`
	// UpAt and DownAt are loads: the weight that runs or waits, as a share of the
	// capacity. Zero fields mean the defaults, here and below.
	UpAt   float64 `codec:"ua,omitempty" json:"scale_up_at,omitempty"`
	DownAt float64 `codec:"da,omitempty" json:"scale_down_at,omitempty"`
	// Step is the share of the nodes that is added or removed at a time.
	Step float64 `codec:"st,omitempty" json:"step,omitempty"`
	// Window is the span over which the load is averaged.
	Window Duration `codec:"w,omitempty" json:"window,omitempty"`
	// UpCooldown and DownCooldown are the least time from the last change, of
	// either kind, to the next of theirs.
	UpCooldown   Duration `codec:"uc,omitempty" json:"up_cooldown,omitempty"`
	DownCooldown Duration `codec:"dc,omitempty" json:"down_cooldown,omitempty"`
	// DrainFor is how long work may run on on a node that is given up.
	DrainFor Duration `codec:"df,omitempty" json:"drain_for,omitempty"`
	// Command of the exec provider: a program and its arguments.
	Command []string `codec:"c,omitempty" json:"command,omitempty"`
	// URL of the webhook provider.
	URL string `codec:"u,omitempty" json:"url,omitempty"`
	// Timeout bounds one call of a provider.
	Timeout Duration `codec:"to,omitempty" json:"timeout,omitempty"`
}

// Providers of nodes.
const (
	// ProviderStandby uses nodes of the cluster whose status is standby.
	ProviderStandby = "standby"
	// ProviderExec runs a command on the leader.
	ProviderExec = "exec"
	// ProviderWebhook posts to a URL.
	ProviderWebhook = "webhook"
)

// Bounds of the autoscaler's settings.
const (
	MaxNodes          = 1000
	maxProviderArgs   = 64
	maxProviderBytes  = 4 << 10
	maxScaleWindow    = Duration(24 * 3600 * 1e9)
	maxProviderCall   = Duration(3600e9)
	minProviderCall   = Duration(1e9)
	minScaleWindow    = Duration(5e9)
	maxScaleErrorText = 512
)

// On says whether the cluster scales itself.
func (a *Autoscale) On() bool { return a.Provider != "" }

// WithDefaults fills in what is not set.
func (a Autoscale) WithDefaults() Autoscale {
	setDefault(&a.UpAt, 0.8)
	setDefault(&a.DownAt, 0.3)
	setDefault(&a.Step, 0.25)
	setDefault(&a.Window, Duration(120e9))
	setDefault(&a.UpCooldown, Duration(180e9))
	setDefault(&a.DownCooldown, Duration(600e9))
	setDefault(&a.DrainFor, Duration(600e9))
	setDefault(&a.Timeout, Duration(60e9))
	return a
}

func setDefault[T float64 | Duration](field *T, value T) {
	if *field == 0 {
		*field = value
	}
}

func (a *Autoscale) validate() error {
	if !a.On() {
		return nil
	}
	d := a.WithDefaults()
	for _, rule := range []struct {
		ok   bool
		text string
	}{
		{slices.Contains([]string{ProviderStandby, ProviderExec, ProviderWebhook}, a.Provider), fmt.Sprintf("provider %.40q: want standby, exec or webhook", a.Provider)},
		{a.Min >= 1 && a.Min <= a.Max && a.Max <= MaxNodes, fmt.Sprintf("min %d, max %d: want 1 <= min <= max <= %d", a.Min, a.Max, MaxNodes)},
		{d.DownAt > 0 && d.DownAt < d.UpAt && d.UpAt <= 10, fmt.Sprintf("scale_down_at %g, scale_up_at %g: want 0 < scale_down_at < scale_up_at <= 10", d.DownAt, d.UpAt)},
		{d.Step > 0 && d.Step <= 1, fmt.Sprintf("step %g: want more than 0, at most 1", d.Step)},
		{d.Window >= minScaleWindow && d.Window <= maxScaleWindow, fmt.Sprintf("window %s: want %s to %s", d.Window, minScaleWindow, maxScaleWindow)},
		{d.UpCooldown > 0 && d.UpCooldown <= maxScaleWindow, fmt.Sprintf("up_cooldown %s: want more than 0, at most %s", d.UpCooldown, maxScaleWindow)},
		{d.DownCooldown > 0 && d.DownCooldown <= maxScaleWindow, fmt.Sprintf("down_cooldown %s: want more than 0, at most %s", d.DownCooldown, maxScaleWindow)},
		{d.DrainFor > 0 && d.DrainFor <= maxScaleWindow, fmt.Sprintf("drain_for %s: want more than 0, at most %s", d.DrainFor, maxScaleWindow)},
		{d.Timeout >= minProviderCall && d.Timeout <= maxProviderCall, fmt.Sprintf("timeout %s: want %s to %s", d.Timeout, minProviderCall, maxProviderCall)},
		{(a.Provider == ProviderExec) == (len(a.Command) > 0), "command: want a program for the provider exec, and none for others"},
		{len(a.Command) <= maxProviderArgs && sizeOf(a.Command) <= maxProviderBytes, fmt.Sprintf("command: at most %d words of %d bytes together", maxProviderArgs, maxProviderBytes)},
		{(a.Provider == ProviderWebhook) == (a.URL != ""), "url: want one for the provider webhook, and none for others"},
		{a.URL == "" || webURL(a.URL), fmt.Sprintf("url %.80q: want http or https, a host, and at most %d bytes", a.URL, maxProviderBytes)},
	} {
		if !rule.ok {
			return fmt.Errorf("%w: autoscale: %s", ErrInvalid, rule.text)
		}
	}
	return nil
}

func webURL(text string) bool {
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && len(text) <= maxProviderBytes
}

// Kinds of a change of size.
const (
	ScaleUp   = "up"
	ScaleDown = "down"
)

// States of a step: pending -> (draining -> removing -> leaving) -> done or failed.
const (
	ScalePending  = "pending"
	ScaleDraining = "draining"
	ScaleRemoving = "removing"
	ScaleLeaving  = "leaving"
	ScaleDone     = "done"
	ScaleFailed   = "failed"
)

// ScaleEvent is one decision of the autoscaler, with the figures that made it, and
// how far it has been carried out.
type ScaleEvent struct {
	// Index is the log index that made it, which is its name.
	Index uint64 `codec:"i" json:"index"`
	Kind  string `codec:"k" json:"kind"`
	At    Time   `codec:"at" json:"at"`
	// Nodes were in use, Want are meant to be.
	Nodes int `codec:"n" json:"nodes"`
	Want  int `codec:"w" json:"want"`
	// Load is the average over the window; Running, Waiting and Capacity are the
	// weights at the moment of the decision.
	Load     float64     `codec:"l" json:"load"`
	Running  int         `codec:"r" json:"running"`
	Waiting  int         `codec:"wa" json:"waiting"`
	Capacity int         `codec:"c" json:"capacity"`
	Reason   string      `codec:"y" json:"reason"`
	Steps    []ScaleStep `codec:"s" json:"steps"`
	EndedAt  Time        `codec:"e,omitempty" json:"ended_at,omitempty"`
}

// ScaleStep is one node of an event.
type ScaleStep struct {
	// Request names the step to the provider; a repeat has the same.
	Request string `codec:"r" json:"request"`
	// Node is the node's ID, Name its name; empty for one that is not there yet.
	Node  string `codec:"n,omitempty" json:"node,omitempty"`
	Name  string `codec:"na,omitempty" json:"name,omitempty"`
	State string `codec:"s" json:"state"`
	// Since is when it came into its state.
	Since Time `codec:"si,omitempty" json:"since,omitempty"`
	// Tries counts the calls of the provider that failed; Error is of the last.
	Tries int    `codec:"t,omitempty" json:"tries,omitempty"`
	Error string `codec:"e,omitempty" json:"error,omitempty"`
}

// Ended says whether nothing is left to do for the step.
func (s *ScaleStep) Ended() bool { return s.State == ScaleDone || s.State == ScaleFailed }

// Ended says whether the event has been carried out, as far as it could.
func (e *ScaleEvent) Ended() bool { return e.EndedAt != 0 }

// StartScaling records a decision. One is carried out at a time.
type StartScaling struct {
	Event ScaleEvent `codec:"e"`
	// Settings is the ModifyIndex of the settings that it was made by.
	Settings uint64 `codec:"s"`
}

// AdvanceScaling records what a step has come to. It is refused if the step has
// moved on since.
type AdvanceScaling struct {
	At    Time      `codec:"at"`
	Index uint64    `codec:"i"`
	Step  int       `codec:"n"`
	From  string    `codec:"f"`
	Tries int       `codec:"t"`
	To    ScaleStep `codec:"to"`
}

// maxScaleEvents is how many are kept.
const maxScaleEvents = 100

func applyStartScaling(c *change, cmd *StartScaling) (any, error) {
	e := cmd.Event
	switch {
	case cmd.Settings != c.settings().ModifyIndex:
		return nil, fmt.Errorf("%w: the settings were changed since the decision", ErrStale)
	case e.Kind != ScaleUp && e.Kind != ScaleDown, len(e.Steps) == 0, len(e.Steps) > MaxNodes:
		return nil, fmt.Errorf("%w: a change of size of kind %q with %d steps", ErrInvalid, e.Kind, len(e.Steps))
	}
	events := slices.Collect(c.scaleEvents())
	for _, other := range events {
		if !other.Ended() {
			return nil, fmt.Errorf("%w: the change of size %d is under way", ErrConflict, other.Index)
		}
	}
	e.Index, e.EndedAt, e.Reason = c.index, 0, clip(e.Reason, maxScaleErrorText)
	e.Steps = slices.Clone(e.Steps)
	for i := range e.Steps {
		s := &e.Steps[i]
		*s = ScaleStep{Request: fmt.Sprintf("scale-%d-%d", c.index, i), Node: s.Node, Name: s.Name, State: ScalePending, Since: e.At}
	}
	c.put(tableScaling, &e)
	for _, old := range events[:max(0, len(events)+1-maxScaleEvents)] {
		c.remove(tableScaling, old)
	}
	return &e, nil
}

func applyAdvanceScaling(c *change, cmd *AdvanceScaling) (any, error) {
	old := get[ScaleEvent](&c.View, tableScaling, number(cmd.Index))
	if old == nil || cmd.Step < 0 || cmd.Step >= len(old.Steps) {
		return nil, fmt.Errorf("change of size %d, step %d: %w", cmd.Index, cmd.Step, ErrNotFound)
	}
	now := old.Steps[cmd.Step]
	if now.State != cmd.From || now.Tries != cmd.Tries || now.Ended() {
		return nil, fmt.Errorf("%w: the step is %s after %d tries", ErrStale, now.State, now.Tries)
	}
	switch cmd.To.State {
	case ScalePending, ScaleDraining, ScaleRemoving, ScaleLeaving, ScaleDone, ScaleFailed:
	default:
		return nil, fmt.Errorf("%w: state %q of a step", ErrInvalid, cmd.To.State)
	}
	e := *old
	e.Steps = slices.Clone(old.Steps)
	next := cmd.To
	next.Request, next.Error = now.Request, clip(next.Error, maxScaleErrorText)
	if next.Since = now.Since; next.State != now.State {
		next.Since = cmd.At
	}
	e.Steps[cmd.Step] = next
	if !slices.ContainsFunc(e.Steps, func(s ScaleStep) bool { return !s.Ended() }) {
		e.EndedAt = cmd.At
	}
	c.put(tableScaling, &e)
	return nil, nil
}

func (v *View) scaleEvents() iter.Seq[*ScaleEvent] {
	return scan[ScaleEvent](v, tableScaling, indexID, nil)
}

// ScaleEvents yields the kept decisions of the autoscaler, oldest first.
func (v *View) ScaleEvents() iter.Seq[*ScaleEvent] { return v.scaleEvents() }

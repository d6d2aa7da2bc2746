package cli

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rota-scheduler/rota/cmd/rota/cli/render"
	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/transport/api"
)

func (a *app) autoscaleCommand() *cobra.Command {
	var dryRun bool
	cmd := &cobra.Command{
		Use:   "autoscale",
		Short: "Show how the cluster scales itself, and what it has decided",
		Args:  cobra.NoArgs,
		RunE: a.withClient(func(cmd *cobra.Command, client *api.Client, _ []string) error {
			if dryRun {
				return a.planScale(cmd, client, nil)
			}
			s, err := client.Autoscale(cmd.Context())
			if err != nil {
				return err
			}
			return a.show(cmd, s, func(w io.Writer, screen render.Screen) error { return a.writeScaling(w, &s, screen) })
		}),
	}
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "show what would be done by the load of now")
	cmd.AddCommand(a.autoscaleSetCommand(), &cobra.Command{
		Use:   "off",
		Short: "Leave the size of the cluster as it is",
		Args:  cobra.NoArgs,
		RunE: a.withClient(func(cmd *cobra.Command, client *api.Client, _ []string) error {
			return a.changeSettings(cmd, client, func(s *fsm.ClusterSettings) { s.Autoscale = fsm.Autoscale{} })
		}),
	})
	return cmd
}

func (a *app) autoscaleSetCommand() *cobra.Command {
	var given fsm.Autoscale
	var dryRun bool
	cmd := &cobra.Command{
		Use:   "set [-- COMMAND [ARG…]]",
		Short: "Have the cluster scale itself; what is not given stays as it is",
		Args:  cobra.ArbitraryArgs,
	}
	f := cmd.Flags()
	f.StringVar(&given.Provider, "provider", "", "standby, exec or webhook")
	f.IntVar(&given.Min, "min", 0, "fewest nodes in use")
	f.IntVar(&given.Max, "max", 0, "most nodes in use")
	f.Float64Var(&given.UpAt, "scale-up-at", 0, "load from which on nodes are added (0.8)")
	f.Float64Var(&given.DownAt, "scale-down-at", 0, "load below which nodes are given up (0.3)")
	f.Float64Var(&given.Step, "step", 0, "share of the nodes that is added or given up at a time (0.25)")
	for name, field := range map[string]struct {
		to    *fsm.Duration
		usage string
	}{
		"window":        {&given.Window, "span that the load is averaged over (2m)"},
		"up-cooldown":   {&given.UpCooldown, "least time between a change and adding nodes (3m)"},
		"down-cooldown": {&given.DownCooldown, "least time between a change and giving nodes up (10m)"},
		"drain-for":     {&given.DrainFor, "how long work may run on on a node that is given up (10m)"},
		"timeout":       {&given.Timeout, "bound of one call of the provider (1m)"},
	} {
		f.DurationVar((*time.Duration)(field.to), name, 0, field.usage)
	}
	f.StringVar(&given.URL, "url", "", "where the webhook provider posts to")
	f.BoolVar(&dryRun, "dry-run", false, "show what these settings would do by the load of now, and change nothing")
	cmd.RunE = a.withClient(func(cmd *cobra.Command, client *api.Client, args []string) error {
		change := func(s *fsm.Autoscale) { mergeScaling(cmd, s, &given, args) }
		if dryRun {
			return a.planScale(cmd, client, change)
		}
		return a.changeSettings(cmd, client, func(s *fsm.ClusterSettings) { change(&s.Autoscale) })
	})
	return cmd
}

// mergeScaling changes what was given.
func mergeScaling(cmd *cobra.Command, s, given *fsm.Autoscale, command []string) {
	if has := cmd.Flags().Changed; has("provider") && given.Provider != s.Provider {
		s.Provider, s.Command, s.URL = given.Provider, nil, ""
	}
	take := func(name string, copy func()) {
		if cmd.Flags().Changed(name) {
			copy()
		}
	}
	take("min", func() { s.Min = given.Min })
	take("max", func() { s.Max = given.Max })
	take("scale-up-at", func() { s.UpAt = given.UpAt })
	take("scale-down-at", func() { s.DownAt = given.DownAt })
	take("step", func() { s.Step = given.Step })
	take("window", func() { s.Window = given.Window })
	take("up-cooldown", func() { s.UpCooldown = given.UpCooldown })
	take("down-cooldown", func() { s.DownCooldown = given.DownCooldown })
	take("drain-for", func() { s.DrainFor = given.DrainFor })
	take("timeout", func() { s.Timeout = given.Timeout })
	take("url", func() { s.URL = given.URL })
	if len(command) > 0 {
		s.Command = command
	}
}

// planScale shows what settings would do; change may be nil.
func (a *app) planScale(cmd *cobra.Command, client *api.Client, change func(*fsm.Autoscale)) error {
	var settings *fsm.Autoscale
	if change != nil {
		s, err := client.Settings(cmd.Context(), api.Read{Consistent: true})
		if err != nil {
			return err
		}
		settings = &s.Autoscale
		change(settings)
	}
	p, err := client.PlanAutoscale(cmd.Context(), settings)
	if err != nil {
		return err
	}
	return a.say(cmd, p, "%s\n%d nodes are in use: %d of %d run, %d waits.\n%s", planned(&p), p.Nodes, p.Running, p.Capacity, p.Waiting, sentence(p.Reason))
}

func planned(p *api.ScalePlan) string {
	names := strings.Join(p.Names, ", ")
	switch {
	case p.Delta > 0:
		return fmt.Sprintf("Would add %d: %s.", p.Delta, names)
	case p.Delta < 0:
		return fmt.Sprintf("Would give up %d: %s.", -p.Delta, names)
	}
	return "Would change nothing."
}

func (a *app) writeScaling(w io.Writer, s *api.Autoscale, screen render.Screen) error {
	if _, err := fmt.Fprintln(w, describeScaling(&s.Settings)); err != nil || len(s.Events) == 0 {
		return err
	}
	if _, err := fmt.Fprintln(w); err != nil {
		return err
	}
	t := &render.Table{Columns: []render.Column{
		{Title: "AGO", Right: true}, {Title: "NODES"}, {Title: "LOAD", Right: true}, {Title: "RUN+WAIT/CAPACITY"},
		{Title: "STEPS", Flexible: true}, {Title: "REASON", Flexible: true},
	}}
	for i := range s.Events {
		e := &s.Events[i]
		t.Add(
			render.Text(render.Span(a.now().Sub(e.At.Time()).Truncate(time.Second))), render.Text(fmt.Sprintf("%d to %d", e.Nodes, e.Want)),
			render.Text(fmt.Sprintf("%.2f", e.Load)), render.Text(fmt.Sprintf("%d+%d/%d", e.Running, e.Waiting, e.Capacity)),
			render.Text(describeSteps(e)), render.Text(e.Reason),
		)
	}
	return t.Write(w, screen)
}

func describeScaling(s *fsm.Autoscale) string {
	if !s.On() {
		return "The cluster does not scale itself."
	}
	by := s.Provider
	switch {
	case len(s.Command) > 0:
		by += " " + strings.Join(s.Command, " ")
	case s.URL != "":
		by += " " + s.URL
	}
	return render.Clean(fmt.Sprintf("%d to %d nodes by %s: more from a load of %g on, fewer below %g, over %s, %g of the nodes at a time.",
		s.Min, s.Max, by, s.UpAt, s.DownAt, render.Span(time.Duration(s.Window)), s.Step))
}

// describeSteps says how far a change has come.
func describeSteps(e *fsm.ScaleEvent) string {
	var parts []string
	for i := range e.Steps {
		s := &e.Steps[i]
		text := strings.TrimSpace(s.Name + " " + s.State)
		if s.Error != "" {
			text += ": " + s.Error
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, "; ")
}

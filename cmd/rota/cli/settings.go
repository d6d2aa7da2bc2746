package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rota-scheduler/rota/cmd/rota/cli/render"
	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/transport/api"
)

func (a *app) settingsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "settings",
		Short: "Show what is set for the whole cluster",
		Args:  cobra.NoArgs,
		RunE: a.withClient(func(cmd *cobra.Command, client *api.Client, _ []string) error {
			s, err := client.Settings(cmd.Context(), api.Read{})
			if err != nil {
				return err
			}
			return a.showTable(cmd, s, func() *render.Table { return settingsTable(&s) })
		}),
	}
	cmd.AddCommand(
		&cobra.Command{
			Use:   "latency REGION REGION RTT",
			Short: "Declare the round trip between two regions, such as 120ms; none goes by what is measured",
			Args:  cobra.ExactArgs(3),
			RunE: a.withClient(func(cmd *cobra.Command, client *api.Client, args []string) error {
				rtt, err := spanOr(args[2], "none")
				if err != nil {
					return usage(cmd, err)
				}
				return a.changeSettings(cmd, client, func(s *fsm.ClusterSettings) { declare(s, args[0], args[1], rtt) })
			}),
		},
		&cobra.Command{
			Use:   "remove-dead-after SPAN",
			Short: "Take a server that has been dead for this long out of Raft, such as 1h; default goes back to 10m",
			Args:  cobra.ExactArgs(1),
			RunE: a.withClient(func(cmd *cobra.Command, client *api.Client, args []string) error {
				after, err := spanOr(args[0], "default")
				if err != nil {
					return usage(cmd, err)
				}
				return a.changeSettings(cmd, client, func(s *fsm.ClusterSettings) { s.RemoveDeadAfter = after })
			}),
		},
	)
	return cmd
}

// spanOr reads a span, or 0 for the given word.
func spanOr(text, word string) (fsm.Duration, error) {
	if text == word {
		return 0, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		return 0, fmt.Errorf("%q: want a positive span such as 120ms or 10m, or %q", text, word)
	}
	return fsm.Duration(d), nil
}

// declare sets the round trip of a pair of regions; 0 takes it back.
func declare(s *fsm.ClusterSettings, from, to string, rtt fsm.Duration) {
	pair := [2]string{from, to}
	slices.Sort(pair[:])
	s.RegionLatency = slices.DeleteFunc(s.RegionLatency, func(l fsm.RegionLatency) bool { return l.Regions == pair })
	if rtt > 0 {
		s.RegionLatency = append(s.RegionLatency, fsm.RegionLatency{Regions: pair, RTT: rtt})
	}
}

// changeSettings changes what the leader has, unless somebody else does meanwhile.
func (a *app) changeSettings(cmd *cobra.Command, client *api.Client, change func(*fsm.ClusterSettings)) error {
	s, err := putChanged(cmd.Context(), client, change)
	if err != nil {
		return err
	}
	return a.showTable(cmd, s, func() *render.Table { return settingsTable(&s) })
}

func putChanged(ctx context.Context, client *api.Client, change func(*fsm.ClusterSettings)) (fsm.Settings, error) {
	s, err := client.Settings(ctx, api.Read{Consistent: true})
	if err != nil {
		return s, err
	}
	change(&s.ClusterSettings)
	return client.PutSettings(ctx, api.PutSettings{ClusterSettings: s.ClusterSettings, By: whoami(), IfIndex: s.ModifyIndex})
}

func settingsTable(s *fsm.Settings) *render.Table {
	t := &render.Table{Columns: []render.Column{{Title: "SETTING"}, {Title: "VALUE", Flexible: true}}}
	add := func(name, value string) { t.Add(render.Text(name), render.Text(value)) }
	for _, l := range s.RegionLatency {
		add("latency "+strings.Join(l.Regions[:], " "), render.Span(time.Duration(l.RTT)))
	}
	add("remove-dead-after", render.Span(time.Duration(s.DeadFor())))
	if s.Autoscale.On() {
		add("autoscale", fmt.Sprintf("%s, %d to %d nodes; see rota autoscale", s.Autoscale.Provider, s.Autoscale.Min, s.Autoscale.Max))
	} else {
		add("autoscale", "off")
	}
	add("log format", fmt.Sprint(s.Format))
	if s.SetBy != "" {
		add("set", fmt.Sprintf("by %s at %s", s.SetBy, s.SetAt.Time().Format(time.RFC3339)))
	}
	return t
}

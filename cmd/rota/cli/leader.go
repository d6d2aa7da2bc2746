package cli

import (
	"github.com/spf13/cobra"

	"github.com/rota-scheduler/rota/cmd/rota/cli/render"
	"github.com/rota-scheduler/rota/transport/api"
)

func (a *app) leaderCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "leader",
		Short: "Show which node leads",
		Args:  cobra.NoArgs,
		RunE: a.withClient(func(cmd *cobra.Command, client *api.Client, _ []string) error {
			leader, err := client.Leader(cmd.Context())
			if err != nil {
				return err
			}
			return a.showTable(cmd, leader, func() *render.Table {
				t := &render.Table{Columns: []render.Column{{Title: "LEADER"}, {Title: "HTTP"}, {Title: "ID"}}}
				t.Add(render.Text(leader.Name), render.Text(leader.HTTP), render.Text(leader.ID))
				return t
			})
		}),
	}
	cmd.AddCommand(&cobra.Command{
		Use:   "transfer",
		Short: "Make another node lead",
		Args:  cobra.NoArgs,
		RunE: a.withClient(func(cmd *cobra.Command, client *api.Client, _ []string) error {
			leader, err := client.TransferLeader(cmd.Context())
			if err != nil {
				return err
			}
			return a.say(cmd, leader, "Node %s leads now.", leader.Name)
		}),
	})
	return cmd
}

package cli

import (
	"github.com/spf13/cobra"

	"github.com/rota-scheduler/rota/cmd/rota/cli/render"
)

func (a *app) leaderCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "leader",
		Short: "Show which node leads",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			client, err := a.client(cmd)
			if err != nil {
				return err
			}
			defer client.Close()
			leader, err := client.Leader(cmd.Context())
			if err != nil {
				return err
			}
			return a.showTable(cmd, leader, func() *render.Table {
				t := &render.Table{Columns: []render.Column{{Title: "LEADER"}, {Title: "HTTP"}, {Title: "ID"}}}
				t.Add(render.Text(leader.Name), render.Text(leader.HTTP), render.Text(leader.ID))
				return t
			})
		},
	}
	cmd.AddCommand(&cobra.Command{
		Use:   "transfer",
		Short: "Make another node lead",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			client, err := a.client(cmd)
			if err != nil {
				return err
			}
			defer client.Close()
			leader, err := client.TransferLeader(cmd.Context())
			if err != nil {
				return err
			}
			return a.say(cmd, leader, "Node %s leads now.", leader.Name)
		},
	})
	return cmd
}

package cli

import (
	"github.com/spf13/cobra"

	"github.com/rota-scheduler/rota/fsm"
)

func (a *app) nodeCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "node",
		Short: "Say what a node may be used for",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(
		a.nodeStatusCommand("drain", "Start nothing more on a node; what runs there goes on to its end", fsm.NodeDraining),
		a.nodeStatusCommand("maintenance", "Take a node out for work on the machine", fsm.NodeMaintenance),
		a.nodeStatusCommand("standby", "Keep a node as a reserve", fsm.NodeStandby),
		a.nodeStatusCommand("ready", "Use a node again", fsm.NodeReady),
	)
	return cmd
}

func (a *app) nodeStatusCommand(verb, short string, status fsm.NodeStatus) *cobra.Command {
	return &cobra.Command{
		Use:   verb + " NODE",
		Short: short,
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			client, err := a.client(cmd)
			if err != nil {
				return err
			}
			defer client.Close()
			node, err := client.SetNodeStatus(cmd.Context(), args[0], status)
			if err != nil {
				return err
			}
			return a.say(cmd, node, "Node %s is %s.", node.Name, node.Status)
		},
	}
}

package cli

import (
	"github.com/spf13/cobra"

	"github.com/rota-scheduler/rota/transport/api"
)

func (a *app) versionCommand() *cobra.Command {
	var ofAgent bool
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the version of this program, or of an agent",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			v := a.version
			if ofAgent {
				client, err := a.client(cmd)
				if err != nil {
					return err
				}
				defer client.Close()
				if v, err = client.Version(cmd.Context()); err != nil {
					return err
				}
			}
			return a.say(cmd, v, "%s", versionLine(v))
		},
	}
	cmd.Flags().BoolVar(&ofAgent, "agent", false, "ask the agent at --addr")
	return cmd
}

func versionLine(v api.Version) string {
	line := "rota " + v.Version
	if v.Commit != "" {
		line += " (" + v.Commit[:min(12, len(v.Commit))] + ")"
	}
	return line + " " + v.Go
}

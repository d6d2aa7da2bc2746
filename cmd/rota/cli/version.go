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
		RunE: func(cmd *cobra.Command, args []string) error {
			if !ofAgent {
				return a.sayVersion(cmd, a.version)
			}
			return a.withClient(func(cmd *cobra.Command, client *api.Client, _ []string) error {
				v, err := client.Version(cmd.Context())
				if err != nil {
					return err
				}
				return a.sayVersion(cmd, v)
			})(cmd, args)
		},
	}
	cmd.Flags().BoolVar(&ofAgent, "agent", false, "ask the agent at --addr")
	return cmd
}

func (a *app) sayVersion(cmd *cobra.Command, v api.Version) error {
	return a.say(cmd, v, "%s", versionLine(v))
}

func versionLine(v api.Version) string {
	line := "rota " + v.Version
	if v.Commit != "" {
		line += " (" + v.Commit[:min(12, len(v.Commit))] + ")"
	}
	return line + " " + v.Go
}

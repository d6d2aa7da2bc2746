package cli

import (
	"github.com/spf13/cobra"

	"github.com/rota-scheduler/rota/transport/api"
)

func (a *app) cancelCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "cancel RUN",
		Short: "Stop a run",
		Long:  `Asks for the end of a run, by its id or the first six or more characters of it.`,
		Args:  cobra.ExactArgs(1),
		RunE: a.withClient(func(cmd *cobra.Command, client *api.Client, args []string) error {
			run, err := client.CancelRun(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if run.State.Ended() {
				return a.say(cmd, run, "Run %s of %s: %s.", run.ID, run.JobKey(), run.State)
			}
			return a.say(cmd, run, "Run %s of %s is being stopped.", run.ID, run.JobKey())
		}),
	}
}

package cli

import (
	"github.com/spf13/cobra"

	"github.com/rota-scheduler/rota/transport/api"
)

func (a *app) retryCommand() *cobra.Command {
	var o runOptions
	cmd := &cobra.Command{
		Use:   "retry RUN",
		Short: "Take up a run that failed where it failed",
		Long: `Takes up a run that has failed or was cancelled, by its id or the first six or
more characters of it: the shards that did not succeed run again, and every task
that hangs on them. What has succeeded stays as it is.`,
		Args: cobra.ExactArgs(1),
		RunE: a.withClient(func(cmd *cobra.Command, client *api.Client, args []string) error {
			run, err := client.RetryRun(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return a.sayStarted(cmd, client, &run, o, "taken up again")
		}),
	}
	o.watchFlags(cmd)
	return cmd
}

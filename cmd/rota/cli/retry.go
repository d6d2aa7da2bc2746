package cli

import (
	"github.com/spf13/cobra"
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
		RunE: func(cmd *cobra.Command, args []string) error {
			client, err := a.client(cmd)
			if err != nil {
				return err
			}
			defer client.Close()
			run, err := client.RetryRun(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if !o.wait && !o.follow {
				return a.sayRun(cmd, &run, o.quiet, "Run %s of %s has been taken up again.", run.ID, run.JobKey())
			}
			return a.watchRun(cmd, client, &run, o)
		},
	}
	o.watchFlags(cmd)
	return cmd
}

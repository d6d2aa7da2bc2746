package cli

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/transport/api"
)

// deleted is the JSON of a deletion.
type deleted struct {
	Job     fsm.JobKey `json:"job"`
	Deleted bool       `json:"deleted"`
}

func (a *app) deleteCommand() *cobra.Command {
	var wait time.Duration
	cmd := &cobra.Command{
		Use:   "delete JOB",
		Short: "Delete a job and cancel its runs",
		Long: `Deletes a job. The command ends when nothing more of it will start; its runs
are being stopped by then, and the job goes away with the last of them.`,
		Args: cobra.ExactArgs(1),
		RunE: a.withClient(func(cmd *cobra.Command, client *api.Client, args []string) error {
			key := a.key(args[0])
			if err := client.DeleteJob(cmd.Context(), key, wait); err != nil {
				return err
			}
			return a.say(cmd, deleted{key, true}, "Deleted %s: nothing more of it will start.", key)
		}),
	}
	waitFlag(cmd, &wait)
	return cmd
}

package cli

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/rota-scheduler/rota/transport/api"
)

func (a *app) pauseCommand() *cobra.Command {
	var wait time.Duration
	cmd := &cobra.Command{
		Use:   "pause JOB",
		Short: "Start nothing more of a job until it is resumed",
		Long: `Pauses a job. The command ends when nothing more will start. What runs already
goes on. Instants at which a paused job is due are recorded as skipped. So are those
of the next 5.5 seconds, which nodes hold already, even if it is resumed at once.`,
		Args: cobra.ExactArgs(1),
		RunE: a.withClient(func(cmd *cobra.Command, client *api.Client, args []string) error {
			job, err := client.PauseJob(cmd.Context(), a.key(args[0]), wait)
			if err != nil {
				return err
			}
			return a.say(cmd, job, "Paused %s: nothing more of it will start.", job.Key())
		}),
	}
	waitFlag(cmd, &wait)
	return cmd
}

func waitFlag(cmd *cobra.Command, wait *time.Duration) {
	cmd.Flags().DurationVar(wait, "wait", 0, "how long to wait until nothing more will start (default 30s)")
}

func (a *app) resumeCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "resume JOB",
		Short: "Let a paused job start again",
		Args:  cobra.ExactArgs(1),
		RunE: a.withClient(func(cmd *cobra.Command, client *api.Client, args []string) error {
			job, err := client.ResumeJob(cmd.Context(), a.key(args[0]))
			if err != nil {
				return err
			}
			return a.say(cmd, job, "Resumed %s.%s", job.Key(), nextSentence(&job))
		}),
	}
}

func nextSentence(job *api.Job) string {
	if job.Next == 0 {
		return ""
	}
	return " It is due next at " + job.Next.String() + "."
}

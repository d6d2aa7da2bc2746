package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rota-scheduler/rota/cmd/rota/cli/render"
	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/transport/api"
)

// runOptions are the flags of rota run.
type runOptions struct {
	wait, follow, quiet bool
	key                 string
	params              []string
}

func (a *app) runCommand() *cobra.Command {
	var o runOptions
	cmd := &cobra.Command{
		Use:   "run JOB",
		Short: "Start a run of a job now",
		Long: `Starts a run. With --wait the command ends when the run has ended, and fails if
the run did. With --follow it also prints what the run writes.`,
		Args: cobra.ExactArgs(1),
		RunE: a.withClient(func(cmd *cobra.Command, client *api.Client, args []string) error {
			params, err := paramsOf(o.params)
			if err != nil {
				return usage(cmd, err)
			}
			run, err := client.RunJobWith(cmd.Context(), a.key(args[0]), params, o.key)
			if err != nil {
				return err
			}
			return a.sayStarted(cmd, client, &run, o, "started")
		}),
	}
	flags := cmd.Flags()
	flags.StringArrayVar(&o.params, "param", nil, "a value for one of the job's params, as name=value; may be repeated")
	flags.StringVar(&o.key, "idempotency-key", "", "makes a repeat safe: the same key returns the same run")
	o.watchFlags(cmd)
	return cmd
}

// paramsOf takes name=value pairs apart.
func paramsOf(pairs []string) (map[string]string, error) {
	params := make(map[string]string, len(pairs))
	for _, pair := range pairs {
		name, value, ok := strings.Cut(pair, "=")
		if !ok || name == "" {
			return nil, fmt.Errorf("--param %q: want name=value", pair)
		}
		if _, twice := params[name]; twice {
			return nil, fmt.Errorf("--param %s is given twice", name)
		}
		params[name] = value
	}
	return params, nil
}

// watchFlags are the flags of every command that starts something.
func (o *runOptions) watchFlags(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.BoolVar(&o.wait, "wait", false, "wait for the end of the run; exit with 1 if it failed")
	flags.BoolVar(&o.follow, "follow", false, "print what the run writes, and wait for its end")
	flags.BoolVarP(&o.quiet, "quiet", "q", false, "print the run's id alone, or with --follow only what it writes")
}

func (a *app) sayRun(cmd *cobra.Command, run *api.Run, quiet bool, format string, args ...any) error {
	if quiet && a.output != outputJSON {
		format, args = "%s", []any{run.ID}
	}
	return a.say(cmd, run, format, args...)
}

// sayStarted says what was done with a run, or waits for its end.
func (a *app) sayStarted(cmd *cobra.Command, client *api.Client, run *api.Run, o runOptions, done string) error {
	if o.wait || o.follow {
		return a.watchRun(cmd, client, run, o)
	}
	return a.sayRun(cmd, run, o.quiet, "Run %s of %s has been %s.", run.ID, run.JobKey(), done)
}

// watchRun waits for the end of a run that was just started. With --follow the
// run's output has stdout for itself.
func (a *app) watchRun(cmd *cobra.Command, client *api.Client, started *api.Run, o runOptions) error {
	notes := cmd.ErrOrStderr()
	if !o.quiet {
		fmt.Fprintf(notes, "Run %s of %s has been started.\n", started.ID, started.JobKey())
	}
	run, err := a.untilEnd(cmd, client, started.ID, o.follow)
	if err != nil {
		if errors.Is(err, context.Canceled) {
			fmt.Fprintf(notes, "The run goes on; \"rota cancel %s\" stops it.\n", started.ID)
		}
		return err
	}
	if o.follow {
		if !o.quiet {
			fmt.Fprintln(notes, endSentence(&run.Run))
		}
	} else if err := a.sayRun(cmd, &run, o.quiet, "%s", endSentence(&run.Run)); err != nil {
		return err
	}
	if run.State != fsm.RunSucceeded {
		return fmt.Errorf("%w: \"rota status %s\" says why", errRunFailed, run.ID)
	}
	return nil
}

func (a *app) untilEnd(cmd *cobra.Command, client *api.Client, id string, follow bool) (api.Run, error) {
	if !follow {
		return waitRun(cmd.Context(), client, id)
	}
	f := &follower{client: client, out: cmd.OutOrStdout(), notes: cmd.ErrOrStderr()}
	return f.follow(cmd.Context(), id)
}

func endSentence(run *fsm.Run) string {
	text := fmt.Sprintf("Run %s of %s: %s", run.ID, run.JobKey(), run.State)
	if run.StartedAt != 0 && run.EndedAt != 0 {
		text += " in " + render.Span(run.EndedAt.Sub(run.StartedAt))
	}
	if run.Reason != "" {
		text += ": " + render.Clean(run.Reason)
	}
	return text + "."
}

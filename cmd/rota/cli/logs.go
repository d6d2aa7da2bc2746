package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/transport/api"
)

var logStreams = []string{"both", "stdout", "stderr"}

// anyShard is the value of --shard that means each.
const anyShard = -1

// logOptions are the flags of rota logs.
type logOptions struct {
	task           string
	shard, attempt int
	stream         string
	tail           int64
	follow         bool
}

func (a *app) logsCommand() *cobra.Command {
	var o logOptions
	cmd := &cobra.Command{
		Use:   "logs RUN [TASK]",
		Short: "Print what a run wrote",
		Long: `Prints the output of a run: of one task, or of each in turn. Of a shard that was
tried more than once it is that of the newest attempt, unless --attempt names
another or -f follows them all.`,
		Args:    cobra.RangeArgs(1, 2),
		PreRunE: func(cmd *cobra.Command, _ []string) error { return o.check(cmd) },
		RunE: a.withClient(func(cmd *cobra.Command, client *api.Client, args []string) error {
			if len(args) == 2 {
				o.task = args[1]
			}
			f := &follower{
				client: client, out: cmd.OutOrStdout(), notes: cmd.ErrOrStderr(),
				query: api.LogQuery{Stream: o.stream, Tail: o.tail}, want: o.wants,
			}
			return o.print(cmd.Context(), f, args[0])
		}),
	}
	flags := cmd.Flags()
	flags.IntVar(&o.shard, "shard", anyShard, "only this shard (default each)")
	flags.Lookup("shard").DefValue = ""
	flags.IntVar(&o.attempt, "attempt", 0, "only this attempt (default the newest)")
	flags.StringVar(&o.stream, "stream", "both", "which stream: "+strings.Join(logStreams, ", "))
	flags.Int64Var(&o.tail, "tail", 0, "begin this many bytes before the end (default all)")
	flags.BoolVarP(&o.follow, "follow", "f", false, "go on until the run has ended")
	return cmd
}

func (o *logOptions) check(cmd *cobra.Command) error {
	switch {
	case o.shard < anyShard:
		return usagef(cmd, "--shard %d is negative", o.shard)
	case o.attempt < 0:
		return usagef(cmd, "--attempt %d is negative; attempts count from 1", o.attempt)
	case o.tail < 0:
		return usagef(cmd, "--tail %d is negative", o.tail)
	default:
		return checkChoice(cmd, "stream", logStreams)
	}
}

func (o *logOptions) wants(ref fsm.AttemptRef) bool {
	return (o.task == "" || ref.Task == o.task) &&
		(o.shard == anyShard || ref.Shard == o.shard) &&
		(o.attempt == 0 || ref.Attempt == o.attempt)
}

func (o *logOptions) print(ctx context.Context, f *follower, id string) error {
	run, _, err := f.client.Run(ctx, id, api.Read{})
	if err != nil {
		return err
	}
	if err := o.checkTask(&run); err != nil {
		return err
	}
	if o.follow {
		_, err := f.follow(ctx, run.ID)
		return err
	}
	attempts := o.choose(startedAttempts(&run))
	if len(attempts) == 0 {
		return fmt.Errorf("nothing of that has started in run %s, which is %s: \"rota status %s\" says why, and -f waits for it",
			run.ID, run.State, run.ID)
	}
	for _, a := range attempts {
		if err := f.print(ctx, a, len(attempts) > 1, false); err != nil {
			return err
		}
	}
	return nil
}

func (o *logOptions) checkTask(run *api.Run) error {
	if o.task == "" {
		return nil
	}
	var names []string
	for i := range run.Tasks {
		names = append(names, run.Tasks[i].Name)
	}
	if slices.Contains(names, o.task) {
		return nil
	}
	return errors.New("run " + run.ID + " has no task " + o.task + "; it has " + strings.Join(names, ", "))
}

// choose returns what is wanted: the newest attempt of each shard, unless one
// is named.
func (o *logOptions) choose(attempts []attempt) []attempt {
	var chosen []attempt
	for _, a := range attempts {
		if !o.wants(a.ref) {
			continue
		}
		if n := len(chosen); n > 0 && chosen[n-1].ref.Task == a.ref.Task && chosen[n-1].ref.Shard == a.ref.Shard {
			chosen[n-1] = a
			continue
		}
		chosen = append(chosen, a)
	}
	return chosen
}

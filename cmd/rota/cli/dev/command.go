package dev

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/rota-scheduler/rota/cmd/rota/cli/jobfile"
	"github.com/rota-scheduler/rota/transport/api"
)

// maxNodes keeps a typing error from filling the machine.
const maxNodes = 9

// options are what the user asked for.
type options struct {
	nodes int
	keep  bool
	until time.Duration
	jobs  api.PutJobs
	// program is the binary that has the agent command.
	program        string
	stdout, stderr io.Writer
}

// Command makes the dev command. Jobs that state no namespace go to the one that
// namespace points to when the command runs.
func Command(namespace *string) *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use:   "dev [FILE...]",
		Short: "Run a whole cluster on this machine and watch it work",
		Long: `Starts a cluster of agents on the loopback interface, applies the job files and
shows what runs where. Kill an agent, the leader say, with the pid that is shown:
the runs go on, and the agent is started again. Ctrl-C stops everything and
leaves nothing behind.`,
		Example: `  rota dev docs/examples/hello.hcl
  rota dev --nodes 5 --for 30s jobs/ | tee runs.txt`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			var err error
			if len(args) > 0 {
				file, err := jobfile.Load(args, *namespace, cmd.InOrStdin(), cmd.ErrOrStderr())
				if err != nil {
					return err
				}
				if err := file.CheckPools(nil); err != nil { // the cluster will have no others
					return err
				}
				o.jobs = file.Body()
			}
			if o.program, err = os.Executable(); err != nil {
				return fmt.Errorf("finding this program, to start agents with: %w", err)
			}
			o.stdout, o.stderr = cmd.OutOrStdout(), cmd.ErrOrStderr()
			return run(cmd.Context(), o)
		},
	}
	cmd.PreRunE = func(*cobra.Command, []string) error { return o.check() }
	flags := cmd.Flags()
	flags.IntVar(&o.nodes, "nodes", 3, "how many nodes")
	flags.DurationVar(&o.until, "for", 0, "stop after this time (default: at Ctrl-C)")
	flags.BoolVar(&o.keep, "keep", false, "keep the folder with the nodes' data and logs")
	return cmd
}

// ErrUsage is a mistake in the arguments.
var ErrUsage = errors.New("bad usage of rota dev")

func (o *options) check() error {
	if o.nodes < 1 || o.nodes > maxNodes {
		return fmt.Errorf("%w: --nodes %d: want 1 to %d", ErrUsage, o.nodes, maxNodes)
	}
	if o.until < 0 {
		return fmt.Errorf("%w: --for %s is negative", ErrUsage, o.until)
	}
	return nil
}

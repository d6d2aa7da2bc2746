package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rota-scheduler/rota/cmd/rota/cli/jobfile"
)

func (a *app) validateCommand() *cobra.Command {
	var vars jobfile.Variables
	cmd := &cobra.Command{
		Use:   "validate FILE...",
		Short: "Check job files without a cluster",
		Long: `Checks job files as "rota apply" does, and asks no agent. Pools that the files
declare are checked; of those that tasks name and no file declares it says that
they were not. With -o json it prints the jobs as the API takes them.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			file, err := jobfile.LoadWith(&vars, args, a.namespace, cmd.InOrStdin(), cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			if unknown := file.UnknownPools(); len(unknown) > 0 {
				fmt.Fprintf(cmd.ErrOrStderr(), "Not checked: the cluster must have %s, which no file declares. \"rota plan\" asks it.\n", poolList(unknown))
			}
			return a.say(cmd, file.Body(), "%s: no errors.", jobfile.Count(len(file.Jobs), "job"))
		},
	}
	vars.AddFlags(cmd)
	return cmd
}

func poolList(names []string) string {
	if len(names) == 1 {
		return "the pool " + names[0]
	}
	return "the pools " + strings.Join(names, ", ")
}

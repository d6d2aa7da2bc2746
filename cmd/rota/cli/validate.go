package cli

import (
	"github.com/spf13/cobra"

	"github.com/rota-scheduler/rota/cmd/rota/cli/jobfile"
)

func (a *app) validateCommand() *cobra.Command {
	var vars jobfile.Variables
	cmd := &cobra.Command{
		Use:   "validate FILE...",
		Short: "Check job files without a cluster",
		Long: `Checks job files as "rota apply" does, and asks no agent: pools
that are in none of the files are not checked. With -o json it prints
the jobs as the API takes them.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			file, err := jobfile.LoadWith(&vars, args, a.namespace, cmd.InOrStdin(), cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			return a.say(cmd, file.Body(), "%s: no errors.", jobfile.Count(len(file.Jobs), "job"))
		},
	}
	vars.AddFlags(cmd)
	return cmd
}

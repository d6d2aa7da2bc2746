package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/rota-scheduler/rota/cmd/rota/cli/jobfile"
	"github.com/rota-scheduler/rota/cmd/rota/cli/render"
	"github.com/rota-scheduler/rota/fsm"
)

func (a *app) applyCommand() *cobra.Command {
	var dryRun bool
	cmd := &cobra.Command{
		Use:   "apply FILE...",
		Short: "Apply job files: all their jobs, or none if one is refused",
		Long: `Applies job files. A folder stands for the *.hcl files in it, - for standard
input. Jobs that are in no file stay as they are; "rota delete" removes them.`,
		Example: `  rota apply backup.hcl jobs/
  generate-jobs | rota apply -`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			jobs, err := jobfile.Load(args, a.namespace, cmd.InOrStdin(), cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			client, err := a.client(cmd)
			if err != nil {
				return err
			}
			defer client.Close()
			list, err := client.PutJobs(cmd.Context(), jobs, dryRun)
			if err != nil {
				return err
			}
			if dryRun {
				fmt.Fprintln(cmd.ErrOrStderr(), "Nothing was changed: this is what apply would do.")
			}
			return a.showTable(cmd, list, func() *render.Table { return resultsTable(list.Items) })
		},
	}
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "ask the cluster what would change, and change nothing")
	return cmd
}

func resultsTable(results []fsm.PutResult) *render.Table {
	t := &render.Table{Columns: []render.Column{{Title: "JOB"}, {Title: "RESULT"}, {Title: "VERSION", Right: true}}}
	for _, r := range results {
		t.Add(render.Text(r.Job.String()), resultCell(r), render.Text(fmt.Sprint(r.Version)))
	}
	return t
}

func resultCell(r fsm.PutResult) render.Cell {
	switch {
	case r.Created:
		return render.Cell{Text: "created", Style: render.Good}
	case r.Changed:
		return render.Cell{Text: "updated", Style: render.Busy}
	default:
		return render.Cell{Text: "unchanged", Style: render.Dim}
	}
}

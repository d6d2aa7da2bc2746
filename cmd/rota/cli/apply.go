package cli

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/rota-scheduler/rota/cmd/rota/cli/jobfile"
	"github.com/rota-scheduler/rota/cmd/rota/cli/render"
	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/transport/api"
)

// applied is the JSON of an apply.
type applied struct {
	api.PutAnswer
	// Deleted are the jobs that --prune deleted, or would delete.
	Deleted []fsm.JobKey `json:"deleted,omitempty"`
}

func (a *app) applyCommand() *cobra.Command {
	var dryRun, prune bool
	var vars jobfile.Variables
	cmd := &cobra.Command{
		Use:   "apply FILE...",
		Short: "Apply job files: all their jobs, or none if one is refused",
		Long: `Applies job files. A folder stands for the *.hcl files in it, - for standard
input. Jobs that are in no file stay as they are; "rota delete" removes them, and
so does --prune, for those of the namespace.`,
		Example: `  rota apply backup.hcl jobs/
  rota apply --var bucket=reports --var-file prod.hcl jobs/
  generate-jobs | rota apply -`,
		Args:    cobra.MinimumNArgs(1),
		PreRunE: func(cmd *cobra.Command, _ []string) error { return a.checkPrune(cmd, prune) },
		RunE: a.withFiles(&vars, func(cmd *cobra.Command, client *api.Client, file *jobfile.File) error {
			return a.apply(cmd, client, file, dryRun, prune)
		}),
	}
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "ask the cluster what would change, and change nothing")
	cmd.Flags().BoolVar(&prune, "prune", false, "then delete the jobs of the namespace that are in no file")
	vars.AddFlags(cmd)
	return cmd
}

// withFiles makes the body of a command that takes job files and needs an agent to
// ask: the files are read first, and nothing is asked if they are wrong.
func (a *app) withFiles(vars *jobfile.Variables, run func(*cobra.Command, *api.Client, *jobfile.File) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		file, err := jobfile.LoadWith(vars, args, a.namespace, cmd.InOrStdin(), cmd.ErrOrStderr())
		if err != nil {
			return err
		}
		return a.withClient(func(cmd *cobra.Command, client *api.Client, _ []string) error {
			if err := a.checkPools(cmd.Context(), client, file); err != nil {
				return err
			}
			return run(cmd, client, file)
		})(cmd, args)
	}
}

// checkPrune refuses to prune all namespaces at once.
func (a *app) checkPrune(cmd *cobra.Command, prune bool) error {
	if prune && a.namespace == api.AllNamespaces {
		return usagef(cmd, "--prune deletes the jobs of one namespace: name it with --namespace")
	}
	return nil
}

func (a *app) apply(cmd *cobra.Command, client *api.Client, file *jobfile.File, dryRun, prune bool) error {
	list, err := client.Put(cmd.Context(), file.Body(), dryRun)
	if err != nil {
		return err
	}
	warn(cmd.ErrOrStderr(), list.Warnings)
	if dryRun {
		fmt.Fprintln(cmd.ErrOrStderr(), "Nothing was changed: this is what apply would do.")
	}
	done := applied{PutAnswer: list}
	if prune {
		if done.Deleted, err = a.unwanted(cmd.Context(), client, file.Jobs); err != nil {
			return fmt.Errorf("the jobs of the files are applied; looking for jobs to delete: %w", err)
		}
	}
	if err := a.showTable(cmd, done, func() *render.Table { return resultsTable(list, done.Deleted) }); err != nil || dryRun {
		return err
	}
	for i, key := range done.Deleted {
		if err := client.DeleteJob(cmd.Context(), key, 0); err != nil {
			return fmt.Errorf("the jobs of the files are applied, and %d of %d others deleted; deleting %s: %w", i, len(done.Deleted), key, err)
		}
	}
	return nil
}

// checkPools asks the cluster for the pools that the files name and do not have.
func (a *app) checkPools(ctx context.Context, client *api.Client, file *jobfile.File) error {
	if len(file.UnknownPools()) == 0 {
		return nil
	}
	list, err := collect(0, func(page api.Page) (api.List[fsm.Pool], error) {
		return client.Pools(ctx, page, api.Read{Consistent: true})
	})
	if err != nil {
		return err
	}
	return file.CheckPools(list.Items)
}

// warn prints what was applied and cannot run as things are.
func warn(w io.Writer, warnings []string) {
	for _, text := range warnings {
		fmt.Fprintln(w, "warning: "+render.Clean(text))
	}
}

// unwanted returns the jobs of the namespace that are in no file.
func (a *app) unwanted(ctx context.Context, client *api.Client, wanted []fsm.JobSpec) ([]fsm.JobKey, error) {
	keep := make(map[fsm.JobKey]bool, len(wanted))
	for i := range wanted {
		keep[wanted[i].Key()] = true
	}
	list, err := collect(0, func(page api.Page) (api.List[api.Job], error) {
		return client.Jobs(ctx, a.namespace, page, api.Read{Consistent: true})
	})
	if err != nil {
		return nil, err
	}
	var keys []fsm.JobKey
	for i := range list.Items {
		if job := &list.Items[i]; !job.Deleting && !keep[job.Key()] {
			keys = append(keys, job.Key())
		}
	}
	return keys, nil
}

func resultsTable(results api.PutAnswer, deleted []fsm.JobKey) *render.Table {
	t := &render.Table{Columns: []render.Column{{Title: "JOB"}, {Title: "RESULT"}, {Title: "VERSION", Right: true}}}
	for _, p := range results.Pools {
		t.Add(render.Text("pool "+p.Name), resultCell(p.Created, p.Changed), render.Text(""))
	}
	for _, r := range results.Items {
		t.Add(render.Text(r.Job.String()), resultCell(r.Created, r.Changed), render.Text(fmt.Sprint(r.Version)))
	}
	for _, key := range deleted {
		t.Add(render.Text(key.String()), render.Cell{Text: "deleted", Style: render.Bad}, render.Text(""))
	}
	return t
}

func resultCell(created, changed bool) render.Cell {
	switch {
	case created:
		return render.Cell{Text: "created", Style: render.Good}
	case changed:
		return render.Cell{Text: "updated", Style: render.Busy}
	default:
		return render.Cell{Text: "unchanged", Style: render.Dim}
	}
}

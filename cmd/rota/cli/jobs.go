package cli

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rota-scheduler/rota/cmd/rota/cli/render"
	"github.com/rota-scheduler/rota/transport/api"
)

func (a *app) jobsCommand() *cobra.Command {
	var limit int
	cmd := &cobra.Command{
		Use:     "jobs",
		Short:   "List the jobs, when they are due next and how they last ended",
		Long:    `Lists the jobs of the namespace; --namespace '*' lists those of all.`,
		Args:    cobra.NoArgs,
		PreRunE: func(cmd *cobra.Command, _ []string) error { return checkLimit(cmd, limit) },
		RunE: a.withClient(func(cmd *cobra.Command, client *api.Client, _ []string) error {
			return listing[api.Job]{
				limit: limit, table: jobsTable, empty: `There are no jobs in this namespace. "rota apply FILE" adds some.`,
				fetch: func(page api.Page) (api.List[api.Job], error) {
					return client.Jobs(cmd.Context(), a.namespace, page, api.Read{})
				},
			}.show(a, cmd)
		}),
	}
	limitFlag(cmd, &limit, 0)
	return cmd
}

func jobsTable(jobs []api.Job, now time.Time) *render.Table {
	t := &render.Table{Columns: []render.Column{
		{Title: "JOB"}, {Title: "VERSION", Right: true}, {Title: "SCHEDULE", Flexible: true},
		{Title: "NEXT"}, {Title: "LAST RUN"}, {Title: "WHEN"}, {Title: "DESCRIPTION", Flexible: true},
	}}
	for i := range jobs {
		job := &jobs[i]
		state, when := render.Text(""), ""
		if run := job.LastRun; run != nil {
			state, when = render.State(run.State), render.When(runInstant(run), now)
		}
		t.Add(render.Text(job.Key().String()), render.Text(fmt.Sprint(job.Version)),
			render.Text(strings.Join(job.Schedules, "; ")), nextCell(job, now), state, render.Text(when),
			render.Text(job.Description))
	}
	return t
}

// nextCell says when a job is due, or why it is not.
func nextCell(job *api.Job, now time.Time) render.Cell {
	switch {
	case job.Deleting:
		return render.Cell{Text: "deleting", Style: render.Bad}
	case job.Paused:
		return render.Cell{Text: "paused", Style: render.Warn}
	default:
		return render.Text(render.When(job.Next, now))
	}
}

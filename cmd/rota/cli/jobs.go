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
		Use:   "jobs",
		Short: "List the jobs, when they are due next and how they last ended",
		Long:  `Lists the jobs of the namespace; --namespace '*' lists those of all.`,
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkLimit(cmd, limit); err != nil {
				return err
			}
			client, err := a.client(cmd)
			if err != nil {
				return err
			}
			defer client.Close()
			list, err := collect(limit, func(page api.Page) (api.List[api.Job], error) {
				return client.Jobs(cmd.Context(), a.namespace, page, api.Read{})
			})
			if err != nil {
				return err
			}
			if len(list.Items) == 0 {
				fmt.Fprintln(cmd.ErrOrStderr(), `There are no jobs in this namespace. "rota apply FILE" adds some.`)
			}
			defer noteRest(cmd, list)
			return a.showTable(cmd, list, func() *render.Table { return jobsTable(list.Items, a.now()) })
		},
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

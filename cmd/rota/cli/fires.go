package cli

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/rota-scheduler/rota/cmd/rota/cli/render"
	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/transport/api"
)

func (a *app) firesCommand() *cobra.Command {
	var limit int
	cmd := &cobra.Command{
		Use:     "fires JOB",
		Short:   "List what became of each instant at which a job was due, newest first",
		Args:    cobra.ExactArgs(1),
		PreRunE: func(cmd *cobra.Command, _ []string) error { return checkLimit(cmd, limit) },
		RunE: a.withClient(func(cmd *cobra.Command, client *api.Client, args []string) error {
			return listing[fsm.Fire]{limit: limit, table: firesTable, fetch: func(page api.Page) (api.List[fsm.Fire], error) {
				return client.Fires(cmd.Context(), a.key(args[0]), page, api.Read{})
			}}.show(a, cmd)
		}),
	}
	limitFlag(cmd, &limit, defaultHistory)
	return cmd
}

func firesTable(fires []fsm.Fire, now time.Time) *render.Table {
	t := &render.Table{Columns: []render.Column{
		{Title: "DUE"}, {Title: "WHEN"}, {Title: "OUTCOME"}, {Title: "VERSION", Right: true},
		{Title: "RUN"}, {Title: "REASON", Flexible: true},
	}}
	for i := range fires {
		f := &fires[i]
		outcome := f.Outcome
		if outcome == "" {
			outcome = "undecided"
		}
		reason := f.Reason
		if f.Count > 1 {
			reason += fmt.Sprintf(", %d instants up to %s", f.Count, f.Until)
		}
		t.Add(render.Text(f.ScheduledAt.String()), render.Text(render.When(f.ScheduledAt, now)), render.State(outcome),
			render.Text(fmt.Sprint(f.Version)), render.Text(f.RunID), render.Text(reason))
	}
	return t
}

package cli

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rota-scheduler/rota/cmd/rota/cli/render"
	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/transport/api"
)

// defaultHistory is how many entries of a history are shown.
const defaultHistory = 50

var runStates = []string{
	string(fsm.RunPending), string(fsm.RunRunning), string(fsm.RunSucceeded),
	string(fsm.RunFailed), string(fsm.RunCancelled),
}

func (a *app) runsCommand() *cobra.Command {
	var limit int
	var state string
	cmd := &cobra.Command{
		Use:   "runs [JOB]",
		Short: "List runs, newest first",
		Args:  cobra.MaximumNArgs(1),
		PreRunE: func(cmd *cobra.Command, _ []string) error {
			return cmp.Or(checkLimit(cmd, limit), checkChoice(cmd, "state", runStates))
		},
		RunE: a.withClient(func(cmd *cobra.Command, client *api.Client, args []string) error {
			filter := api.RunFilter{Namespace: a.namespace, State: fsm.RunState(state)}
			if len(args) == 1 {
				filter.Job = args[0]
			}
			return listing[fsm.Run]{limit: limit, table: runsTable, fetch: func(page api.Page) (api.List[fsm.Run], error) {
				return client.Runs(cmd.Context(), filter, page, api.Read{})
			}}.show(a, cmd)
		}),
	}
	limitFlag(cmd, &limit, defaultHistory)
	cmd.Flags().StringVar(&state, "state", "", "only runs in this state: "+strings.Join(runStates, ", "))
	return cmd
}

func runsTable(runs []fsm.Run, now time.Time) *render.Table {
	t := &render.Table{Columns: []render.Column{
		{Title: "RUN"}, {Title: "JOB", Flexible: true}, {Title: "STATE"}, {Title: "TRIGGER"}, {Title: "WHEN"},
		{Title: "LATE", Right: true}, {Title: "TOOK", Right: true}, {Title: "TASKS", Right: true},
		{Title: "REASON", Flexible: true},
	}}
	for i := range runs {
		r := &runs[i]
		t.Add(render.Text(r.ID), render.Text(r.JobKey().String()), render.State(r.State), render.Text(r.Trigger),
			render.Text(render.When(runInstant(r), now)), render.Text(render.Late(r.ScheduledAt, r.StartedAt)),
			render.Text(render.Took(r.StartedAt, r.EndedAt, now)),
			render.Text(fmt.Sprintf("%d/%d", r.TasksDone, r.TasksTotal)), render.Text(r.Reason))
	}
	return t
}

// runInstant is the instant that a person would name the run by.
func runInstant(r *fsm.Run) fsm.Time {
	if r.ScheduledAt != 0 {
		return r.ScheduledAt
	}
	return r.CreatedAt
}

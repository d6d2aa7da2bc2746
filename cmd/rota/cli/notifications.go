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

var notificationStatuses = []string{
	string(fsm.NotificationPending), string(fsm.NotificationFailed), string(fsm.NotificationDropped),
}

func (a *app) notificationsCommand() *cobra.Command {
	var limit int
	var status string
	cmd := &cobra.Command{
		Use:   "notifications [JOB]",
		Short: "List notifications that are not delivered, newest first",
		Long: `Lists the notifications of jobs that wait to be delivered, and those that have
failed for good or were dropped not long ago. One that was delivered is not kept.`,
		Args: cobra.MaximumNArgs(1),
		PreRunE: func(cmd *cobra.Command, _ []string) error {
			return cmp.Or(checkLimit(cmd, limit), checkChoice(cmd, "status", notificationStatuses))
		},
		RunE: a.withClient(func(cmd *cobra.Command, client *api.Client, args []string) error {
			filter := api.NotificationFilter{Namespace: a.namespace, Status: fsm.NotificationStatus(status)}
			if len(args) == 1 {
				filter.Job = args[0]
			}
			return listing[fsm.Notification]{limit: limit, table: notificationsTable, fetch: func(page api.Page) (api.List[fsm.Notification], error) {
				return client.Notifications(cmd.Context(), filter, page, api.Read{})
			}}.show(a, cmd)
		}),
	}
	limitFlag(cmd, &limit, defaultHistory)
	cmd.Flags().StringVar(&status, "status", "", "only those in this status: "+strings.Join(notificationStatuses, ", "))
	return cmd
}

func notificationsTable(list []fsm.Notification, now time.Time) *render.Table {
	t := &render.Table{Columns: []render.Column{
		{Title: "EVENT"}, {Title: "JOB", Flexible: true}, {Title: "RUN"}, {Title: "WHEN"}, {Title: "TO", Flexible: true},
		{Title: "STATUS"}, {Title: "TRIES", Right: true}, {Title: "NEXT"}, {Title: "ERROR", Flexible: true},
	}}
	for i := range list {
		n := &list[i]
		next := ""
		if n.NextAt != 0 {
			next = render.When(n.NextAt, now)
		}
		t.Add(render.Text(n.Name), render.Text(n.JobKey().String()), render.Text(n.RunID), render.Text(render.When(n.OccurredAt, now)),
			render.Text(n.Kind+" "+n.To), render.State(n.Status), render.Text(fmt.Sprint(n.Tries)), render.Text(next), render.Text(n.LastError))
	}
	return t
}

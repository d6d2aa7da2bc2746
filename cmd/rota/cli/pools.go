package cli

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/rota-scheduler/rota/cmd/rota/cli/render"
	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/transport/api"
)

func (a *app) poolsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "pools",
		Short: "List the pools, and how much of each is in use",
		Args:  cobra.NoArgs,
		RunE: a.withClient(func(cmd *cobra.Command, client *api.Client, _ []string) error {
			return listing[fsm.Pool]{table: poolsTable, fetch: func(page api.Page) (api.List[fsm.Pool], error) {
				return client.Pools(cmd.Context(), page, api.Read{})
			}}.show(a, cmd)
		}),
	}
	cmd.AddCommand(a.deletePoolCommand())
	return cmd
}

func poolsTable(pools []fsm.Pool, _ time.Time) *render.Table {
	t := &render.Table{Columns: []render.Column{
		{Title: "POOL"}, {Title: "USED", Right: true}, {Title: "LIMIT", Right: true}, {Title: "JOBS", Right: true},
	}}
	for i := range pools {
		p := &pools[i]
		t.Add(render.Text(p.Name), render.Text(fmt.Sprint(p.Used)), render.Text(fmt.Sprint(p.Limit)), render.Text(fmt.Sprint(p.Jobs)))
	}
	return t
}

// deletedPool is the JSON of a pool's deletion.
type deletedPool struct {
	Pool    string `json:"pool"`
	Deleted bool   `json:"deleted"`
}

func (a *app) deletePoolCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "delete POOL",
		Short: "Delete a pool that no job names",
		Args:  cobra.ExactArgs(1),
		RunE: a.withClient(func(cmd *cobra.Command, client *api.Client, args []string) error {
			if err := client.DeletePool(cmd.Context(), args[0]); err != nil {
				return err
			}
			return a.say(cmd, deletedPool{args[0], true}, "Deleted pool %s.", args[0])
		}),
	}
}

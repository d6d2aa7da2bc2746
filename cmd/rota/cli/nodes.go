package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rota-scheduler/rota/cmd/rota/cli/render"
	"github.com/rota-scheduler/rota/transport/api"
)

func (a *app) nodesCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "nodes",
		Short: "List the nodes, their health and their load",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			client, err := a.client(cmd)
			if err != nil {
				return err
			}
			defer client.Close()
			list, err := collect(0, func(page api.Page) (api.List[api.Node], error) {
				return client.Nodes(cmd.Context(), page, api.Read{})
			})
			if err != nil {
				return err
			}
			return a.showTable(cmd, list, func() *render.Table { return nodesTable(list.Items) })
		},
	}
}

func nodesTable(nodes []api.Node) *render.Table {
	t := &render.Table{Columns: []render.Column{
		{Title: "NODE"}, {Title: "STATUS"}, {Title: "ROLE"}, {Title: "GOSSIP"}, {Title: "LOAD", Right: true},
		{Title: "RUNNING", Right: true}, {Title: "ARMED", Right: true}, {Title: "PLACE", Flexible: true},
		{Title: "LIMITS", Flexible: true},
		{Title: "HTTP"}, {Title: "VERSION", Flexible: true},
	}}
	for i := range nodes {
		n := &nodes[i]
		t.Add(render.Text(n.Name), render.Cell{Text: string(n.Status), Style: render.NodeStyle(n.Status)},
			render.Text(nodeRole(n)), render.Text(n.Gossip), render.Text(fmt.Sprintf("%d/%d", n.Load, n.Capacity)),
			render.Text(fmt.Sprint(n.Running)), render.Text(fmt.Sprint(n.Armed)),
			render.Text(strings.Trim(n.Region+"/"+n.Zone, "/")), render.Text(n.Limits), render.Text(n.HTTPAddr), render.Text(n.Version))
	}
	return t
}

func nodeRole(n *api.Node) string {
	switch {
	case n.Leader:
		return "leader"
	case n.Voter:
		return "voter"
	default:
		return "member"
	}
}

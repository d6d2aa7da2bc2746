package cli

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rota-scheduler/rota/cmd/rota/cli/render"
	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/transport/api"
)

func (a *app) nodesCommand() *cobra.Command {
	var rtt bool
	cmd := &cobra.Command{
		Use:   "nodes",
		Short: "List the nodes, their health and their load",
		Args:  cobra.NoArgs,
		RunE: a.withClient(func(cmd *cobra.Command, client *api.Client, _ []string) error {
			if rtt {
				return a.showRTT(cmd, client)
			}
			return listing[api.Node]{table: nodesTable, fetch: func(page api.Page) (api.List[api.Node], error) {
				return client.Nodes(cmd.Context(), page, api.Read{})
			}}.show(a, cmd)
		}),
	}
	cmd.Flags().BoolVar(&rtt, "rtt", false, "show the round trips between nodes and between regions instead")
	return cmd
}

func nodesTable(nodes []api.Node, now time.Time) *render.Table {
	t := &render.Table{Columns: []render.Column{
		{Title: "NODE"}, {Title: "STATUS"}, {Title: "SET BY", Flexible: true}, {Title: "ROLE"}, {Title: "GOSSIP"}, {Title: "LOAD", Right: true},
		{Title: "CPU", Right: true}, {Title: "MEMORY", Right: true}, {Title: "RUNNING", Right: true}, {Title: "ARMED", Right: true}, {Title: "PLACE", Flexible: true},
		{Title: "LIMITS", Flexible: true},
		{Title: "HTTP"}, {Title: "VERSION", Flexible: true},
	}}
	for i := range nodes {
		n := &nodes[i]
		t.Add(render.Text(n.Name), render.Cell{Text: nodeStatus(n, now), Style: render.NodeStyle(n.Status)}, render.Text(setBy(n, now)),
			render.Text(nodeRole(n)), gossipCell(n), render.Text(fmt.Sprintf("%d/%d", n.Load, n.Capacity)),
			render.Text(cpuOf(n.Measured)), render.Text(memoryOf(n.Measured)), render.Text(fmt.Sprint(n.Running)), render.Text(fmt.Sprint(n.Armed)),
			render.Text(strings.Trim(n.Region+"/"+n.Zone, "/")), render.Text(n.Limits), render.Text(n.HTTPAddr), render.Text(n.Version))
	}
	return t
}

// gossipCell is what gossip says of a node, and who else has its name.
func gossipCell(n *api.Node) render.Cell {
	if len(n.Namesakes) == 0 {
		return render.Text(n.Gossip)
	}
	return render.Cell{Text: n.Gossip + ", NAME ALSO OF " + strings.Join(n.Namesakes, ", "), Style: render.Bad}
}

// cpuOf is how many processes want a core, of how many cores.
func cpuOf(l *api.NodeLoad) string {
	if l == nil || l.Cores == 0 {
		return ""
	}
	return fmt.Sprintf("%.1f/%d", l.Average, l.Cores)
}

// memoryOf is how much memory is taken, of how much there is.
func memoryOf(l *api.NodeLoad) string {
	if l == nil || l.MemoryTotal == 0 {
		return ""
	}
	const gib = 1 << 30
	return fmt.Sprintf("%.1f/%.1fG", float64(l.MemoryTotal-l.MemoryAvailable)/gib, float64(l.MemoryTotal)/gib)
}

// nodeStatus is what a node is right now, then what was said of it if that is
// another thing, and how long its work may still go on.
func nodeStatus(n *api.Node, now time.Time) string {
	text := string(n.Status)
	if n.SetStatus != "" && n.SetStatus != n.Status && n.SetStatus != fsm.NodeReady {
		text += " (" + string(n.SetStatus) + ")"
	}
	if left := n.EvictAt.Time().Sub(now); n.EvictAt != 0 && left > 0 && n.Running > 0 {
		text += ", " + render.Span(left) + " left"
	}
	return text
}

// setBy says who set the status, and how long ago.
func setBy(n *api.Node, now time.Time) string {
	if n.StatusSetBy == "" {
		return ""
	}
	return fmt.Sprintf("%s %s ago", n.StatusSetBy, render.Span(max(now.Sub(n.StatusSetAt.Time()), 0).Truncate(time.Second)))
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

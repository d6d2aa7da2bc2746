package cli

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rota-scheduler/rota/cmd/rota/cli/render"
	"github.com/rota-scheduler/rota/transport/api"
)

// showRTT prints the round trips between nodes, and then those between regions.
func (a *app) showRTT(cmd *cobra.Command, client *api.Client) error {
	rtt, err := client.RTT(cmd.Context())
	if err != nil {
		return err
	}
	return a.show(cmd, rtt, func(w io.Writer, screen render.Screen) error {
		if err := nodesRTT(&rtt).Write(w, screen); err != nil || len(rtt.Regions) == 0 {
			return err
		}
		if _, err := fmt.Fprintln(w); err != nil {
			return err
		}
		return regionsRTT(rtt.Regions).Write(w, screen)
	})
}

func nodesRTT(rtt *api.RTT) *render.Table {
	t := &render.Table{Columns: []render.Column{{Title: "MS"}}}
	for _, name := range rtt.Nodes {
		t.Columns = append(t.Columns, render.Column{Title: name, Right: true})
	}
	for i, name := range rtt.Nodes {
		row := []render.Cell{render.Text(name)}
		for _, ms := range rtt.Milliseconds[i] {
			text := ""
			if ms != nil {
				text = millis(*ms)
			}
			row = append(row, render.Text(text))
		}
		t.Add(row...)
	}
	return t
}

func regionsRTT(regions []api.RegionRTT) *render.Table {
	t := &render.Table{Columns: []render.Column{{Title: "REGIONS"}, {Title: "MS", Right: true}, {Title: "SOURCE"}}}
	for _, r := range regions {
		t.Add(render.Text(strings.Join(r.Regions[:], " ")), render.Text(millis(r.Milliseconds)), render.Text(r.Source))
	}
	return t
}

func millis(ms float64) string { return strconv.FormatFloat(ms, 'f', 1, 64) }

package httpapi

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/transport/api"
)

// operator stands in the log as the one who set a status through the API.
const operator = "operator"

// cluster is what every row of a listing of nodes needs to know of the group.
type cluster struct {
	leader string
	voters map[string]bool
	gossip map[string]string
}

func (a *API) cluster() cluster {
	leader, _ := a.cfg.Cluster.Leader()
	return cluster{leader.ID, a.cfg.Cluster.Voters(), a.cfg.Cluster.Gossip()}
}

// listNodes serves GET /v1/nodes, in the order of their names.
func (a *API) listNodes(r *http.Request) (reader, error) {
	p, err := pageOf(r.URL.Query(), 1)
	if err != nil {
		return nil, err
	}
	return func(v views) (reply, error) {
		rows := []api.Node{}
		var newest uint64
		c := a.cluster()
		for node := range v.watch.Nodes() {
			if p.after == nil || node.Name > p.after[0] {
				rows = append(rows, c.nodeOf(v.watch, node))
				newest = max(newest, node.ModifyIndex)
			}
		}
		slices.SortFunc(rows, func(a, b api.Node) int { return cmp.Compare(a.Name, b.Name) })
		rows = rows[:min(len(rows), p.size+1)]
		list := listOf(rows, p, v.index(), func(n *api.Node) []string { return []string{n.Name} })
		return reply{body: list, newest: newest}, nil
	}, nil
}

func (c *cluster) nodeOf(v *fsm.View, node *fsm.Node) api.Node {
	row := api.Node{
		Node: *node, Leader: node.ID == c.leader, Voter: c.voters[node.ID], Gossip: c.gossip[node.ID],
	}
	for s := range v.HeldBy(node.ID) {
		if s.State == fsm.ShardRunning {
			row.Running++
			row.Load += s.Weight
		} else {
			row.Armed++
		}
	}
	return row
}

// setNodeStatus serves PUT /v1/nodes/{name}/status.
func (a *API) setNodeStatus(w http.ResponseWriter, r *http.Request) error {
	var body api.NodeStatus
	if err := decodeBody(r, &body); err != nil {
		return err
	}
	switch body.Status {
	case fsm.NodeReady, fsm.NodeDraining, fsm.NodeMaintenance, fsm.NodeStandby:
	default:
		return badRequest("status %.40q: want one of ready, draining, maintenance, standby", string(body.Status))
	}
	name := r.PathValue("name")
	v := a.cfg.Store.Read()
	node := cmp.Or(v.NodeByName(name), v.Node(name))
	if node == nil {
		return fmt.Errorf("node %s: %w", name, fsm.ErrNotFound)
	}
	_, index, err := a.propose(r, fsm.OpSetNodeStatus, &fsm.SetNodeStatus{
		At: a.cfg.Clock(), ID: node.ID, Status: body.Status, By: operator,
	})
	if err != nil {
		return err
	}
	v = a.cfg.Store.Read()
	if node = v.Node(node.ID); node == nil {
		return fmt.Errorf("node %s: %w", name, fsm.ErrNotFound)
	}
	c := a.cluster()
	setIndex(w, max(index, v.Index()))
	return writeJSON(w, http.StatusOK, c.nodeOf(v, node))
}

package httpapi

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

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
	same   map[string][]string
	health map[string]string
	loads  map[string]api.NodeLoad
}

func (a *API) cluster(ctx context.Context) cluster {
	leader, _ := a.cfg.Cluster.Leader()
	c := a.cfg.Cluster
	return cluster{leader.ID, c.Voters(), c.Gossip(), c.Namesakes(), c.Health(), c.Loads(ctx)}
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
		c := a.cluster(r.Context())
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
		Node: *node, Leader: node.ID == c.leader, Voter: c.voters[node.ID], Gossip: c.gossip[node.ID], Namesakes: c.same[node.ID],
		SetStatus: node.Status, Health: cmp.Or(c.health[node.ID], healthOK),
	}
	if load, known := c.loads[node.ID]; known {
		row.Measured = &load
	}
	row.Status = statusNow(node.Status, row.Health)
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

// Health of a node by the leader's contact with it.
const (
	healthOK   = "ok"
	healthDown = "down"
)

// statusNow is what a node is right now. That a node in use is out of reach comes
// before what was said of it; one that was taken out of use may well be switched
// off.
func statusNow(set fsm.NodeStatus, health string) fsm.NodeStatus {
	switch {
	case health == healthOK, set != fsm.NodeReady && set != fsm.NodeDraining:
		return set
	case health == healthDown:
		return fsm.NodeDown
	}
	return fsm.NodeSuspect
}

// setNodeStatus serves PUT /v1/nodes/{name}/status.
func (a *API) setNodeStatus(w http.ResponseWriter, r *http.Request) error {
	var body api.NodeStatus
	if err := decodeBody(r, &body); err != nil {
		return err
	}
	if err := checkNodeStatus(&body); err != nil {
		return err
	}
	name := r.PathValue("name")
	v := a.cfg.Store.Read()
	node := cmp.Or(v.NodeByName(name), v.Node(name))
	if node == nil {
		return fmt.Errorf("node %s: %w", name, fsm.ErrNotFound)
	}
	op, command := a.statusCommand(node.ID, &body)
	_, index, err := a.propose(r, op, command)
	if err != nil {
		return err
	}
	v = a.cfg.Store.Read()
	if node = v.Node(node.ID); node == nil {
		return fmt.Errorf("node %s: %w", name, fsm.ErrNotFound)
	}
	c := a.cluster(r.Context())
	setIndex(w, max(index, v.Index()))
	return writeJSON(w, http.StatusOK, c.nodeOf(v, node))
}

// statusCommand is what puts a checked body into the log.
func (a *API) statusCommand(id string, body *api.NodeStatus) (fsm.Opcode, any) {
	now, by := a.cfg.Clock(), cmp.Or(body.By, operator)
	if body.Deadline == 0 && !body.Force {
		return fsm.OpSetNodeStatus, &fsm.SetNodeStatus{At: now, ID: id, Status: body.Status, By: by}
	}
	return fsm.OpDrainNode, &fsm.DrainNode{
		At: now, ID: id, Status: body.Status, By: by, EvictAt: now.Add(body.Deadline),
	}
}

// maxDrain bounds the deadline of a drain.
const maxDrain = fsm.Duration(30 * 24 * time.Hour)

func checkNodeStatus(body *api.NodeStatus) error {
	switch body.Status {
	case fsm.NodeReady, fsm.NodeDraining, fsm.NodeMaintenance, fsm.NodeStandby:
	default:
		return badRequest("status %.40q: want one of ready, draining, maintenance, standby", string(body.Status))
	}
	if err := checkBy(body.By); err != nil {
		return err
	}
	switch {
	case body.Deadline < 0 || body.Deadline > maxDrain:
		return badRequest("deadline %s: want a span from 0 to %s", body.Deadline, maxDrain)
	case body.Force && body.Deadline != 0:
		return badRequest("force and deadline: want one of them; force ends what runs at once")
	case body.Status == fsm.NodeReady && (body.Force || body.Deadline != 0):
		return badRequest("status ready takes neither deadline nor force: nothing is to end")
	}
	return nil
}

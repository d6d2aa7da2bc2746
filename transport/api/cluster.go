package api

import (
	"context"
	"net/http"
	"net/url"

	"github.com/rota-scheduler/rota/fsm"
)

// Pools lists the cluster's pools.
func (c *Client) Pools(ctx context.Context, page Page, opt Read) (List[fsm.Pool], error) {
	return readList[fsm.Pool](ctx, c, "/v1/pools", url.Values{}, page, opt)
}

// DeletePool removes a pool that no job names.
func (c *Client) DeletePool(ctx context.Context, name string) error {
	_, err := c.call(ctx, request{method: http.MethodDelete, path: "/v1/pools/" + url.PathEscape(name)}, nil)
	return err
}

// Nodes lists the cluster's nodes.
func (c *Client) Nodes(ctx context.Context, page Page, opt Read) (List[Node], error) {
	return readList[Node](ctx, c, "/v1/nodes", url.Values{}, page, opt)
}

// SetNodeStatus changes what an operator says of a node: ready, draining,
// maintenance or standby.
func (c *Client) SetNodeStatus(ctx context.Context, name string, status NodeStatus) (Node, error) {
	return writeJSON[Node](ctx, c, request{method: http.MethodPut, path: "/v1/nodes/" + url.PathEscape(name) + "/status"}, status)
}

// RTT returns the round trips in the cluster, as the node that is asked estimates
// them.
func (c *Client) RTT(ctx context.Context) (RTT, error) {
	return readOne[RTT](ctx, c, "/v1/nodes/rtt", url.Values{}, Read{})
}

// Autoscale returns the autoscaler's settings and decisions.
func (c *Client) Autoscale(ctx context.Context) (Autoscale, error) {
	return readOne[Autoscale](ctx, c, "/v1/autoscale", url.Values{}, Read{})
}

// PlanAutoscale asks what settings would do right now; nil means those that there
// are.
func (c *Client) PlanAutoscale(ctx context.Context, s *fsm.Autoscale) (ScalePlan, error) {
	r := request{method: http.MethodPost, path: "/v1/autoscale/plan"}
	if s == nil {
		return write[ScalePlan](ctx, c, r)
	}
	return writeJSON[ScalePlan](ctx, c, r, s)
}

// Settings returns the cluster's settings.
func (c *Client) Settings(ctx context.Context, opt Read) (fsm.Settings, error) {
	return readOne[fsm.Settings](ctx, c, "/v1/settings", url.Values{}, opt)
}

// PutSettings replaces the cluster's settings. CodeConflict means that they were
// changed since IfIndex.
func (c *Client) PutSettings(ctx context.Context, s PutSettings) (fsm.Settings, error) {
	return writeJSON[fsm.Settings](ctx, c, request{method: http.MethodPut, path: "/v1/settings"}, s)
}

// Leader returns the node that leads; CodeNoLeader if none is known.
func (c *Client) Leader(ctx context.Context) (Leader, error) {
	return readOne[Leader](ctx, c, "/v1/leader", url.Values{}, Read{})
}

// TransferLeader makes another node lead, and returns that one.
func (c *Client) TransferLeader(ctx context.Context) (Leader, error) {
	return write[Leader](ctx, c, request{method: http.MethodPost, path: "/v1/leader/transfer"})
}

// Version returns what the agent runs.
func (c *Client) Version(ctx context.Context) (Version, error) {
	return readOne[Version](ctx, c, "/v1/version", url.Values{}, Read{})
}

// Healthy returns nil if the agent is alive.
func (c *Client) Healthy(ctx context.Context) error {
	_, err := c.call(ctx, request{method: http.MethodGet, path: "/healthz"}, nil)
	return err
}

// Ready returns nil if the agent has a leader and its replica is caught up.
func (c *Client) Ready(ctx context.Context) error {
	_, err := c.call(ctx, request{method: http.MethodGet, path: "/readyz"}, nil)
	return err
}

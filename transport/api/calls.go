package api

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/rota-scheduler/rota/fsm"
)

// AllNamespaces, as a namespace of a listing, means every one.
const AllNamespaces = "*"

// Page says which part of a listing to return.
type Page struct {
	// PerPage is at most 10,000; 0 means the server's default.
	PerPage int
	// Token is the NextPageToken of the page before; empty for the first.
	Token string
}

// Read says how new a read must be. The zero value reads what the agent has.
type Read struct {
	// Consistent: the leader answers, after it made sure that it leads.
	Consistent bool
	// After, if not 0, blocks until there is something newer than that index,
	// for at most Wait.
	After uint64
	Wait  time.Duration
	// Brief, of a single run: its tasks without their shards.
	Brief bool
}

func (p Page) put(q url.Values) {
	if p.PerPage > 0 {
		q.Set("per_page", strconv.Itoa(p.PerPage))
	}
	if p.Token != "" {
		q.Set("page_token", p.Token)
	}
}

func (r Read) put(q url.Values) {
	if r.Consistent {
		q.Set("consistent", "true")
	}
	if r.Brief {
		q.Set("brief", "true")
	}
	if r.After > 0 {
		q.Set("index", strconv.FormatUint(r.After, 10))
		q.Set("wait", r.Wait.String())
	}
}

// read is a GET of one object or list. The index is that of the answer.
func read[T any](ctx context.Context, c *Client, path string, q url.Values, opt Read) (T, uint64, error) {
	var out T
	opt.put(q)
	index, err := c.call(ctx, request{method: http.MethodGet, path: path, query: q, wait: opt.Wait}, &out)
	return out, index, err
}

// write is a call that changes something.
func write[T any](ctx context.Context, c *Client, r request) (T, error) {
	var out T
	_, err := c.call(ctx, r, &out)
	return out, err
}

func jobQuery(key fsm.JobKey) url.Values {
	q := url.Values{}
	if key.Namespace != "" {
		q.Set("namespace", key.Namespace)
	}
	return q
}

func jobPath(key fsm.JobKey) string { return "/v1/jobs/" + url.PathEscape(key.Name) }

// PutJobs applies job specs, all or none. With dryRun nothing is changed.
func (c *Client) PutJobs(ctx context.Context, jobs []fsm.JobSpec, dryRun bool) (PutAnswer, error) {
	return c.Put(ctx, PutJobs{Jobs: jobs}, dryRun)
}

// Put applies jobs and pools, all or none. With dryRun nothing is changed.
func (c *Client) Put(ctx context.Context, put PutJobs, dryRun bool) (PutAnswer, error) {
	if put.Jobs == nil {
		put.Jobs = []fsm.JobSpec{}
	}
	body, err := json.Marshal(put)
	if err != nil {
		return PutAnswer{}, fmt.Errorf("encoding the jobs: %w", err)
	}
	return c.putJobs(ctx, body, http.Header{"Content-Type": {"application/json"}}, url.Values{}, dryRun)
}

// PutFile applies a job file as it is written. Its diagnostics, in the
// StatusError, name it by the given name. Jobs that state no namespace go to
// the given one, or to the default one if that is empty.
func (c *Client) PutFile(ctx context.Context, name string, src []byte, namespace string, dryRun bool) (PutAnswer, error) {
	header := http.Header{"Content-Type": {"application/hcl"}}
	if name != "" {
		header.Set(HeaderFilename, name)
	}
	return c.putJobs(ctx, src, header, jobQuery(fsm.JobKey{Namespace: namespace}), dryRun)
}

func (c *Client) putJobs(ctx context.Context, body []byte, h http.Header, q url.Values, dryRun bool) (PutAnswer, error) {
	if dryRun {
		q.Set("dry_run", "true")
	}
	return write[PutAnswer](ctx, c, request{method: http.MethodPut, path: "/v1/jobs", query: q, header: h, body: body})
}

// Jobs lists the jobs of a namespace, or of all.
func (c *Client) Jobs(ctx context.Context, namespace string, page Page, opt Read) (List[Job], error) {
	q := jobQuery(fsm.JobKey{Namespace: namespace})
	page.put(q)
	list, _, err := read[List[Job]](ctx, c, "/v1/jobs", q, opt)
	return list, err
}

// Job returns a job with the content of one of its versions; 0 is the current.
func (c *Client) Job(ctx context.Context, key fsm.JobKey, version uint64) (Job, error) {
	q := jobQuery(key)
	if version > 0 {
		q.Set("version", strconv.FormatUint(version, 10))
	}
	job, _, err := read[Job](ctx, c, jobPath(key), q, Read{})
	return job, err
}

// DeleteJob deletes a job. It returns when nothing more of it will start; after
// wait (0: the server's default) it gives up waiting with CodeTimeout, and the
// deletion goes on.
func (c *Client) DeleteJob(ctx context.Context, key fsm.JobKey, wait time.Duration) error {
	_, err := c.call(ctx, settle(http.MethodDelete, jobPath(key), jobQuery(key), wait), nil)
	return err
}

// PauseJob pauses a job. It returns when nothing more will start; after wait
// (0: the server's default) it gives up waiting with CodeTimeout, and the job
// stays paused.
func (c *Client) PauseJob(ctx context.Context, key fsm.JobKey, wait time.Duration) (Job, error) {
	return write[Job](ctx, c, settle(http.MethodPost, jobPath(key)+"/pause", jobQuery(key), wait))
}

// settle is a call that the server answers only when the cluster has settled.
func settle(method, path string, q url.Values, wait time.Duration) request {
	if wait > 0 {
		q.Set("wait", wait.String())
	} else {
		wait = defaultSettle
	}
	return request{method: method, path: path, query: q, wait: wait}
}

// ResumeJob ends a pause.
func (c *Client) ResumeJob(ctx context.Context, key fsm.JobKey) (Job, error) {
	return write[Job](ctx, c, request{method: http.MethodPost, path: jobPath(key) + "/resume", query: jobQuery(key)})
}

// RunJob starts a run by hand. With an idempotency key, a repeat with the same
// key returns the same run; without one (empty) each call is a run of its own.
func (c *Client) RunJob(ctx context.Context, key fsm.JobKey, idempotencyKey string) (Run, error) {
	return c.RunJobWith(ctx, key, nil, idempotencyKey)
}

// RunJobWith is RunJob with values for the job's parameters.
func (c *Client) RunJobWith(ctx context.Context, key fsm.JobKey, params map[string]string, idempotencyKey string) (Run, error) {
	r := request{method: http.MethodPost, path: jobPath(key) + "/run", query: jobQuery(key), header: http.Header{}}
	if len(params) > 0 {
		body, err := json.Marshal(map[string]any{"params": params})
		if err != nil {
			return Run{}, fmt.Errorf("encoding the params: %w", err)
		}
		r.body = body
		r.header.Set("Content-Type", "application/json")
	}
	if idempotencyKey != "" {
		r.header[HeaderIdempotencyKey] = []string{idempotencyKey}
	}
	return write[Run](ctx, c, r)
}

// Fires lists what became of a job's due instants, newest first.
func (c *Client) Fires(ctx context.Context, key fsm.JobKey, page Page, opt Read) (List[fsm.Fire], error) {
	q := jobQuery(key)
	page.put(q)
	list, _, err := read[List[fsm.Fire]](ctx, c, jobPath(key)+"/fires", q, opt)
	return list, err
}

// RunFilter says which runs to list. Zero fields do not restrict.
type RunFilter struct {
	Namespace string
	Job       string
	State     fsm.RunState
}

// Runs lists runs, newest first.
func (c *Client) Runs(ctx context.Context, filter RunFilter, page Page, opt Read) (List[fsm.Run], error) {
	q := jobQuery(fsm.JobKey{Namespace: filter.Namespace})
	if filter.Job != "" {
		q.Set("job", filter.Job)
	}
	if filter.State != "" {
		q.Set("state", string(filter.State))
	}
	page.put(q)
	list, _, err := read[List[fsm.Run]](ctx, c, "/v1/runs", q, opt)
	return list, err
}

// Run returns a run with its tasks, by its id or a unique beginning of it of at
// least six characters. The index is how new the answer is: give it as
// Read.After to wait for the next change.
func (c *Client) Run(ctx context.Context, id string, opt Read) (Run, uint64, error) {
	return read[Run](ctx, c, "/v1/runs/"+url.PathEscape(id), url.Values{}, opt)
}

// CancelRun asks for the end of a run. Its processes may still be stopping when
// the answer comes.
func (c *Client) CancelRun(ctx context.Context, id string) (Run, error) {
	return write[Run](ctx, c, request{method: http.MethodPost, path: "/v1/runs/" + url.PathEscape(id) + "/cancel"})
}

// RetryRun takes up a run that has failed or was cancelled: what did not succeed
// of it, and what hangs on that.
func (c *Client) RetryRun(ctx context.Context, id string) (Run, error) {
	return write[Run](ctx, c, request{method: http.MethodPost, path: "/v1/runs/" + url.PathEscape(id) + "/retry"})
}

// LogQuery says whose output to read. Zero fields mean: the only task, the
// first shard, the newest attempt, both streams, from the beginning.
type LogQuery struct {
	Task    string
	Shard   int
	Attempt int
	// Stream is "stdout", "stderr" or "both".
	Stream string
	// Tail is the number of bytes before the end to begin at.
	Tail int64
	// Follow goes on until the attempt has ended.
	Follow bool
}

// Logs returns the output of one attempt as it is read. The caller closes it,
// and may end it with ctx. Nothing bounds its length or its time.
func (c *Client) Logs(ctx context.Context, runID string, query LogQuery) (io.ReadCloser, error) {
	q := url.Values{}
	if query.Task != "" {
		q.Set("task", query.Task)
	}
	if query.Shard > 0 {
		q.Set("shard", strconv.Itoa(query.Shard))
	}
	if query.Attempt > 0 {
		q.Set("attempt", strconv.Itoa(query.Attempt))
	}
	if query.Stream != "" {
		q.Set("stream", query.Stream)
	}
	if query.Tail > 0 {
		q.Set("tail", strconv.FormatInt(query.Tail, 10))
	}
	if query.Follow {
		q.Set("follow", "true")
	}
	resp, err := c.send(ctx, request{method: http.MethodGet, path: "/v1/runs/" + url.PathEscape(runID) + "/logs", query: q})
	if err != nil {
		return nil, err
	}
	return resp.Body, nil
}

// Pools lists the cluster's pools.
func (c *Client) Pools(ctx context.Context, page Page, opt Read) (List[fsm.Pool], error) {
	q := url.Values{}
	page.put(q)
	list, _, err := read[List[fsm.Pool]](ctx, c, "/v1/pools", q, opt)
	return list, err
}

// DeletePool removes a pool that no job names.
func (c *Client) DeletePool(ctx context.Context, name string) error {
	_, err := c.call(ctx, request{method: http.MethodDelete, path: "/v1/pools/" + url.PathEscape(name)}, nil)
	return err
}

// Nodes lists the cluster's nodes.
func (c *Client) Nodes(ctx context.Context, page Page, opt Read) (List[Node], error) {
	q := url.Values{}
	page.put(q)
	list, _, err := read[List[Node]](ctx, c, "/v1/nodes", q, opt)
	return list, err
}

// SetNodeStatus changes what an operator says of a node: ready, draining,
// maintenance or standby.
func (c *Client) SetNodeStatus(ctx context.Context, name string, status NodeStatus) (Node, error) {
	body, err := json.Marshal(status)
	if err != nil {
		return Node{}, fmt.Errorf("encoding the status: %w", err)
	}
	return write[Node](ctx, c, request{
		method: http.MethodPut, path: "/v1/nodes/" + url.PathEscape(name) + "/status",
		header: http.Header{"Content-Type": {"application/json"}}, body: body,
	})
}

// NotificationFilter says which notifications to list. Zero fields do not restrict.
type NotificationFilter struct {
	Namespace string
	Job       string
	Status    fsm.NotificationStatus
}

// Notifications lists what waits to be delivered, and what has failed or was
// dropped not long ago, newest first.
func (c *Client) Notifications(ctx context.Context, filter NotificationFilter, page Page, opt Read) (List[fsm.Notification], error) {
	q := jobQuery(fsm.JobKey{Namespace: filter.Namespace})
	if filter.Job != "" {
		q.Set("job", filter.Job)
	}
	if filter.Status != "" {
		q.Set("status", string(filter.Status))
	}
	page.put(q)
	list, _, err := read[List[fsm.Notification]](ctx, c, "/v1/notifications", q, opt)
	return list, err
}

// RTT returns the round trips in the cluster, as the node that is asked estimates
// them.
func (c *Client) RTT(ctx context.Context) (RTT, error) {
	rtt, _, err := read[RTT](ctx, c, "/v1/nodes/rtt", url.Values{}, Read{})
	return rtt, err
}

// Autoscale returns the autoscaler's settings and decisions.
func (c *Client) Autoscale(ctx context.Context) (Autoscale, error) {
	s, _, err := read[Autoscale](ctx, c, "/v1/autoscale", url.Values{}, Read{})
	return s, err
}

// PlanAutoscale asks what settings would do right now; nil means those that there
// are.
func (c *Client) PlanAutoscale(ctx context.Context, s *fsm.Autoscale) (ScalePlan, error) {
	var body []byte
	if s != nil {
		var err error
		if body, err = json.Marshal(s); err != nil {
			return ScalePlan{}, fmt.Errorf("encoding the settings: %w", err)
		}
	}
	return write[ScalePlan](ctx, c, request{
		method: http.MethodPost, path: "/v1/autoscale/plan",
		header: http.Header{"Content-Type": {"application/json"}}, body: body,
	})
}

// Settings returns the cluster's settings.
func (c *Client) Settings(ctx context.Context, opt Read) (fsm.Settings, error) {
	s, _, err := read[fsm.Settings](ctx, c, "/v1/settings", url.Values{}, opt)
	return s, err
}

// PutSettings replaces the cluster's settings. CodeConflict means that they were
// changed since IfIndex.
func (c *Client) PutSettings(ctx context.Context, s PutSettings) (fsm.Settings, error) {
	body, err := json.Marshal(s)
	if err != nil {
		return fsm.Settings{}, fmt.Errorf("encoding the settings: %w", err)
	}
	return write[fsm.Settings](ctx, c, request{
		method: http.MethodPut, path: "/v1/settings",
		header: http.Header{"Content-Type": {"application/json"}}, body: body,
	})
}

// Leader returns the node that leads; CodeNoLeader if none is known.
func (c *Client) Leader(ctx context.Context) (Leader, error) {
	leader, _, err := read[Leader](ctx, c, "/v1/leader", url.Values{}, Read{})
	return leader, err
}

// TransferLeader makes another node lead, and returns that one.
func (c *Client) TransferLeader(ctx context.Context) (Leader, error) {
	return write[Leader](ctx, c, request{method: http.MethodPost, path: "/v1/leader/transfer"})
}

// Version returns what the agent runs.
func (c *Client) Version(ctx context.Context) (Version, error) {
	version, _, err := read[Version](ctx, c, "/v1/version", url.Values{}, Read{})
	return version, err
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

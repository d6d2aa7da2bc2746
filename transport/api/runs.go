package api

import (
	"context"
	"io"
	"net/http"
	"net/url"

	"github.com/rota-scheduler/rota/fsm"
)

// RunFilter says which runs to list. Zero fields do not restrict.
type RunFilter struct {
	Namespace string
	Job       string
	State     fsm.RunState
}

func runPath(id string) string { return "/v1/runs/" + url.PathEscape(id) }

// Runs lists runs, newest first.
func (c *Client) Runs(ctx context.Context, filter RunFilter, page Page, opt Read) (List[fsm.Run], error) {
	q := queryOf("namespace", filter.Namespace, "job", filter.Job, "state", string(filter.State))
	return readList[fsm.Run](ctx, c, "/v1/runs", q, page, opt)
}

// Run returns a run with its tasks, by its id or a unique beginning of it of at
// least six characters. The index is how new the answer is: give it as
// Read.After to wait for the next change.
func (c *Client) Run(ctx context.Context, id string, opt Read) (Run, uint64, error) {
	return read[Run](ctx, c, runPath(id), url.Values{}, opt)
}

// CancelRun asks for the end of a run. Its processes may still be stopping when
// the answer comes.
func (c *Client) CancelRun(ctx context.Context, id string) (Run, error) {
	return write[Run](ctx, c, request{method: http.MethodPost, path: runPath(id) + "/cancel"})
}

// RetryRun takes up a run that has failed or was cancelled: what did not succeed
// of it, and what hangs on that.
func (c *Client) RetryRun(ctx context.Context, id string) (Run, error) {
	return write[Run](ctx, c, request{method: http.MethodPost, path: runPath(id) + "/retry"})
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
	q := queryOf(
		"task", query.Task, "shard", unless0(int64(query.Shard)), "attempt", unless0(int64(query.Attempt)),
		"stream", query.Stream, "tail", unless0(query.Tail),
	)
	if query.Follow {
		q.Set("follow", "true")
	}
	resp, err := c.send(ctx, request{method: http.MethodGet, path: runPath(runID) + "/logs", query: q})
	if err != nil {
		return nil, err
	}
	return resp.Body, nil
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
	q := queryOf("namespace", filter.Namespace, "job", filter.Job, "status", string(filter.Status))
	return readList[fsm.Notification](ctx, c, "/v1/notifications", q, page, opt)
}

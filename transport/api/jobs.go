package api

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/rota-scheduler/rota/fsm"
)

func jobQuery(key fsm.JobKey) url.Values {
	return queryOf("namespace", key.Namespace)
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
	return writeJSON[PutAnswer](ctx, c, putJobs(url.Values{}, dryRun), put)
}

// PutFile applies a job file as it is written. Its diagnostics, in the
// StatusError, name it by the given name. Jobs that state no namespace go to
// the given one, or to the default one if that is empty.
func (c *Client) PutFile(ctx context.Context, name string, src []byte, namespace string, dryRun bool) (PutAnswer, error) {
	r := putJobs(queryOf("namespace", namespace), dryRun)
	r.body = src
	r.header = http.Header{"Content-Type": {"application/hcl"}}
	if name != "" {
		r.header.Set(HeaderFilename, name)
	}
	return write[PutAnswer](ctx, c, r)
}

func putJobs(q url.Values, dryRun bool) request {
	if dryRun {
		q.Set("dry_run", "true")
	}
	return request{method: http.MethodPut, path: "/v1/jobs", query: q}
}

// Jobs lists the jobs of a namespace, or of all.
func (c *Client) Jobs(ctx context.Context, namespace string, page Page, opt Read) (List[Job], error) {
	return readList[Job](ctx, c, "/v1/jobs", queryOf("namespace", namespace), page, opt)
}

// Job returns a job with the content of one of its versions; 0 is the current.
func (c *Client) Job(ctx context.Context, key fsm.JobKey, version uint64) (Job, error) {
	q := jobQuery(key)
	if version > 0 {
		q.Set("version", strconv.FormatUint(version, 10))
	}
	return readOne[Job](ctx, c, jobPath(key), q, Read{})
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
	if idempotencyKey != "" {
		r.header[HeaderIdempotencyKey] = []string{idempotencyKey}
	}
	if len(params) > 0 {
		return writeJSON[Run](ctx, c, r, map[string]any{"params": params})
	}
	return write[Run](ctx, c, r)
}

// Fires lists what became of a job's due instants, newest first.
func (c *Client) Fires(ctx context.Context, key fsm.JobKey, page Page, opt Read) (List[fsm.Fire], error) {
	return readList[fsm.Fire](ctx, c, jobPath(key)+"/fires", jobQuery(key), page, opt)
}

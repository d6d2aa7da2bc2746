package httpapi

import (
	"fmt"
	"iter"
	"math"
	"net/http"
	"strconv"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/transport/api"
)

// listJobs serves GET /v1/jobs.
func (a *API) listJobs(r *http.Request) (reader, error) {
	q := r.URL.Query()
	ns, err := namespaceFilter(q)
	if err != nil {
		return nil, err
	}
	p, err := pageOf(q, 2)
	if err != nil {
		return nil, err
	}
	return func(v views) (reply, error) {
		watchJobs(v.watch)
		watchRuns(v.watch, fsm.JobKey{})
		watchSchedules(v.watch)
		var rows []api.Job
		var newest uint64
		for job := range jobsIn(v.now, ns, p.after) {
			row := jobOf(v.now, job)
			newest = max(newest, jobNewest(&row))
			if rows = append(rows, row); len(rows) > p.size {
				break
			}
		}
		list := listOf(rows, p, v.index(), func(j *api.Job) []string { return []string{j.Namespace, j.Name} })
		return reply{body: list, newest: newest}, nil
	}, nil
}

// jobsIn yields the jobs of a namespace, or of all, behind the given key.
func jobsIn(v *fsm.View, ns string, after []string) iter.Seq[*fsm.Job] {
	var start fsm.JobKey
	switch {
	case len(after) == 2:
		start = fsm.JobKey{Namespace: after[0], Name: after[1]}
	case ns != everyNamespace:
		start = fsm.JobKey{Namespace: ns} // before every job of it
	}
	return func(yield func(*fsm.Job) bool) {
		for job := range v.Jobs(start) {
			if ns != everyNamespace && job.Namespace != ns {
				return
			}
			if !yield(job) {
				return
			}
		}
	}
}

// getJob serves GET /v1/jobs/{name}.
func (a *API) getJob(r *http.Request) (reader, error) {
	key, err := jobKeyOf(r)
	if err != nil {
		return nil, err
	}
	version, err := numberOf(r.URL.Query(), "version", 0, math.MaxInt64)
	if err != nil {
		return nil, err
	}
	return func(v views) (reply, error) {
		job := v.watch.Job(key)
		v.watch.Stats(key)
		watchRuns(v.watch, key)
		for range v.watch.Cursors(key) {
			break
		}
		if job == nil {
			return reply{}, fmt.Errorf("job %s: %w", key, fsm.ErrNotFound)
		}
		row := jobOf(v.watch, job)
		n := uint64(version)
		if n == 0 {
			n = job.Version
		}
		kept := v.watch.Version(key, n)
		if kept == nil {
			return reply{}, fmt.Errorf("version %d of job %s: %w", n, key, fsm.ErrNotFound)
		}
		row.Spec = kept.Spec().Redacted()
		return reply{body: row, newest: jobNewest(&row)}, nil
	}, nil
}

func jobNewest(j *api.Job) uint64 {
	if j.LastRun == nil {
		return j.ModifyIndex
	}
	return max(j.ModifyIndex, j.LastRun.ModifyIndex)
}

// jobOf gathers what there is to see of a job.
func jobOf(v *fsm.View, job *fsm.Job) api.Job {
	key := job.Key()
	row := api.Job{Job: *job, Schedules: []string{}, Stats: v.Stats(key)}
	for run := range v.Runs(key) {
		if row.LastRun == nil || compareRuns(run, row.LastRun) < 0 {
			row.LastRun = run
		}
	}
	for cursor := range v.Cursors(key) {
		if cursor.Next != 0 && (row.Next == 0 || cursor.Next < row.Next) {
			row.Next = cursor.Next
		}
	}
	version := v.Version(key, job.Version)
	if version == nil {
		return row
	}
	spec := version.Spec()
	row.Description, row.Labels = spec.Description, spec.Labels
	for i := range spec.Schedules {
		row.Schedules = append(row.Schedules, describe(&spec.Schedules[i]))
	}
	return row
}

// describe puts a schedule into a few words: its expression and its zone.
func describe(s *fsm.Schedule) string {
	var text string
	switch {
	case s.Cron != "":
		text = s.Cron
	case s.Every != 0:
		text = "every " + s.Every.String()
	case len(s.At) == 1:
		text = "at " + s.At[0].String()
	default:
		text = "at " + strconv.Itoa(len(s.At)) + " instants"
	}
	if s.Timezone != "" {
		text += " " + s.Timezone
	}
	return text
}

// listFires serves GET /v1/jobs/{name}/fires, the newest first.
func (a *API) listFires(r *http.Request) (reader, error) {
	key, err := jobKeyOf(r)
	if err != nil {
		return nil, err
	}
	p, err := pageOf(r.URL.Query(), 1)
	if err != nil {
		return nil, err
	}
	before := int64(math.MaxInt64)
	if p.after != nil {
		if before, err = strconv.ParseInt(p.after[0], 10, 64); err != nil {
			return nil, badToken(r.URL.Query().Get("page_token"))
		}
	}
	return func(v views) (reply, error) {
		if v.watch.Job(key) == nil {
			return reply{}, fmt.Errorf("job %s: %w", key, fsm.ErrNotFound)
		}
		newest := first[fsm.Fire]{n: p.size + 1, compare: func(a, b fsm.Fire) int {
			return compareDown(a.ScheduledAt, b.ScheduledAt)
		}}
		for fire := range v.watch.Fires(key) {
			if int64(fire.ScheduledAt) < before {
				newest.add(*fire)
			}
		}
		return reply{body: listOf(newest.sorted(), p, v.index(), func(f *fsm.Fire) []string {
			return []string{strconv.FormatInt(int64(f.ScheduledAt), 10)}
		})}, nil
	}, nil
}

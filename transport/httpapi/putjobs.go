package httpapi

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/transport"
	"github.com/rota-scheduler/rota/transport/api"
)

// FilenameHeader names the file of PUT /v1/jobs in diagnostics.
const FilenameHeader = "X-Rota-Filename"

// putJobs serves PUT /v1/jobs: all of the jobs and pools, or none.
func (a *API) putJobs(w http.ResponseWriter, r *http.Request) error {
	dry, err := flagOf(r.URL.Query(), "dry_run")
	if err != nil {
		return err
	}
	put, err := a.bodyOf(r)
	if err != nil {
		return err
	}
	command, err := a.compile(r, put.Jobs)
	if err != nil {
		return err
	}
	if dry {
		v := a.cfg.Store.Read()
		results, err := wouldPut(v, &put)
		if err != nil {
			return err
		}
		return a.answerPut(w, v, put.Jobs, results, v.Index())
	}
	results, index, err := a.commitPut(r, command, put.Pools)
	if err != nil {
		return err
	}
	return a.answerPut(w, a.cfg.Store.Read(), put.Jobs, results, index)
}

// commitPut writes the jobs and, if there are any, the pools.
func (a *API) commitPut(r *http.Request, jobs *fsm.PutJobs, pools []fsm.PutPool) (fsm.ApplyResult, uint64, error) {
	op, command := fsm.OpPutJobs, any(jobs)
	if len(pools) > 0 {
		op, command = fsm.OpApplyFile, &fsm.ApplyFile{Pools: pools, PutJobs: *jobs}
	}
	if n := len(fsm.Encode(op, command)); n > fsm.MaxCommandBytes {
		return fsm.ApplyResult{}, 0, fmt.Errorf("%w: these jobs take %d bytes, at most %d go into one request", transport.ErrTooLarge, n, fsm.MaxCommandBytes)
	}
	value, index, err := a.propose(r, op, command)
	if err != nil {
		return fsm.ApplyResult{}, 0, err
	}
	switch results := value.(type) {
	case []fsm.PutResult:
		return fsm.ApplyResult{Jobs: results}, index, nil
	case fsm.ApplyResult:
		return results, index, nil
	}
	return fsm.ApplyResult{}, 0, fmt.Errorf("opcode %d answered %T", op, value)
}

func (a *API) answerPut(w http.ResponseWriter, v *fsm.View, specs []fsm.JobSpec, results fsm.ApplyResult, index uint64) error {
	setIndex(w, index)
	answer := api.PutAnswer{Pools: results.Pools}
	answer.Items, answer.Index = results.Jobs, index
	answer.Warnings = a.cfg.Jobs.Warnings(v, specs, results.Pools)
	return writeJSON(w, http.StatusOK, answer)
}

// bodyOf reads the body: JSON if it says so, otherwise a job file.
func (a *API) bodyOf(r *http.Request) (put api.PutJobs, err error) {
	ns, err := namespaceOf(r.URL.Query())
	if err != nil {
		return put, err
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return put, bodyError(err)
	}
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err == nil && kind == "application/json" {
		if put, err = bodyOfJSON(body, ns); err != nil {
			return put, err
		}
	} else {
		var diagnostics []api.Diagnostic
		put, diagnostics = a.cfg.Jobs.Parse(a.cfg.Store.Read(), filenameOf(r), body, ns)
		if len(diagnostics) > 0 {
			return put, refused(diagnostics)
		}
	}
	if len(put.Jobs)+len(put.Pools) == 0 {
		return put, badRequest("the body has no job; send at least one")
	}
	return put, nil
}

func bodyOfJSON(body []byte, ns string) (put api.PutJobs, err error) {
	if len(bytes.TrimSpace(body)) == 0 {
		return put, nil
	}
	if err := decodeJSON(body, &put); err != nil {
		return put, err
	}
	for i := range put.Jobs {
		if put.Jobs[i].Namespace == "" {
			put.Jobs[i].Namespace = ns
		}
	}
	return put, nil
}

// filenameOf is the name that diagnostics show. A header cannot carry every
// name as it is: it is escaped as in a URL.
func filenameOf(r *http.Request) string {
	name := r.Header.Get(FilenameHeader)
	if plain, err := url.PathUnescape(name); err == nil {
		name = plain
	}
	if name == "" {
		return "jobs.hcl"
	}
	return name
}

// compile checks the specs and computes what the command needs.
func (a *API) compile(r *http.Request, specs []fsm.JobSpec) (*fsm.PutJobs, error) {
	var wrong []api.Diagnostic
	command := &fsm.PutJobs{At: a.cfg.Clock(), Jobs: make([]fsm.PutJob, len(specs))}
	settings := a.cfg.Store.Read().Settings()
	for i := range specs {
		spec := &specs[i]
		if err := errors.Join(r.Context().Err(), settings.CheckSpec(spec)); err != nil {
			return nil, err
		}
		errs := spec.Validate()
		if len(errs) == 0 {
			errs = a.cfg.Jobs.Check(spec)
		}
		for _, e := range errs {
			wrong = append(wrong, api.Diagnostic{Summary: fmt.Sprintf("job %s: %s", spec.Key(), e)})
		}
		if len(errs) > 0 {
			continue
		}
		next, err := a.cfg.Jobs.FirstInstants(spec, command.At)
		if err != nil {
			wrong = append(wrong, api.Diagnostic{Summary: fmt.Sprintf("job %s: %s", spec.Key(), err)})
			continue
		}
		command.Jobs[i] = fsm.PutJob{Spec: *spec, Next: next}
	}
	if len(wrong) > 0 {
		return nil, refused(wrong)
	}
	return command, nil
}

// wouldPut says what a put of these jobs and pools would do.
func wouldPut(v *fsm.View, put *api.PutJobs) (result fsm.ApplyResult, err error) {
	limits := map[string]int{}
	for i := range put.Pools {
		p := &put.Pools[i]
		if err := p.Validate(); err != nil {
			return result, err
		}
		if _, twice := limits[p.Name]; twice {
			return result, fmt.Errorf("%w: pool %s stands twice in one request", fsm.ErrInvalid, p.Name)
		}
		limits[p.Name] = p.Limit
		old, known := v.PoolLimit(p.Name)
		result.Pools = append(result.Pools, fsm.PoolResult{Name: p.Name, Limit: p.Limit, Created: !known, Changed: !known || old != p.Limit})
	}
	for i := range put.Jobs {
		if err := put.Jobs[i].CheckPools(func(pool string) (int, bool) {
			if limit, known := limits[pool]; known {
				return limit, true
			}
			return v.PoolLimit(pool)
		}); err != nil {
			return result, fmt.Errorf("job %s: %w", put.Jobs[i].Key(), err)
		}
	}
	result.Jobs, err = wouldPutJobs(v, put.Jobs)
	return result, err
}

func wouldPutJobs(v *fsm.View, specs []fsm.JobSpec) ([]fsm.PutResult, error) {
	seen := make(map[fsm.JobKey]bool, len(specs))
	results := make([]fsm.PutResult, len(specs))
	for i := range specs {
		key := specs[i].Key()
		if seen[key] {
			return nil, fmt.Errorf("%w: job %s stands twice in one request", fsm.ErrInvalid, key)
		}
		seen[key] = true
		job := v.Job(key)
		if job == nil {
			results[i] = fsm.PutResult{Job: key, Version: 1, Created: true, Changed: true}
			continue
		}
		if job.Deleting {
			return nil, fmt.Errorf("job %s: %w", key, fsm.ErrDeleting)
		}
		results[i] = fsm.PutResult{Job: key, Version: job.Version}
		if old := v.Version(key, job.Version); old == nil || !sameSpec(old.Spec(), &specs[i]) {
			results[i].Version++
			results[i].Changed = true
		}
	}
	return results, nil
}

// sameSpec compares as the log does: by the encoding.
func sameSpec(a, b *fsm.JobSpec) bool {
	return bytes.Equal(fsm.Encode(fsm.OpPutJobs, a), fsm.Encode(fsm.OpPutJobs, b))
}

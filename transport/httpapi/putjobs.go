package httpapi

import (
	"bytes"
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

// putJobs serves PUT /v1/jobs: all of the jobs or none.
func (a *API) putJobs(w http.ResponseWriter, r *http.Request) error {
	dry, err := flagOf(r.URL.Query(), "dry_run")
	if err != nil {
		return err
	}
	specs, err := a.specsOf(r)
	if err != nil {
		return err
	}
	command, err := a.compile(r, specs)
	if err != nil {
		return err
	}
	if dry {
		v := a.cfg.Store.Read()
		results, err := wouldPut(v, specs)
		if err != nil {
			return err
		}
		return answerPut(w, results, v.Index())
	}
	if n := len(fsm.Encode(fsm.OpPutJobs, command)); n > fsm.MaxCommandBytes {
		return fmt.Errorf("%w: these jobs take %d bytes, at most %d go into one request", transport.ErrTooLarge, n, fsm.MaxCommandBytes)
	}
	value, index, err := a.propose(r, fsm.OpPutJobs, command)
	if err != nil {
		return err
	}
	results, ok := value.([]fsm.PutResult)
	if !ok {
		return fmt.Errorf("put_jobs answered %T", value)
	}
	return answerPut(w, results, index)
}

func answerPut(w http.ResponseWriter, results []fsm.PutResult, index uint64) error {
	setIndex(w, index)
	return writeJSON(w, http.StatusOK, api.List[fsm.PutResult]{Items: results, Index: index})
}

// specsOf reads the body: JSON if it says so, otherwise a job file.
func (a *API) specsOf(r *http.Request) ([]fsm.JobSpec, error) {
	ns, err := namespaceOf(r.URL.Query())
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, bodyError(err)
	}
	var specs []fsm.JobSpec
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err == nil && kind == "application/json" {
		if specs, err = specsOfJSON(body, ns); err != nil {
			return nil, err
		}
	} else {
		var diagnostics []api.Diagnostic
		specs, diagnostics = a.cfg.Jobs.Parse(filenameOf(r), body, ns)
		if len(diagnostics) > 0 {
			return nil, refused(diagnostics)
		}
	}
	if len(specs) == 0 {
		return nil, badRequest("the body has no job; send at least one")
	}
	return specs, nil
}

func specsOfJSON(body []byte, ns string) ([]fsm.JobSpec, error) {
	var put api.PutJobs
	if len(bytes.TrimSpace(body)) == 0 {
		return nil, nil
	}
	if err := decodeJSON(body, &put); err != nil {
		return nil, err
	}
	for i := range put.Jobs {
		if put.Jobs[i].Namespace == "" {
			put.Jobs[i].Namespace = ns
		}
	}
	return put.Jobs, nil
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
	for i := range specs {
		spec := &specs[i]
		if err := r.Context().Err(); err != nil {
			return nil, err
		}
		errs := spec.Validate()
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

// wouldPut says what a put of these specs would do.
func wouldPut(v *fsm.View, specs []fsm.JobSpec) ([]fsm.PutResult, error) {
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
		if old := v.Version(key, job.Version); old == nil || !sameSpec(&old.Spec, &specs[i]) {
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

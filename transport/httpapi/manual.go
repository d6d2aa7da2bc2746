package httpapi

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"github.com/oklog/ulid/v2"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/transport/api"
)

// IdempotencyHeader makes a repeat of POST run safe: the same key gives the same
// run, for as long as the run is kept.
const IdempotencyHeader = "Idempotency-Key"

const maxIdempotencyKey = 256

// startRun serves POST /v1/jobs/{name}/run.
func (a *API) startRun(w http.ResponseWriter, r *http.Request) error {
	key, err := jobKeyOf(r)
	if err != nil {
		return err
	}
	var body api.StartRun
	if err := decodeBody(r, &body); err != nil {
		return err
	}
	given, err := paramsOf(&body)
	if err != nil {
		return err
	}
	at := a.cfg.Clock()
	id, err := manualRunID(a.cfg.Store.Read().Job(key), r.Header.Get(IdempotencyHeader), at)
	if err != nil {
		return err
	}
	index, err := a.proposeRun(r, &fsm.StartRun{At: at, ID: id, Job: key, Params: given})
	if err != nil {
		return err
	}
	if err := a.awaitRelease(r, id); err != nil {
		return err
	}
	v := a.cfg.Store.Read()
	run := v.Run(id)
	if run == nil {
		return fmt.Errorf("run %s: %w", id, fsm.ErrNotFound) // its job was deleted meanwhile
	}
	if err := refusal(run); err != nil {
		return err
	}
	return answerRun(w, v, run, http.StatusCreated, index)
}

// paramsOf takes the values of a request as texts.
func paramsOf(body *api.StartRun) (map[string]string, error) {
	if len(body.Params) == 0 {
		return nil, nil
	}
	params := make(map[string]string, len(body.Params))
	for name, raw := range body.Params {
		var value any
		d := json.NewDecoder(bytes.NewReader(raw))
		d.UseNumber()
		if err := d.Decode(&value); err != nil {
			return nil, badRequest("params: %q: %s", name, err)
		}
		switch v := value.(type) {
		case string:
			params[name] = v
		case json.Number:
			params[name] = v.String()
		case bool:
			params[name] = strconv.FormatBool(v)
		default:
			return nil, badRequest("params: %q: want a string, a number or a boolean", name)
		}
	}
	return params, nil
}

// versionRaces is how often a run is proposed anew because its job was changed
// between the check of its params and the log.
const versionRaces = 3

// proposeRun checks a run's params, patterns included, which Apply leaves out,
// and proposes it for the version that they were checked against.
func (a *API) proposeRun(r *http.Request, command *fsm.StartRun) (index uint64, err error) {
	for range versionRaces {
		v := a.cfg.Store.Read()
		job := v.Job(command.Job)
		known := v.Run(command.ID) != nil // a repeat: it is what it was
		if job != nil && !known {
			spec := v.Version(command.Job, job.Version).Spec()
			if _, err := spec.ResolveParams(command.Params); err != nil {
				return 0, err
			}
			if len(spec.Params) > 0 {
				command.Version = job.Version
			}
		}
		_, index, err = a.propose(r, fsm.OpStartRun, command)
		if command.Version == 0 || !errors.Is(err, fsm.ErrConflict) {
			return index, err
		}
	}
	return index, err
}

// awaitRelease waits for a run to wait for no other. One that still does when the
// time is up has been accepted all the same: its waits_for says so.
func (a *API) awaitRelease(r *http.Request, id string) error {
	_, err := a.holds(r, a.limits.release, func(v *fsm.View) bool {
		run := v.Run(id)
		return run == nil || len(run.WaitsFor) == 0
	})
	return err
}

// retryRun serves POST /v1/runs/{id}/retry.
func (a *API) retryRun(w http.ResponseWriter, r *http.Request) error {
	if err := decodeBody(r, &struct{}{}); err != nil {
		return err
	}
	v := a.cfg.Store.Read()
	id, err := findRun(v, r.PathValue("id"))
	if err != nil {
		return err
	}
	_, index, err := a.propose(r, fsm.OpRetryRun, &fsm.RetryRun{At: a.cfg.Clock(), ID: id, Number: v.Run(id).Retries + 1})
	if err != nil {
		return err
	}
	if err := a.awaitRelease(r, id); err != nil {
		return err
	}
	v = a.cfg.Store.Read()
	run := v.Run(id)
	switch {
	case run == nil:
		return fmt.Errorf("run %s: %w", id, fsm.ErrNotFound)
	case run.State == fsm.RunCancelled && run.Reason == fsm.ReasonOverlap:
		return fmt.Errorf("job %s, run %s: %w", run.JobKey(), run.ID, fsm.ErrOverlap)
	}
	return answerRun(w, v, run, http.StatusOK, index)
}

// refusal tells a run that was accepted and then could not start from one that
// did.
func refusal(run *fsm.Run) error {
	if run.State != fsm.RunCancelled || run.Opened {
		return nil
	}
	switch run.Reason {
	case fsm.ReasonOverlap:
		return fmt.Errorf("job %s, run %s: %w", run.JobKey(), run.ID, fsm.ErrOverlap)
	case fsm.ReasonPaused:
		return fmt.Errorf("%w: job %s was paused before run %s could start", fsm.ErrConflict, run.JobKey(), run.ID)
	}
	return nil
}

// manualRunID returns the identity of a manual run of a job, nil if there is none.
// With an idempotency key it is a function of the key, so that the log itself
// refuses to make it twice, and of the job's making: a job that was deleted and
// applied anew has forgotten its runs, and none of the new ones may be taken for
// an old one, by a report that comes late or by an attempt's key.
func manualRunID(job *fsm.Job, key string, at fsm.Time) (string, error) {
	if len(key) > maxIdempotencyKey {
		return "", badRequest("%s has %d bytes; at most %d", IdempotencyHeader, len(key), maxIdempotencyKey)
	}
	var id ulid.ULID
	if key != "" && job != nil {
		sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00%s\x00%d\x00%s", job.Namespace, job.Name, job.CreateIndex, key))
		copy(id[:], sum[:])
		return id.String(), nil
	}
	if err := id.SetTime(ulid.Timestamp(at.Time())); err != nil {
		return "", fmt.Errorf("cluster time %s: %w", at, err)
	}
	if _, err := rand.Read(id[6:]); err != nil {
		return "", fmt.Errorf("reading random bytes: %w", err)
	}
	return id.String(), nil
}

// cancelRun serves POST /v1/runs/{id}/cancel.
func (a *API) cancelRun(w http.ResponseWriter, r *http.Request) error {
	if err := decodeBody(r, &struct{}{}); err != nil {
		return err
	}
	id, err := findRun(a.cfg.Store.Read(), r.PathValue("id"))
	if err != nil {
		return err
	}
	_, index, err := a.propose(r, fsm.OpCancelRun, &fsm.CancelRun{At: a.cfg.Clock(), ID: id})
	if err != nil {
		return err
	}
	v := a.cfg.Store.Read()
	run := v.Run(id)
	if run == nil {
		return fmt.Errorf("run %s: %w", id, fsm.ErrNotFound)
	}
	return answerRun(w, v, run, http.StatusOK, index)
}

func answerRun(w http.ResponseWriter, v *fsm.View, run *fsm.Run, status int, index uint64) error {
	var row api.Run
	row, _ = runOf(v, v, run, false)
	setIndex(w, max(index, v.Index()))
	return writeJSON(w, status, row)
}

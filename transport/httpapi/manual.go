package httpapi

import (
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"net/http"

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
	if err := decodeBody(r, &struct{}{}); err != nil {
		return err
	}
	at := a.cfg.Clock()
	id, err := manualRunID(key, r.Header.Get(IdempotencyHeader), at)
	if err != nil {
		return err
	}
	_, index, err := a.propose(r, fsm.OpStartRun, &fsm.StartRun{At: at, ID: id, Job: key})
	if err != nil {
		return err
	}
	// A run that still waits when the time is up has been accepted all the same:
	// its waits_for says so.
	if _, err := a.holds(r, a.limits.release, func(v *fsm.View) bool {
		run := v.Run(id)
		return run == nil || len(run.WaitsFor) == 0
	}); err != nil {
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

// manualRunID returns the identity of a manual run. With an idempotency key it
// is a function of the key, so that the log itself refuses to make it twice.
func manualRunID(job fsm.JobKey, key string, at fsm.Time) (string, error) {
	if len(key) > maxIdempotencyKey {
		return "", badRequest("%s has %d bytes; at most %d", IdempotencyHeader, len(key), maxIdempotencyKey)
	}
	var id ulid.ULID
	if key != "" {
		sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00%s\x00%s", job.Namespace, job.Name, key))
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
	row, _ = runOf(v, v, run)
	setIndex(w, max(index, v.Index()))
	return writeJSON(w, status, row)
}

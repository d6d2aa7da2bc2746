package httpapi

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/rota-scheduler/rota/fsm"
)

// maxNamed bounds how many runs an error names.
const maxNamed = 5

// keyAndWait is the job that a request is about, and how long it waits for the
// cluster to settle.
func keyAndWait(r *http.Request) (fsm.JobKey, time.Duration, error) {
	key, err := jobKeyOf(r)
	if err != nil {
		return key, 0, err
	}
	wait, err := waitOf(r.URL.Query())
	return key, wait, err
}

// pauseJob serves POST /v1/jobs/{name}/pause. It answers when nothing more of
// the job will start; runs that have started go on.
func (a *API) pauseJob(w http.ResponseWriter, r *http.Request) error {
	key, wait, err := keyAndWait(r)
	if err != nil {
		return err
	}
	_, index, err := a.propose(r, fsm.OpSetPaused, &fsm.SetPaused{At: a.cfg.Clock(), Job: key, Paused: true})
	if err != nil {
		return err
	}
	settled, err := a.holds(r, wait, func(v *fsm.View) bool { return len(outstanding(v, key)) == 0 })
	if err != nil {
		return err
	}
	if !settled {
		return unsettled("paused", key, outstanding(a.cfg.Store.Read(), key))
	}
	return a.answerJob(w, key, index)
}

// resumeJob serves POST /v1/jobs/{name}/resume.
func (a *API) resumeJob(w http.ResponseWriter, r *http.Request) error {
	key, err := jobKeyOf(r)
	if err != nil {
		return err
	}
	_, index, err := a.propose(r, fsm.OpSetPaused, &fsm.SetPaused{At: a.cfg.Clock(), Job: key})
	if err != nil {
		return err
	}
	return a.answerJob(w, key, index)
}

func (a *API) answerJob(w http.ResponseWriter, key fsm.JobKey, index uint64) error {
	v := a.cfg.Store.Read()
	job := v.Job(key)
	if job == nil {
		return fmt.Errorf("job %s: %w", key, fsm.ErrNotFound) // deleted meanwhile
	}
	setIndex(w, max(index, v.Index()))
	return writeJSON(w, http.StatusOK, jobOf(v, job))
}

// deleteJob serves DELETE /v1/jobs/{name}. It answers when nothing more of the
// job will start and what runs is being killed.
func (a *API) deleteJob(w http.ResponseWriter, r *http.Request) error {
	key, wait, err := keyAndWait(r)
	if err != nil {
		return err
	}
	_, index, err := a.propose(r, fsm.OpDeleteJob, &fsm.DeleteJob{At: a.cfg.Clock(), Job: key})
	if err != nil {
		return err
	}
	settled, err := a.holds(r, wait, func(v *fsm.View) bool {
		// Gone, or gone and applied anew by somebody else.
		job := v.Job(key)
		return job == nil || !job.Deleting || len(retracting(v, key)) == 0
	})
	if err != nil {
		return err
	}
	if !settled {
		return unsettled("being deleted", key, retracting(a.cfg.Store.Read(), key))
	}
	setIndex(w, max(index, a.cfg.Store.Index()))
	return writeJSON(w, http.StatusOK, struct{}{})
}

// outstanding returns the gates of a job that a node may still start. A run that
// is known to have started goes on through a pause, retries included.
func outstanding(v *fsm.View, key fsm.JobKey) []*fsm.Shard {
	var gates []*fsm.Shard
	for run := range v.ActiveRuns(key) {
		if run.Opened {
			continue
		}
		if gate := v.Shard(run.ID, run.Gate, 0); gate != nil && startable(gate) {
			gates = append(gates, gate)
		}
	}
	return gates
}

// retracting returns every shard of a job that a node may still start.
func retracting(v *fsm.View, key fsm.JobKey) []*fsm.Shard {
	var shards []*fsm.Shard
	for run := range v.ActiveRuns(key) {
		for s := range v.Shards(run.ID) {
			if startable(s) {
				shards = append(shards, s)
			}
		}
	}
	return shards
}

// startable: a node holds it and has not said that it never started it.
func startable(s *fsm.Shard) bool {
	return s.State == fsm.ShardArmed || s.State == fsm.ShardRetracting
}

// unsettled says what a pause or a delete still waits for.
func unsettled(what string, key fsm.JobKey, left []*fsm.Shard) error {
	var names []string
	for _, s := range left[:min(len(left), maxNamed)] {
		names = append(names, fmt.Sprintf("run %s task %s (%s on node %s)", s.RunID, s.Task, s.State, s.Current.Node))
	}
	if more := len(left) - len(names); more > 0 {
		names = append(names, fmt.Sprintf("and %d more", more))
	}
	return fmt.Errorf("job %s is %s, but %d starts that nodes hold were %w: %s",
		key, what, len(left), errTimeout, strings.Join(names, ", "))
}

package agent

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/rota-scheduler/rota/scheduling/executor/proc"
)

// clockFile keeps cluster time over a restart of the agent (rule 0). An agent that
// leads right after its start has heard no leader yet: without the file it would
// make its wall clock the cluster's.
const clockFile = "clock.json"

// clockKept is by how much cluster time may move against the monotonic clock
// before the file is written anew.
const clockKept = time.Millisecond

// savedClock is what the file holds. An offset from the monotonic clock is good
// for as long as the machine is up.
type savedClock struct {
	Boot   string `json:"boot"`
	Offset int64  `json:"offset"`          // cluster time less mono, in nanoseconds
	Doubt  int64  `json:"doubt,omitempty"` // how much later it may be, in nanoseconds
}

// restoreClock takes up cluster time where an earlier life of the agent had it.
func (a *Agent) restoreClock() {
	boot, err := proc.BootID()
	if err != nil {
		a.logger.Warn("cluster time is not kept over restarts", "error", err)
		return
	}
	a.saved.Boot = boot
	data, err := os.ReadFile(filepath.Join(a.cfg.DataDir, clockFile))
	var saved savedClock
	if err == nil {
		err = json.Unmarshal(data, &saved)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		a.logger.Warn("the kept cluster time cannot be read; the leader will tell it", "error", err)
	case saved.Boot == boot:
		a.clock.Restore(saved.Offset, saved.Doubt)
		a.saved = saved
	}
}

// saveClock keeps cluster time, if it has moved. There is no fsync: the file need
// survive the process, not the machine. Only the heartbeat calls it.
func (a *Agent) saveClock() {
	offset, doubt := a.clock.Offset()
	still := doubt == a.saved.Doubt && time.Duration(offset-a.saved.Offset).Abs() < clockKept
	if still || a.saved.Boot == "" {
		return
	}
	next := savedClock{a.saved.Boot, offset, doubt}
	data, err := json.Marshal(next)
	path := filepath.Join(a.cfg.DataDir, clockFile)
	if err == nil {
		err = os.WriteFile(path+".new", data, 0o600)
	}
	if err == nil {
		err = os.Rename(path+".new", path)
	}
	if err != nil {
		a.logger.Warn("cluster time could not be kept for a restart", "error", err)
	}
	a.saved = next // a disk that fails is not tried at every heartbeat
}

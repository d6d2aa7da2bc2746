package sim

import (
	"strings"
	"sync"
	"time"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/scheduling/executor/proc"
)

// Start is one start of a process, as its own host saw it in true time.
type Start struct {
	Node        string
	Job         string
	ScheduledAt string // RFC 3339; empty for a manual run
	Ref         fsm.AttemptRef
	Begin, End  time.Time // End is zero while it runs
	Outcome     proc.Outcome
}

// Recorder holds every start. All methods may be called concurrently.
type Recorder struct {
	mu     sync.Mutex
	starts []*Start
}

func (r *Recorder) start(node string, req proc.StartRequest, at time.Time) *Start {
	s := &Start{Node: node, Begin: at}
	s.Ref, _ = fsm.ParseAttemptRef(req.ID)
	for _, kv := range req.Env {
		name, value, _ := strings.Cut(kv, "=")
		switch name {
		case "ROTA_JOB":
			s.Job = value
		case "ROTA_SCHEDULED_AT":
			s.ScheduledAt = value
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.starts = append(r.starts, s)
	return s
}

func (r *Recorder) end(s *Start, outcome proc.Outcome, at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s.End, s.Outcome = at, outcome
}

// Starts returns a copy of what was recorded, in the order of the starts.
func (r *Recorder) Starts() []Start {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := make([]Start, len(r.starts))
	for i, s := range r.starts {
		list[i] = *s
	}
	return list
}

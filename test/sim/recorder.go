package sim

import (
	"cmp"
	"fmt"
	"strconv"
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
	Fence       uint64
	Argv        []string
	Begin, End  time.Time // End is zero while it runs
	Outcome     proc.Outcome
	// Grace is what its task gives it to die in.
	Grace time.Duration
	// Due is when it should have been killed, if its supervisor was frozen then, and
	// Thawed when that ended.
	Due, Thawed time.Time
}

// Recorder holds every start. All methods may be called concurrently.
type Recorder struct {
	mu     sync.Mutex
	starts []*Start
}

func (r *Recorder) start(node string, req proc.StartRequest, at time.Time) *Start {
	s := &Start{Node: node, Begin: at, Argv: req.Argv, Grace: cmp.Or(req.Grace, proc.DefaultGrace)}
	s.Ref, _ = fsm.ParseAttemptRef(req.ID)
	for _, kv := range req.Env {
		name, value, _ := strings.Cut(kv, "=")
		switch name {
		case "ROTA_JOB":
			s.Job = value
		case "ROTA_SCHEDULED_AT":
			s.ScheduledAt = value
		case "ROTA_FENCE":
			s.Fence, _ = strconv.ParseUint(value, 10, 64)
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

// spared notes that a process should have been killed, and could not.
func (r *Recorder) spared(s *Start, at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s.Due.IsZero() {
		s.Due = at
	}
}

// thawed notes that it can be killed now.
func (r *Recorder) thawed(s *Start, at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !s.Due.IsZero() && s.Thawed.IsZero() {
		s.Thawed = at
	}
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

// String describes a start for people.
func (s Start) String() string {
	end := "still alive"
	if !s.End.IsZero() {
		end = string(s.Outcome) + " at " + s.End.UTC().Format(time.RFC3339Nano)
	}
	return fmt.Sprintf("%s on %s at %s, %s", s.Ref, s.Node, s.Begin.UTC().Format(time.RFC3339Nano), end)
}

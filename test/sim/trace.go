package sim

import (
	"fmt"
	"sync"
	"time"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/test/check"
)

// Trace holds what happened, for the story of a failure. All methods may be
// called concurrently.
type Trace struct {
	mu     sync.Mutex
	events []check.Event
	writes []storedRange
}

// storedRange says that a node had entries of the log on its disk at an instant.
type storedRange struct {
	at          time.Time
	node        string
	first, last uint64
}

// Note adds an event that concerns everybody.
func (t *Trace) Note(node, format string, args ...any) {
	t.add(check.Event{At: time.Now(), Node: node, Text: fmt.Sprintf(format, args...)})
}

// attempt adds an event of an attempt.
func (t *Trace) attempt(node, id, format string, args ...any) {
	ref, err := fsm.ParseAttemptRef(id)
	if err != nil {
		return
	}
	t.add(check.Event{At: time.Now(), Node: node, Runs: []string{ref.RunID}, Text: id + ": " + fmt.Sprintf(format, args...)})
}

func (t *Trace) add(e check.Event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.events = append(t.events, e)
}

func (t *Trace) stored(node string, first, last uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.writes = append(t.writes, storedRange{time.Now(), node, first, last})
}

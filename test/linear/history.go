package linear

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
)

// History is what clients asked and were told. All methods may be called
// concurrently.
type History struct {
	mu   sync.Mutex
	tick int64 // a clock that orders begins and ends, also those of one instant
	ops  []porcupine.Operation
}

// begin returns the instant of a call's begin.
func (h *History) begin() int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.tick++
	return h.tick
}

// end adds a call.
func (h *History) end(client int, began int64, in Input, out Output) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.tick++
	ended := h.tick
	if out.Unknown {
		ended = math.MaxInt64
	}
	h.ops = append(h.ops, porcupine.Operation{ClientId: client, Input: in, Call: began, Output: out, Return: ended})
}

// Count returns how many calls were answered, and how many not.
func (h *History) Count() (answered, unknown int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, op := range h.ops {
		if op.Output.(Output).Unknown {
			unknown++
		} else {
			answered++
		}
	}
	return answered, unknown
}

// patience bounds the search for an order.
const patience = time.Minute

// Check fails the test unless some order of the calls explains every answer. It
// then leaves a picture of the history for people.
func (h *History) Check(t testing.TB) {
	t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	result, info := porcupine.CheckOperationsVerbose(model, h.ops, patience)
	switch result {
	case porcupine.Ok:
		return
	case porcupine.Unknown:
		t.Errorf("no order of %d calls was found within %s, nor that there is none", len(h.ops), patience)
		return
	}
	path := filepath.Join(os.TempDir(), fmt.Sprintf("rota-history-%d.html", time.Now().UnixNano()))
	if err := porcupine.VisualizePath(model, info, path); err != nil {
		path = err.Error()
	}
	t.Errorf("%d calls were answered as no single machine would have; the history: %s", len(h.ops), path)
}

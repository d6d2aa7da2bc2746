package httpapi

import (
	"errors"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/rota-scheduler/rota/transport"
)

// Headers of answers.
const (
	// IndexHeader is the log index that an answer is at least as new as.
	IndexHeader = "X-Rota-Index"
	// LogSourceHeader says where a log came from: "node", or "tail" if only the
	// replicated end of the output was left.
	LogSourceHeader = "X-Rota-Log-Source"
)

// maxBody bounds the body of a request in bytes.
const maxBody = 16 << 20

// limits are the bounds that tests make smaller.
type limits struct {
	blocked, events, logs slots
	pace                  time.Duration // between answers to a blocked read that cannot be dated
	recheck               time.Duration // between looks at the index while blocked
	beat                  time.Duration // between signs of life in an event stream
	eventPause            time.Duration // between looks for events
	propose               time.Duration
	release               time.Duration // for a manual run to be let go
}

// API is the handler of all paths. Create it with [New].
type API struct {
	cfg     Config
	limits  limits
	handler http.Handler
}

// New returns the API of a node.
func New(cfg Config) *API {
	a := &API{cfg: cfg, limits: limits{
		blocked: newSlots(2048), events: newSlots(64), logs: newSlots(256),
		pace: 100 * time.Millisecond, recheck: time.Second,
		beat: 10 * time.Second, eventPause: 50 * time.Millisecond,
		propose: 10 * time.Second, release: 30 * time.Second,
	}}
	a.handler = http.MaxBytesHandler(a.routes(), maxBody)
	return a
}

// ServeHTTP implements http.Handler.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	tracked := &trackedWriter{ResponseWriter: w}
	w.Header().Set(transport.NodeHeader, a.cfg.NodeName)
	defer a.recovered(tracked, r)
	a.handler.ServeHTTP(tracked, r)
}

// recovered keeps a panic of a handler from the others.
func (a *API) recovered(w *trackedWriter, r *http.Request) {
	p := recover()
	if p == nil {
		return
	}
	// net/http's own way to cut a connection, which the forwarder uses.
	if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		panic(p)
	}
	a.cfg.Logger.Error("a handler of the API panicked", "method", r.Method, "path", r.URL.Path,
		"panic", p, "stack", string(debug.Stack()))
	if w.written {
		panic(http.ErrAbortHandler) // the client must not take half an answer for a whole one
	}
	WriteError(w, r, errors.New("panic"))
}

// handler is a handler that leaves the answering of its failures to the API.
type handler func(w http.ResponseWriter, r *http.Request) error

func (a *API) handle(h handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := h(w, r); err != nil {
			a.fail(w, r, err)
		}
	})
}

// fail answers a failure, unless an answer has begun: then it is cut off.
func (a *API) fail(w http.ResponseWriter, r *http.Request, err error) {
	status, _, known := answerOf(err)
	level := slog.LevelDebug
	if !known {
		level = slog.LevelError
	}
	a.cfg.Logger.Log(r.Context(), level, "a request of the API failed",
		"method", r.Method, "path", r.URL.Path, "status", status, "error", err)
	if t, ok := w.(*trackedWriter); ok && t.written {
		panic(http.ErrAbortHandler)
	}
	WriteError(w, r, err)
}

// trackedWriter remembers whether an answer has begun.
type trackedWriter struct {
	http.ResponseWriter
	written bool
}

func (w *trackedWriter) WriteHeader(status int) {
	w.written = true
	w.ResponseWriter.WriteHeader(status)
}

func (w *trackedWriter) Write(b []byte) (int, error) {
	w.written = true
	return w.ResponseWriter.Write(b)
}

// Unwrap serves http.ResponseController.
func (w *trackedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// slots bounds how many requests of a kind there are at a time.
type slots chan struct{}

func newSlots(n int) slots { return make(slots, n) }

// take returns what gives the slot back, or errBusy.
func (s slots) take() (release func(), err error) {
	select {
	case s <- struct{}{}:
		return func() { <-s }, nil
	default:
		return nil, errBusy
	}
}

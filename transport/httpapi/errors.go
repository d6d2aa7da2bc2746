package httpapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/transport"
	"github.com/rota-scheduler/rota/transport/api"
)

// Codes that only this package gives.
const (
	// CodeBusy: as many requests of this kind as are allowed are waiting.
	CodeBusy = "busy"
	// CodeMethod: the path is there, but not with this method.
	CodeMethod = "method_not_allowed"
)

var (
	errBusy    = errors.New("too many requests of this kind are waiting")
	errTimeout = errors.New("not settled in time")
	errNoLog   = errors.New("no part of the log is kept elsewhere")
	errStopped = errors.New("the node is shutting down")
)

// row says how a failure is answered.
type row struct {
	err    error
	status int
	code   string
	// advice says what to do. It follows the error's own text, or, where that
	// would show what is no client's business, stands alone.
	advice string
	alone  bool
}

// table is the one mapping from failures to answers. The first match counts.
var table = []row{
	{transport.ErrUnknownFate, http.StatusGatewayTimeout, api.CodeUnknownFate,
		"the answer of the leader was lost: the change may or may not have happened; look, or repeat the request (POST run with the same Idempotency-Key)", true},
	{transport.ErrNoLeader, http.StatusServiceUnavailable, api.CodeNoLeader,
		"the cluster has no leader at the moment, nothing was changed; try again in a second, and see GET /v1/nodes if it stays so", true},
	{transport.ErrLoop, http.StatusServiceUnavailable, api.CodeNoLeader,
		"the nodes disagree about who leads, nothing was changed; try again in a second", true},
	{transport.ErrUnreachable, http.StatusServiceUnavailable, api.CodeUnreachable,
		"the node that must answer this cannot be reached, nothing was changed; try again, and see GET /v1/nodes", true},
	{transport.ErrTooLarge, http.StatusRequestEntityTooLarge, api.CodeTooLarge, "send less at once", false},
	{fsm.ErrDeleting, http.StatusConflict, api.CodeDeleting, "wait until its last run has ended, then apply it again", false},
	{fsm.ErrOverlap, http.StatusConflict, api.CodeOverlap, "wait for that run to end, or cancel it", false},
	{fsm.ErrEnded, http.StatusConflict, api.CodeEnded, "there is nothing left to cancel", false},
	{fsm.ErrFormat, http.StatusConflict, api.CodeUpgrading, "GET /v1/nodes shows the version of each node; upgrade the rest, then repeat it", false},
	{fsm.ErrConflict, http.StatusConflict, api.CodeConflict, "", false},
	{fsm.ErrStale, http.StatusConflict, api.CodeConflict, "read it again and repeat the change", false},
	{fsm.ErrNotFound, http.StatusNotFound, api.CodeNotFound, "check the name and the namespace", false},
	{fsm.ErrInvalid, http.StatusUnprocessableEntity, api.CodeInvalid, "correct it and send it again", false},
	{errBusy, http.StatusServiceUnavailable, CodeBusy, "try again in a moment, or ask another node", false},
	{errStopped, http.StatusServiceUnavailable, api.CodeUnreachable, "ask another node", false},
	{errNoLog, http.StatusServiceUnavailable, api.CodeUnreachable, "try again when the node is back, see GET /v1/nodes", false},
	{errTimeout, http.StatusGatewayTimeout, api.CodeTimeout, "repeat the request to go on waiting", false},
	{context.DeadlineExceeded, http.StatusGatewayTimeout, api.CodeTimeout, "this took too long; try again", true},
	{context.Canceled, http.StatusServiceUnavailable, api.CodeTimeout, "the request was given up; send it again", true},
}

// answerError is a failure that says itself how it is answered.
type answerError struct {
	status int
	body   api.ErrorBody
}

func (e *answerError) Error() string { return e.body.Message }

// badRequest is a request that is wrong in its form.
func badRequest(format string, args ...any) error {
	return &answerError{http.StatusBadRequest, api.ErrorBody{
		Code: api.CodeBadRequest, Message: fmt.Sprintf(format, args...),
	}}
}

// refused is a job file that was not accepted.
func refused(diagnostics []api.Diagnostic) error {
	d := diagnostics[0]
	message := d.Summary
	if d.Detail != "" {
		message += ": " + d.Detail
	}
	if d.Line > 0 {
		message = fmt.Sprintf("%s:%d,%d: %s", d.File, d.Line, d.Column, message)
	}
	if more := len(diagnostics) - 1; more > 0 {
		message = fmt.Sprintf("%s; and %d more", message, more)
	}
	return &answerError{http.StatusUnprocessableEntity, api.ErrorBody{
		Code: api.CodeInvalid, Message: message, Diagnostics: diagnostics,
	}}
}

// answerOf translates an error; known is false for one that the table does not
// have, whose text is for the log alone.
func answerOf(err error) (status int, body api.ErrorBody, known bool) {
	if own, ok := errors.AsType[*answerError](err); ok {
		return own.status, own.body, true
	}
	if size, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return http.StatusRequestEntityTooLarge, api.ErrorBody{
			Code: api.CodeTooLarge, Message: fmt.Sprintf("the body is larger than %d bytes; send less at once", size.Limit),
		}, true
	}
	for _, r := range table {
		if !errors.Is(err, r.err) {
			continue
		}
		message := r.advice
		switch {
		case r.advice == "": // the error itself says what to do
			message = err.Error()
		case !r.alone:
			message = err.Error() + "; " + r.advice
		}
		return r.status, api.ErrorBody{Code: r.code, Message: message}, true
	}
	return http.StatusInternalServerError, api.ErrorBody{
		Code: api.CodeInternal, Message: "something went wrong inside this node; its log says what",
	}, false
}

// WriteError answers a request with the status and the body that the table has
// for err.
func WriteError(w http.ResponseWriter, _ *http.Request, err error) {
	status, body, _ := answerOf(err)
	if status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "1")
	}
	// The client is gone if this fails, and nobody else wants to know.
	_ = writeJSON(w, status, api.Error{Error: body})
}

// ForwardError answers a request that could not be forwarded: the OnError of
// the forwarders in [Config].
func ForwardError(w http.ResponseWriter, r *http.Request, err error) {
	if t := targetOf(r); t != nil {
		t.err = err
		return
	}
	WriteError(w, r, err)
}

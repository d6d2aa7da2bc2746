package api

import (
	"errors"
	"fmt"
)

// ErrNoServer: nothing answers at the address. The request was not sent.
var ErrNoServer = errors.New("no rota agent answers")

// StatusError is an answer that says no, or, with the code CodeUnknownFate, a
// write whose answer never came.
type StatusError struct {
	// Status is the HTTP status; 0 if no answer came.
	Status      int
	Code        string
	Message     string
	Diagnostics []Diagnostic
	// Err is what broke the connection, if that is what happened.
	Err error
}

// Error returns the message for people, or the code where there is none.
func (e *StatusError) Error() string {
	if e.Message != "" {
		return e.Message
	}
	return fmt.Sprintf("the agent answered with status %d (%s)", e.Status, e.Code)
}

// Unwrap returns what broke the connection, or nil.
func (e *StatusError) Unwrap() error { return e.Err }

// ErrorCode returns the code of the StatusError in err's chain, or "".
func ErrorCode(err error) string {
	var status *StatusError
	if errors.As(err, &status) {
		return status.Code
	}
	return ""
}

// noServer is an ErrNoServer with what to do about it.
type noServer struct {
	addr, why string
	err       error
}

func (e *noServer) Error() string {
	return fmt.Sprintf("%v at %s: %s. Start one with \"rota agent\", or name another with --addr or ROTA_ADDR",
		ErrNoServer, e.addr, e.why)
}

func (e *noServer) Unwrap() []error { return []error{ErrNoServer, e.err} }

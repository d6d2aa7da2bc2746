package supervisor

import (
	"context"
	"errors"
	"fmt"

	"github.com/rota-scheduler/rota/scheduling/executor/proc"
)

// Errors of a Client, beside those of package proc.
var (
	// ErrUnsupported means that the supervisor does not know this request.
	ErrUnsupported = errors.New("the supervisor does not know this request")
	// ErrTooOld means that this agent cannot work under its supervisor.
	ErrTooOld = errors.New("the supervisor is too old for this agent: restart it, which restarts the jobs too")
	// ErrGone means that the socket is closed: the supervisor has ended, or has
	// given this agent up. Nobody knows what became of the request.
	ErrGone = errors.New("the supervisor is gone")
	// ErrProtocol means that the other side has sent something that is no frame.
	ErrProtocol = errors.New("bad frame")
)

// errFailed is any error that has no code of its own; its text says which.
var errFailed = errors.New("the supervisor failed")

// codes name the errors that a caller tells apart. They are part of the
// protocol: never change one.
var codes = []struct {
	code string
	err  error
}{
	{"invalid", proc.ErrInvalid},
	{"repeated", proc.ErrRepeated},
	{"expired", proc.ErrExpired},
	{"killed", proc.ErrKilled},
	{"exhausted", proc.ErrExhausted},
	{"journal", proc.ErrJournal},
	{"closed", proc.ErrClosed},
	{"unknown", proc.ErrUnknown},
	{"alive", proc.ErrAlive},
	{"unsupported", ErrUnsupported},
	{"canceled", context.Canceled},
	{"deadline", context.DeadlineExceeded},
}

const codeFailed = "failed"

// codeOf returns the code of an error, empty for nil.
func codeOf(err error) string {
	if err == nil {
		return ""
	}
	for _, c := range codes {
		if errors.Is(err, c.err) {
			return c.code
		}
	}
	return codeFailed
}

// remoteError is an error of the supervisor: its own words, and the sentinel
// that errors.Is finds.
type remoteError struct {
	text string
	is   error
}

func (e *remoteError) Error() string { return e.text }
func (e *remoteError) Unwrap() error { return e.is }

// errorOf is the reverse of codeOf. A code that this side does not know, which a
// newer supervisor may send, is an error like any other.
func errorOf(code, text string) error {
	if code == "" {
		return nil
	}
	is := errFailed
	for _, c := range codes {
		if c.code == code {
			is = c.err
		}
	}
	if text == "" {
		text = is.Error()
	}
	return &remoteError{text: text, is: is}
}

// Exit statuses of an agent that must not simply be started again.
const (
	// StatusUsage: the flags or the configuration file cannot be used.
	StatusUsage = 2
	// StatusRefused: what is on disk or already running forbids it.
	StatusRefused = 3
)

// AgentError says that the agent refused to run. It said why itself.
type AgentError struct{ Status int }

func (e *AgentError) Error() string {
	return fmt.Sprintf("the agent refused to run (exit status %d); its reason is above", e.Status)
}

// ExitStatus is what the supervisor's own process should end with.
func (e *AgentError) ExitStatus() int { return e.Status }

package transport

import (
	"errors"
	"fmt"
)

var (
	// ErrNoLeader means that no node to forward to was known in time.
	ErrNoLeader = errors.New("no leader is known")
	// ErrUnreachable means that no connection to the node came about. The
	// request was surely not delivered.
	ErrUnreachable = errors.New("node is unreachable")
	// ErrUnknownFate means that the request went out and the connection ended
	// before the answer: it may have been carried out.
	ErrUnknownFate = errors.New("fate of the request is unknown")
	// ErrLoop means that nodes forwarded a request to each other without any of
	// them answering it.
	ErrLoop = errors.New("request was forwarded too often")
	// ErrTooLarge means that a body exceeds its limit.
	ErrTooLarge = errors.New("body is too large")
)

// APIError is an error answer of another node.
type APIError struct {
	Status  int    // HTTP status
	Code    string // the API's own code, empty if the body had none
	Message string
	Index   uint64 // raft index that the answer is based on, 0 if none
}

func (e *APIError) Error() string {
	if e.Code == "" {
		return fmt.Sprintf("HTTP status %d: %s", e.Status, e.Message)
	}
	return fmt.Sprintf("%s (%s, HTTP status %d)", e.Message, e.Code, e.Status)
}

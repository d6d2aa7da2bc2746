package fsm

import "errors"

// The refusals of Apply and of validation. They are answers, not faults: the
// state is as it was. transport/httpapi maps each to one HTTP status and code.
var (
	// ErrNotFound: there is no object of that name.
	ErrNotFound = errors.New("not found")
	// ErrInvalid: the object breaks a rule of its type; the text names the field.
	ErrInvalid = errors.New("invalid")
	// ErrConflict: the object changed since the caller looked, or its state
	// does not allow the change.
	ErrConflict = errors.New("conflict")
	// ErrStale: a plan, a decision or a report that speaks of an attempt or a
	// version that is no longer the current one.
	ErrStale = errors.New("stale")
	// ErrDeleting: the job is being deleted; it can be applied again once its
	// last run has ended.
	ErrDeleting = errors.New("job is being deleted")
	// ErrOverlap: the job's overlap policy does not allow another run now.
	ErrOverlap = errors.New("another run of this job is active")
	// ErrEnded: the run has already ended.
	ErrEnded = errors.New("run has already ended")
	// ErrFormat: some node runs a version of rota that could not apply the
	// command, so that it is not written.
	ErrFormat = errors.New("not until every node runs a version of rota that knows it")
	// ErrUnknownOpcode: the entry was written by a newer version of rota.
	ErrUnknownOpcode = errors.New("unknown opcode in the log")
)

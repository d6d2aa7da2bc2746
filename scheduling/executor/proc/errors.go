package proc

import "errors"

// Refusals: nothing was started and no result follows. Compare with errors.Is.
var (
	// ErrInvalid means that the request cannot be carried out as written.
	ErrInvalid = errors.New("invalid request")
	// ErrRepeated means that the ID is known already: live, ended or declined.
	ErrRepeated = errors.New("attempt is known already")
	// ErrExpired means that the start's expiry or its contact has passed.
	ErrExpired = errors.New("start has expired")
	// ErrKilled means that a kill arrived before the fork.
	ErrKilled = errors.New("killed before it started")
	// ErrExhausted means that the kernel had no process, memory or file
	// descriptor to give. It may have one a moment later.
	ErrExhausted = errors.New("out of processes, memory or file descriptors")
	// ErrJournal means that the record that must precede a start or follow a
	// decision could not be written.
	ErrJournal = errors.New("cannot write the journal")
	// ErrClosed means that the Manager is closing or closed.
	ErrClosed = errors.New("process manager is closed")
)

// Other errors.
var (
	// ErrUnknown means that no attempt has this ID.
	ErrUnknown = errors.New("unknown attempt")
	// ErrAlive means that an attempt cannot be forgotten because it is live.
	ErrAlive = errors.New("attempt is still live")
	// ErrLocked means that another process uses the same directory.
	ErrLocked = errors.New("directory is in use by another process")
	// ErrUnsupported means that the kernel lacks something this package needs.
	ErrUnsupported = errors.New("kernel is not supported")
)

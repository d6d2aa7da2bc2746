package cgroup

import "errors"

var (
	// ErrNoLimit means that this host cannot enforce a limit that was asked for.
	ErrNoLimit = errors.New("limit cannot be enforced on this host")
	// ErrInvalid means that a limit is not one.
	ErrInvalid = errors.New("invalid limit")
)

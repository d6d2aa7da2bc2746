package jobspec

import "errors"

// The refusals of ReadFiles; the text of the error names the file.
var (
	// ErrTooLarge: a file, or all files together, are over a limit.
	ErrTooLarge = errors.New("too large")
	// ErrTooManyFiles: more than MaxFiles files.
	ErrTooManyFiles = errors.New("too many files")
	// ErrNoFiles: a folder without a job file, or no path at all.
	ErrNoFiles = errors.New("no job files")
)

// Package record is the line that a job's process writes about itself: which
// attempt it is, and when it began and ended by the machine's clock. Each line
// is one write to a file opened for appending, so that processes of any number
// of nodes share the file.
//
// Begin and End are on the disk before Append returns: a process does its work, or
// says by its exit that it has ended, only once that is known for good. The instant
// in a line is taken before, so that the disk makes nothing late. A sign of life is
// written and not synced: the next one says the same.
package record

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"
)

// AliveVariable in the environment of a process asks it for signs of life.
const AliveVariable = "ROTA_RECORD_ALIVE"

// UnsyncedVariable in the environment of a process asks it to write its lines and
// not to wait for the disk. It is for measurements of what a run costs: there two
// fsyncs a run would be a part of what is measured.
const UnsyncedVariable = "ROTA_RECORD_UNSYNCED"

// Events of a process. An Alive, which is written only if it is asked for, says
// that it lives on: one that is killed writes no end.
const (
	Begin = "begin"
	Alive = "alive"
	End   = "end"
)

// ErrMalformed: a line is no record.
var ErrMalformed = errors.New("malformed record")

// Record is one line.
type Record struct {
	Event     string
	Namespace string
	Job       string
	// ScheduledAt is the instant of the fire; zero for a manual run.
	ScheduledAt time.Time
	Run         string
	Task        string
	Shard       int
	Attempt     int
	Fence       uint64
	Node        string
	PID         int
	At          time.Time
}

const fields = 12

// Of returns a record of this process, which is a job's.
func Of(event string, at time.Time) (Record, error) {
	r := Record{
		Event: event, Namespace: os.Getenv("ROTA_NAMESPACE"), Job: os.Getenv("ROTA_JOB"), Run: os.Getenv("ROTA_RUN_ID"),
		Task: os.Getenv("ROTA_TASK"), Node: os.Getenv("ROTA_NODE"), PID: os.Getpid(), At: at,
	}
	var errs [4]error
	r.Shard, errs[0] = strconv.Atoi(os.Getenv("ROTA_SHARD_INDEX"))
	r.Attempt, errs[1] = strconv.Atoi(os.Getenv("ROTA_ATTEMPT"))
	r.Fence, errs[2] = strconv.ParseUint(os.Getenv("ROTA_FENCE"), 10, 64)
	if text := os.Getenv("ROTA_SCHEDULED_AT"); text != "" {
		r.ScheduledAt, errs[3] = time.Parse(time.RFC3339Nano, text)
	}
	return r, errors.Join(errs[:]...)
}

// File is what records are appended to: an [os.File] opened with O_APPEND.
type File interface {
	io.Writer
	Sync() error
}

// Append writes the record to f, with one write. A Begin or an End that it has
// returned nil for is on the disk, unless this process was asked not to sync.
func (r Record) Append(f File) error {
	if _, err := io.WriteString(f, r.String()+"\n"); err != nil {
		return err
	}
	if r.Event == Alive || os.Getenv(UnsyncedVariable) == "1" {
		return nil
	}
	return f.Sync()
}

// String returns the line, without its end.
func (r Record) String() string {
	scheduled := int64(0)
	if !r.ScheduledAt.IsZero() {
		scheduled = r.ScheduledAt.UnixNano()
	}
	return strings.Join([]string{
		r.Event, r.Namespace, r.Job, strconv.FormatInt(scheduled, 10), r.Run, r.Task,
		strconv.Itoa(r.Shard), strconv.Itoa(r.Attempt), strconv.FormatUint(r.Fence, 10),
		r.Node, strconv.Itoa(r.PID), strconv.FormatInt(r.At.UnixNano(), 10),
	}, "\t")
}

// Parse reads a line.
func Parse(line string) (Record, error) {
	f := strings.Split(line, "\t")
	if len(f) != fields || (f[0] != Begin && f[0] != Alive && f[0] != End) {
		return Record{}, fmt.Errorf("%w: %q", ErrMalformed, line)
	}
	r := Record{Event: f[0], Namespace: f[1], Job: f[2], Run: f[4], Task: f[5], Node: f[9]}
	var numbers [6]int64
	for i, at := range []int{3, 6, 7, 8, 10, 11} {
		n, err := strconv.ParseInt(f[at], 10, 64)
		if err != nil {
			return Record{}, fmt.Errorf("%w: %q: %w", ErrMalformed, line, err)
		}
		numbers[i] = n
	}
	if numbers[0] != 0 {
		r.ScheduledAt = time.Unix(0, numbers[0]).UTC()
	}
	r.Shard, r.Attempt, r.Fence = int(numbers[1]), int(numbers[2]), uint64(numbers[3])
	r.PID, r.At = int(numbers[4]), time.Unix(0, numbers[5]).UTC()
	return r, nil
}

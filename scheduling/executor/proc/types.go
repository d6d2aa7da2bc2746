package proc

import (
	"context"
	"fmt"
	"path/filepath"
	"time"
)

// Defaults of a StartRequest and of Options.
const (
	DefaultGrace       = 10 * time.Second
	DefaultStopAfter   = 30 * time.Second
	DefaultOutputLimit = 10 << 20
	// MinOutputLimit is what a smaller limit is raised to.
	MinOutputLimit = 4 << 10
	// TailBytes is the most that Result.Tail holds.
	TailBytes = 4 << 10
)

// Marker is the environment variable that every process of an attempt carries.
// Its value is the attempt's ID behind a random part of the Manager's, so that
// two agents on one host never take each other's processes for their own.
const Marker = "ROTA_MARK"

// Processes starts, kills and lists attempts. Everything in it is plain data,
// so that an implementation may sit at the other end of a socket. All methods
// may be called concurrently. Events are hints; List is the truth.
type Processes interface {
	// Start starts an attempt and returns once its exec is confirmed or has
	// failed. A nil error means that a Result follows, start_failed included.
	// A refusal means that nothing was started and nothing follows.
	Start(ctx context.Context, req StartRequest) error
	// Kill begins to end an attempt and everything it started, and does not
	// wait for it. ReasonCancelled makes the outcome Cancelled, ReasonTimeout
	// makes it Timeout, any other reason makes it Killed. The first reason
	// stays. Killing what has ended does nothing. Errors: ErrUnknown.
	Kill(ctx context.Context, id, reason string) error
	// Contact tells that the attempts' orders were confirmed at base (Mono,
	// ns). It never moves contact back, and saves nothing whose contact lapsed
	// before the call.
	Contact(ctx context.Context, base int64) error
	// Decline records that the attempt will never be started here, with a note
	// for whoever reads the list next, and makes every later Start of it a
	// repeat. Errors: ErrRepeated, ErrJournal, ErrInvalid, ErrClosed.
	Decline(ctx context.Context, id string, note []byte) error
	// List returns what is live, ended or declined and not forgotten, ordered
	// by ID.
	List(ctx context.Context) ([]Status, error)
	// Forget drops attempts that have ended or were declined. Unknown IDs are
	// no error, so that it can be repeated; live ones are ErrAlive, and the
	// others of the call are dropped all the same.
	Forget(ctx context.Context, ids ...string) error
}

// StartRequest says what to start. Durations are nanoseconds in JSON; instants
// are Mono nanoseconds.
type StartRequest struct {
	// ID names the attempt; it must be unique among everything not forgotten.
	ID string `json:"id"`
	// Argv is the program and its arguments, without a shell. A program without
	// a slash is looked up in the PATH of Env; a relative path is relative to
	// Dir.
	Argv []string `json:"argv"`
	// Env is the complete environment, K=V; the marker is added to it.
	Env []string `json:"env,omitempty"`
	// Dir is the working directory; empty means "/".
	Dir string `json:"dir,omitempty"`
	// User is as whom to run: a name or a uid, with ":gid" behind it to choose
	// another group; empty means as this process does. HOME, LOGNAME, SHELL and
	// USER of Env are replaced by the user's own. Needs root. A user that is
	// not there is a start failure.
	User string `json:"user,omitempty"`
	// Umask is the file mode creation mask; nil means this process's own.
	Umask *int `json:"umask,omitempty"`
	// Isolation is IsolationPidns, or empty for none. What cannot be isolated
	// here (see Manager.Isolation) is a start failure.
	Isolation string `json:"isolation,omitempty"`
	// CPU is a hard limit in cores for everything of the attempt together: 0.5
	// is half of one. Memory is in bytes, and cannot be exceeded by swapping.
	// Pids is how many processes and threads there may be at a time. 0 means no
	// limit. A limit that this host cannot keep (see Capabilities) is a start
	// failure.
	CPU    float64 `json:"cpu,omitempty"`
	Memory int64   `json:"memory,omitempty"`
	Pids   int64   `json:"pids,omitempty"`
	// Timeout ends the attempt; 0 means none. Time in suspend does not count.
	Timeout time.Duration `json:"timeout,omitempty"`
	// Grace is what lies between SIGTERM and SIGKILL; 0 means DefaultGrace.
	Grace time.Duration `json:"grace,omitempty"`
	// Expiry is the instant from which the start is refused; 0 means none.
	Expiry int64 `json:"expiry,omitempty"`
	// ContactBase is the contact under which the start was decided, and counts
	// as a renewal. 0 means that no lapse of contact ends this attempt.
	ContactBase int64 `json:"contact_base,omitempty"`
	// StopAfter is how long the attempt outlives its contact; 0 means
	// Options.StopAfter.
	StopAfter time.Duration `json:"stop_after,omitempty"`
	// OutputDir holds the output, one absolute path for each attempt, created
	// with the first byte. Empty means that only the tail is kept.
	OutputDir string `json:"output_dir,omitempty"`
	// OutputLimit is the most bytes OutputDir holds, both streams together; 0
	// means DefaultOutputLimit.
	OutputLimit int64 `json:"output_limit,omitempty"`
}

// Outcome is how an attempt ended.
type Outcome string

// The outcomes.
const (
	Succeeded   Outcome = "succeeded"    // exit code 0
	Failed      Outcome = "failed"       // another exit code, or a signal that was not ours
	Timeout     Outcome = "timeout"      // ended by its timeout
	Cancelled   Outcome = "cancelled"    // ended by Kill with ReasonCancelled
	StartFailed Outcome = "start_failed" // the program could not be executed
	Killed      Outcome = "killed"       // ended by us for another reason, see Result.Reason
)

// Reasons for which an attempt is ended; a caller of Kill may use its own.
const (
	ReasonCancelled = "cancelled" // somebody asked for it
	ReasonTimeout   = "timeout"   // StartRequest.Timeout
	ReasonLost      = "lost"      // the log no longer holds this attempt
	ReasonFenced    = "fenced"    // contact lapsed
	ReasonExpired   = "expired"   // its exec was confirmed after the expiry
	ReasonClosed    = "closed"    // the Manager was closed
	ReasonRestarted = "restarted" // the process that held it died
)

// Result is how an attempt ended.
type Result struct {
	ID      string  `json:"id"`
	Outcome Outcome `json:"outcome"`
	// Reason says why we ended it; empty when we did not.
	Reason string `json:"reason,omitempty"`
	// ExitCode is -1 where the program did not exit by itself.
	ExitCode int `json:"exit_code"`
	// Signal is the signal that ended the main process, such as "SIGKILL".
	Signal string `json:"signal,omitempty"`
	// Error says why a start failed, which limit ended the attempt, or what else
	// went wrong.
	Error string `json:"error,omitempty"`
	// OOM means that the attempt failed and that the kernel had killed a process
	// of it for lack of memory under its limit.
	OOM bool `json:"oom,omitempty"`
	// StartedAt and EndedAt are Unix nanoseconds of the wall clock. StartedAt
	// is 0 where nothing was executed.
	StartedAt int64 `json:"started_at,omitempty"`
	EndedAt   int64 `json:"ended_at"`
	// StartedMono and EndedMono are the same instants as Mono nanoseconds.
	StartedMono int64 `json:"started_mono,omitempty"`
	EndedMono   int64 `json:"ended_mono"`
	// Tail is the end of the output, both streams in the order of arrival.
	Tail []byte `json:"tail,omitempty"`
	// OutputBytes is what the program printed, kept or not.
	OutputBytes int64 `json:"output_bytes,omitempty"`
	// Truncated means that OutputDir does not hold all of it.
	Truncated bool `json:"truncated,omitempty"`
	// OutputError says why output could not be stored.
	OutputError string `json:"output_error,omitempty"`
}

// State is where an attempt stands.
type State string

// The states.
const (
	Starting State = "starting" // may have started
	Running  State = "running"
	Ended    State = "ended"
	Declined State = "declined"
)

// Status is one line of a list.
type Status struct {
	ID    string `json:"id"`
	State State  `json:"state"`
	// PID is the main process while it runs, and its session; that of the init
	// if the attempt is isolated.
	PID         int    `json:"pid,omitempty"`
	StartedAt   int64  `json:"started_at,omitempty"`
	StartedMono int64  `json:"started_mono,omitempty"`
	OutputDir   string `json:"output_dir,omitempty"`
	// Note is what Decline was given.
	Note []byte `json:"note,omitempty"`
	// Result is set once the attempt has ended. Do not change it.
	Result *Result `json:"result,omitempty"`
}

// maxIDBytes bounds the marker, and with it what is read of an environment.
const maxIDBytes = 256

func checkID(id string) error {
	if id == "" || len(id) > maxIDBytes {
		return fmt.Errorf("%w: id must have 1 to %d bytes, got %d", ErrInvalid, maxIDBytes, len(id))
	}
	for i := range len(id) {
		if id[i] < ' ' {
			return fmt.Errorf("%w: id %q holds a control character", ErrInvalid, id)
		}
	}
	return nil
}

// withDefaults returns the request as it will be carried out.
func (r StartRequest) withDefaults() (StartRequest, error) {
	if err := checkID(r.ID); err != nil {
		return r, err
	}
	switch {
	case len(r.Argv) == 0 || r.Argv[0] == "":
		return r, fmt.Errorf("%w: attempt %s: argv is empty", ErrInvalid, r.ID)
	case r.Timeout < 0 || r.Grace < 0 || r.StopAfter < 0 || r.OutputLimit < 0:
		return r, fmt.Errorf("%w: attempt %s: timeout, grace, stop_after and output limit must not be negative", ErrInvalid, r.ID)
	case r.Isolation != "" && r.Isolation != IsolationPidns:
		return r, fmt.Errorf("%w: attempt %s: isolation %q is not known", ErrInvalid, r.ID, r.Isolation)
	case r.OutputDir != "" && !filepath.IsAbs(r.OutputDir):
		return r, fmt.Errorf("%w: attempt %s: output directory %q must be absolute", ErrInvalid, r.ID, r.OutputDir)
	}
	if err := r.limits().Check(); err != nil {
		return r, fmt.Errorf("%w: attempt %s: %w", ErrInvalid, r.ID, err)
	}
	if r.Umask != nil && (*r.Umask < 0 || *r.Umask > 0o777) {
		return r, fmt.Errorf("%w: attempt %s: umask must lie between 0 and 0777, got %#o", ErrInvalid, r.ID, *r.Umask)
	}
	if r.Dir == "" {
		r.Dir = "/"
	}
	if r.Grace == 0 {
		r.Grace = DefaultGrace
	}
	if r.OutputLimit == 0 {
		r.OutputLimit = DefaultOutputLimit
	}
	r.OutputLimit = max(r.OutputLimit, MinOutputLimit)
	return r, nil
}

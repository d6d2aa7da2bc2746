package fsm

import "fmt"

// A log format is a set of commands that a program must know to apply a log.
// Each release that adds commands adds a format; which one a cluster may write is
// replicated ([Settings]) and raised by the leader once every member knows it.
const (
	// BaseFormat is what a new cluster writes until its leader has heard of
	// every member.
	BaseFormat = 1
	// Format is the newest format that this program knows.
	Format = 2
)

// lastOpcodes holds the newest opcode of each format, from BaseFormat on.
var lastOpcodes = [...]Opcode{OpRetryRun, 27}

// FormatOf returns the log format that a command belongs to. An opcode that this
// program does not know belongs to the format after its newest one.
func FormatOf(op Opcode) int {
	for i, last := range lastOpcodes {
		if op <= last {
			return BaseFormat + i
		}
	}
	return Format + 1
}

// RaiseFormat allows commands up to the given format from here on.
type RaiseFormat struct {
	Format int `codec:"f"`
}

// applyRaiseFormat never goes back: what the log holds already must be known.
func applyRaiseFormat(c *change, cmd *RaiseFormat) (any, error) {
	s := *c.settings()
	if cmd.Format > s.Format {
		s.Format = cmd.Format
		c.putSettings(&s)
	}
	return nil, nil
}

// Format returns the log format that the spec belongs to: a program that knows only
// older ones would leave out a part of it, and so differ from the others.
func (s *JobSpec) Format() int {
	if len(s.Notify) > 0 || s.ExpectedDuration > 0 {
		return FormatOf(OpRecordDeliveries)
	}
	if s.Priority != nil || s.places() {
		return FormatOf(OpApplyFile)
	}
	return BaseFormat
}

// CheckSpec refuses a job that the cluster may not write yet.
func (s *Settings) CheckSpec(spec *JobSpec) error {
	if need := spec.Format(); need > s.Format {
		return fmt.Errorf("job %s: %w: it needs log format %d, the cluster writes %d", spec.Key(), ErrFormat, need, s.Format)
	}
	return nil
}

// CheckFormat refuses a command that the cluster may not write yet.
func (s *Settings) CheckFormat(op Opcode) error {
	if need := FormatOf(op); need > s.Format {
		return fmt.Errorf("%w: it needs log format %d, the cluster writes %d", ErrFormat, need, s.Format)
	}
	return nil
}

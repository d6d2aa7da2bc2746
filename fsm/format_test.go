package fsm

import (
	"errors"
	"testing"
)

// TestEveryOpcodeHasAFormat: who adds an opcode past the newest format's last one
// must add a format as well.
func TestEveryOpcodeHasAFormat(t *testing.T) {
	for op, d := range dispatch {
		if got := FormatOf(op); got > Format {
			t.Errorf("opcode %d (%s) belongs to format %d, this program announces %d: raise Format", op, d.name, got, Format)
		}
	}
	if got := BaseFormat + len(lastOpcodes) - 1; got != Format {
		t.Errorf("the last format with opcodes is %d, Format is %d", got, Format)
	}
	for op, want := range map[Opcode]int{OpBatch: 1, OpRetryRun: 1, OpRetryRun + 1: 2, 27: 2, 28: 3} {
		if got := FormatOf(op); got != want {
			t.Errorf("opcode %d: format %d, want %d", op, got, want)
		}
	}
}

// TestFormatOnlyRises, and a new cluster writes the base format.
func TestFormatOnlyRises(t *testing.T) {
	l := newLab(t)
	if err := l.view().Settings().CheckFormat(27); !errors.Is(err, ErrFormat) {
		t.Errorf("a new cluster takes opcode 27: %v", err)
	}
	l.must(OpRaiseFormat, RaiseFormat{Format: 2})
	l.must(OpRaiseFormat, RaiseFormat{Format: 1})
	s := l.view().Settings()
	if s.Format != 2 || s.CheckFormat(27) != nil || s.CheckFormat(OpBatch) != nil {
		t.Errorf("settings %+v", s)
	}
}

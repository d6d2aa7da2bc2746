package record

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// disk notes what is asked of a file.
type disk struct {
	asked []string
	err   error // of a sync
}

func (d *disk) Write(line []byte) (int, error) {
	d.asked = append(d.asked, "write "+string(line))
	return len(line), nil
}

func (d *disk) Sync() error {
	d.asked = append(d.asked, "sync")
	return d.err
}

// TestAppendIsDurable: a process goes on, or exits, only once its line is on the
// disk; a sign of life need not be.
func TestAppendIsDurable(t *testing.T) {
	line := func(event string) string { return "write " + Record{Event: event}.String() + "\n" }
	for _, tt := range []struct {
		event, unsynced string
		want            []string
	}{
		{Begin, "", []string{line(Begin), "sync"}},
		{End, "", []string{line(End), "sync"}},
		{Alive, "", []string{line(Alive)}},
		{Begin, "1", []string{line(Begin)}},
	} {
		t.Setenv(UnsyncedVariable, tt.unsynced)
		d := &disk{}
		if err := (Record{Event: tt.event}).Append(d); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(tt.want, d.asked); diff != "" {
			t.Errorf("%s, unsynced %q: -want +got:\n%s", tt.event, tt.unsynced, diff)
		}
	}
}

// TestAppendTellsOfTheDisk: a line that may be lost is an error.
func TestAppendTellsOfTheDisk(t *testing.T) {
	full := errors.New("the disk is gone")
	if err := (Record{Event: Begin}).Append(&disk{err: full}); !errors.Is(err, full) {
		t.Errorf("%v", err)
	}
}

package proc

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func reopen(t *testing.T, dir string) (*journal, []record, int) {
	t.Helper()
	j, recs, skipped, err := openJournal(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.close() }) // a test may have closed it already
	return j, recs, skipped
}

func TestJournalRoundTrip(t *testing.T) {
	dir := t.TempDir()
	j, _, _ := reopen(t, dir)
	want := []record{
		{Op: opStart, ID: "a", Boot: "b", At: 1, Mono: 2, Dir: "/out"},
		{Op: opEnd, ID: "a", Result: &Result{ID: "a", Outcome: Failed, ExitCode: 3, Tail: []byte("x\n")}},
		{Op: opDecline, ID: "c", Note: []byte{0, 255}},
		{Op: opForget, ID: "a"},
	}
	for _, rec := range want {
		if err := j.append(rec); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.close(); err != nil {
		t.Fatal(err)
	}
	_, got, skipped := reopen(t, dir)
	if diff := cmp.Diff(want, got); diff != "" || skipped != 0 {
		t.Errorf("skipped %d (-want +got):\n%s", skipped, diff)
	}
}

// The end of a record that a crash cut off, and garbage in between, cost those
// lines and nothing else.
func TestJournalDamage(t *testing.T) {
	dir := t.TempDir()
	text := `{"op":"start","id":"a"}` + "\n\x00\x00\x00\n" + `{"op":"start","id":"b"}` + "\n" + `{"op":"end","id":"b","res`
	if err := os.WriteFile(filepath.Join(dir, journalName), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	j, got, skipped := reopen(t, dir)
	want := []record{{Op: opStart, ID: "a"}, {Op: opStart, ID: "b"}}
	if diff := cmp.Diff(want, got); diff != "" || skipped != 2 {
		t.Errorf("skipped %d, want 2 (-want +got):\n%s", skipped, diff)
	}
	if err := j.append(record{Op: opForget, ID: "a"}); err != nil {
		t.Fatal(err)
	}
	if err := j.close(); err != nil {
		t.Fatal(err)
	}
	_, got, _ = reopen(t, dir)
	if diff := cmp.Diff(append(want, record{Op: opForget, ID: "a"}), got); diff != "" {
		t.Errorf("after one more record (-want +got):\n%s", diff)
	}
}

func TestJournalStaysSmall(t *testing.T) {
	dir := t.TempDir()
	j, _, _ := reopen(t, dir)
	kept := record{Op: opStart, ID: "kept", Dir: "/out"}
	if err := j.append(kept); err != nil {
		t.Fatal(err)
	}
	for i := range 5000 {
		id := fmt.Sprint(i)
		r := &Result{ID: id, Outcome: Succeeded, Tail: []byte(strings.Repeat("x", 1000))}
		for _, rec := range []record{{Op: opStart, ID: id}, {Op: opEnd, ID: id, Result: r}, {Op: opForget, ID: id}} {
			if err := j.append(rec); err != nil {
				t.Fatal(err)
			}
		}
		if i%500 == 0 {
			if info, err := os.Stat(j.path); err != nil || info.Size() > 2*compactAt {
				t.Fatalf("journal has %d bytes (%v)", info.Size(), err)
			}
		}
	}
	if err := j.close(); err != nil {
		t.Fatal(err)
	}
	j, recs, skipped := reopen(t, dir)
	recs = slices.DeleteFunc(recs, func(r record) bool { return r.ID != kept.ID })
	if diff := cmp.Diff([]record{kept}, recs); diff != "" || skipped != 0 || len(j.live) != 1 {
		t.Errorf("%d live, skipped %d, what was kept (-want +got):\n%s", len(j.live), skipped, diff)
	}
}

// Without a record nothing may start, and nothing may be decided.
func TestJournalFailureRefuses(t *testing.T) {
	h := newHarness(t, Options{})
	good := h.journal.f
	readOnly, err := os.Open(h.journal.path)
	if err != nil {
		t.Fatal(err)
	}
	defer readOnly.Close()
	h.journal.f = readOnly
	req := shell("a", "exit 0")
	for range 2 { // torn for good after the first
		if err := h.Start(ctx, req); !errors.Is(err, ErrJournal) {
			t.Errorf("Start: %v, want journal", err)
		}
		if err := h.Decline(ctx, "b", nil); !errors.Is(err, ErrJournal) {
			t.Errorf("Decline: %v, want journal", err)
		}
	}
	h.journal.f, h.journal.broken = good, nil
	if r := h.run(req); r.Outcome != Succeeded {
		t.Errorf("after it could be written again: %+v", r)
	}
}

// A damaged record must not turn the search for survivors on the whole host.
func TestMarksToKill(t *testing.T) {
	marks, first := marksOf("now", map[string]record{
		"a": {Boot: "now", Mark: "x/a", Mono: 7}, "b": {Boot: "now", Mark: "x/b", Mono: 5},
		"old": {Boot: "before", Mark: "x/old", Mono: 1}, "damaged": {Boot: "now", Mono: 1},
	})
	if diff := cmp.Diff(map[string]bool{"x/a": true, "x/b": true}, marks); diff != "" || first != 5 {
		t.Errorf("first %d, marks (-want +got):\n%s", first, diff)
	}
}

// A machine that was rebooted runs nothing of what the journal names.
func TestAnotherBoot(t *testing.T) {
	dir := t.TempDir()
	j, _, _ := reopen(t, dir)
	if err := j.append(record{Op: opStart, ID: "a", Boot: "another", At: 5, Mono: 6}); err != nil {
		t.Fatal(err)
	}
	if err := j.close(); err != nil {
		t.Fatal(err)
	}
	h := newHarness(t, Options{Dir: dir})
	list, err := h.List(ctx)
	if err != nil || len(list) != 1 || list[0].Result == nil || list[0].Result.Reason != ReasonRestarted {
		t.Fatalf("List: %+v, %v", list, err)
	}
	if err := h.Start(ctx, shell("a", "exit 0")); !errors.Is(err, ErrRepeated) {
		t.Errorf("Start: %v, want repeated", err)
	}
	if err := h.Forget(ctx, "a"); err != nil {
		t.Fatal(err)
	}
}

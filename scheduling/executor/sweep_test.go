package executor

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// Output goes by its age and by its size, soon after the start and from then on.
func TestOutputIsSwept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.cfg.OutputMaxAge, r.cfg.OutputMaxBytes = 24*time.Hour, 250
		r.write(t, "old", 25*time.Hour)
		r.write(t, "oldest-of-many", 3*time.Hour)
		r.write(t, "many", 2*time.Hour)
		r.write(t, "last", time.Hour)
		r.run()
		defer r.end()
		r.expect(t, "last", "many", "old", "oldest-of-many")
		time.Sleep(firstSweep + step)
		r.expect(t, "last", "many")
		r.write(t, "new", 0)
		time.Sleep(sweepEvery)
		r.expect(t, "last", "new")
		time.Sleep(24 * time.Hour)
		r.expect(t)
	})
}

// write makes an output of 100 bytes, last written to so long ago.
func (r *rig) write(t *testing.T, name string, ago time.Duration) {
	t.Helper()
	dir := filepath.Join(r.cfg.OutputDir, name)
	path := filepath.Join(dir, "stdout.00000000000000000000")
	if err := os.MkdirAll(dir, 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, make([]byte, 100), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path, time.Time{}, time.Now().Add(-ago)); err != nil {
		t.Fatal(err)
	}
}

// expect compares the outputs that are there.
func (r *rig) expect(t *testing.T, want ...string) {
	t.Helper()
	synctest.Wait()
	entries, err := os.ReadDir(r.cfg.OutputDir)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q are kept, want %q", got, want)
	}
}

package proc

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestSweep(t *testing.T) {
	now := time.Date(2026, 1, 10, 0, 0, 0, 0, time.UTC)
	live := func(dir string) bool { return filepath.Base(dir) == "live" }
	tests := []struct {
		name string
		opts SweepOptions
		kept []string
		rep  SweepReport
	}{
		{"nothing asked", SweepOptions{}, []string{"job/day1", "job/day5", "job/day9", "live"}, SweepReport{KeptBytes: 400}},
		{"by age", SweepOptions{OlderThan: 5 * 24 * time.Hour}, []string{"job/day9", "live"}, SweepReport{Removed: 2, RemovedBytes: 200, KeptBytes: 200}},
		{"by size", SweepOptions{MaxBytes: 250}, []string{"job/day9", "live"}, SweepReport{Removed: 2, RemovedBytes: 200, KeptBytes: 200}},
		{"never the live one", SweepOptions{MaxBytes: 1}, []string{"live"}, SweepReport{Removed: 3, RemovedBytes: 300, KeptBytes: 100}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			root := t.TempDir()
			for dir, day := range map[string]int{"live": 1, "job/day1": 1, "job/day5": 5, "job/day9": 9} {
				write(t, filepath.Join(root, dir, segmentName(Stdout, 0)), day)
				write(t, filepath.Join(root, dir, segmentName(Stderr, 0)), day)
			}
			write(t, filepath.Join(root, "elsewhere", "notes"), 1)
			tt.opts.Root, tt.opts.Now, tt.opts.Live = root, now, live
			rep, err := Sweep(t.Context(), tt.opts)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.rep, rep); diff != "" {
				t.Errorf("report (-want +got):\n%s", diff)
			}
			var kept []string
			for _, dir := range []string{"job/day1", "job/day5", "job/day9", "live"} {
				if _, err := os.Stat(filepath.Join(root, dir)); err == nil {
					kept = append(kept, dir)
				}
			}
			if diff := cmp.Diff(tt.kept, kept); diff != "" {
				t.Errorf("kept (-want +got):\n%s", diff)
			}
			if _, err := os.Stat(filepath.Join(root, "elsewhere", "notes")); err != nil {
				t.Errorf("a file that is no output was removed: %v", err)
			}
		})
	}
}

func write(t *testing.T, path string, day int) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, make([]byte, 50), 0o600); err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 1, day, 0, 0, 0, 0, time.UTC)
	if err := os.Chtimes(path, at, at); err != nil {
		t.Fatal(err)
	}
}

func TestSweepStops(t *testing.T) {
	over, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := Sweep(over, SweepOptions{Root: t.TempDir()}); !errors.Is(err, context.Canceled) {
		t.Errorf("Sweep: %v, want canceled", err)
	}
	if _, err := Sweep(ctx, SweepOptions{Root: "/does/not/exist"}); err != nil {
		t.Errorf("Sweep of nothing: %v", err)
	}
}

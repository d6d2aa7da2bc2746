package raftnode

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

const (
	fsyncSamples  = 20
	fsyncPageSize = 4096
)

// measureFsync writes and syncs a page of a scratch file some twenty times and
// returns the p99. It is also the proof that the directory can be written.
func measureFsync(dir string) (time.Duration, error) {
	f, err := os.CreateTemp(dir, "fsync-*.probe")
	if err != nil {
		return 0, probeError(dir, err)
	}
	defer os.Remove(f.Name())
	defer f.Close()

	page := make([]byte, fsyncPageSize)
	samples := make([]time.Duration, 0, fsyncSamples)
	for i := range fsyncSamples {
		start := time.Now()
		if _, err := f.WriteAt(page, int64(i)*fsyncPageSize); err != nil {
			return 0, probeError(dir, err)
		}
		if err := f.Sync(); err != nil {
			return 0, probeError(dir, err)
		}
		samples = append(samples, time.Since(start))
	}
	slices.Sort(samples)
	return percentile(samples, 99), nil
}

func probeError(dir string, err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("%w: %s: %w: free some space; the agent starts by itself then", ErrNoSpace, dir, err)
	}
	return fmt.Errorf("raft data directory %s cannot be written: %w", dir, err)
}

// syncDir makes a rename in dir durable.
func syncDir(dir string) error {
	d, err := os.Open(filepath.Clean(dir))
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

package proc

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// SweepOptions say what stored output may stay.
type SweepOptions struct {
	// Root is the folder below which all output directories lie.
	Root string
	// OlderThan is the age, since the last byte, from which output goes; 0
	// means that age does not matter.
	OlderThan time.Duration
	// MaxBytes is what all output together may take, the oldest going first; 0
	// means that size does not matter.
	MaxBytes int64
	// Live says whether an output directory belongs to an attempt that may
	// still write to it; it is asked right before a removal. Nil: none is.
	Live func(dir string) bool
	// Now is the instant against which age counts.
	Now time.Time
}

// SweepReport says what a sweep did. Bytes are file sizes.
type SweepReport struct {
	Removed      int   `json:"removed"` // attempts
	RemovedBytes int64 `json:"removed_bytes"`
	KeptBytes    int64 `json:"kept_bytes"`
}

// stored is the output of one attempt.
type stored struct {
	dir   string
	files []string
	bytes int64
	last  time.Time
}

// Sweep removes output by age, then by size, oldest first, and the folders that
// this leaves empty. Any folder that holds segments counts as one attempt's;
// other files are left alone. It holds a line for every attempt in memory, and
// must not run twice at the same time on one root. An error does not stop it:
// it goes on, and returns them joined; only the end of ctx does.
func Sweep(ctx context.Context, o SweepOptions) (SweepReport, error) {
	all, errs := findStored(ctx, o.Root)
	slices.SortFunc(all, func(a, b stored) int {
		return cmp.Or(a.last.Compare(b.last), cmp.Compare(a.dir, b.dir))
	})
	var rep SweepReport
	for _, s := range all {
		rep.KeptBytes += s.bytes
	}
	for _, s := range all {
		if err := ctx.Err(); err != nil {
			return rep, errors.Join(append(errs, err)...)
		}
		old := o.OlderThan > 0 && o.Now.Sub(s.last) >= o.OlderThan
		over := o.MaxBytes > 0 && rep.KeptBytes > o.MaxBytes
		if !old && !over || o.Live != nil && o.Live(s.dir) {
			continue
		}
		if err := s.remove(o.Root); err != nil {
			errs = append(errs, err)
			continue
		}
		rep.Removed++
		rep.RemovedBytes += s.bytes
		rep.KeptBytes -= s.bytes
	}
	return rep, errors.Join(errs...)
}

func findStored(ctx context.Context, root string) (all []stored, errs []error) {
	found := make(map[string]*stored)
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			if !errors.Is(err, fs.ErrNotExist) { // else: rotated away meanwhile
				errs = append(errs, fmt.Errorf("sweep: %w", err))
			}
			return nil
		}
		if _, _, ok := parseSegment(e.Name()); !ok || !e.Type().IsRegular() {
			return nil
		}
		info, err := e.Info()
		if err != nil {
			return nil // rotated away meanwhile
		}
		dir := filepath.Dir(path)
		s := found[dir]
		if s == nil {
			s = &stored{dir: dir}
			found[dir] = s
		}
		s.add(path, info)
		return nil
	})
	if err != nil {
		errs = append(errs, err)
	}
	for _, s := range found {
		all = append(all, *s)
	}
	return all, errs
}

func (s *stored) add(path string, info fs.FileInfo) {
	s.files = append(s.files, path)
	s.bytes += info.Size()
	if info.ModTime().After(s.last) {
		s.last = info.ModTime()
	}
}

// remove deletes the files, and the folders up to the root that are empty then.
func (s *stored) remove(root string) error {
	for _, f := range s.files {
		if err := os.Remove(f); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("sweep: %w", err)
		}
	}
	root = filepath.Clean(root)
	for dir := s.dir; dir != root && len(dir) > len(root); dir = filepath.Dir(dir) {
		if os.Remove(dir) != nil {
			break // not empty: it holds something else
		}
	}
	return nil
}

package proc

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
)

// Stream names one of the two outputs of a program.
type Stream string

// The streams.
const (
	Stdout Stream = "stdout"
	Stderr Stream = "stderr"
)

// segmentsPerAttempt is into how many files the output limit is divided; the
// last limit*(n-1)/n bytes at least are kept.
const segmentsPerAttempt = 8

// segmentName is the file of the bytes of a stream from start on.
func segmentName(s Stream, start int64) string { return fmt.Sprintf("%s.%020d", s, start) }

// output stores what an attempt prints, bounded at every instant, and keeps the
// tail of it in memory. One lock for both streams: they meet in the tail and in
// the limit.
type output struct {
	dir     string
	segment int64 // bytes of a full segment
	limit   int64

	mu        sync.Mutex
	out, errs streamFiles
	tail      []byte
	total     int64
	truncated bool
	err       error // the files are given up; the tail goes on
}

// streamFiles are the segments of one stream, oldest first; the last one is
// open for writing.
type streamFiles struct {
	name   Stream
	starts []int64
	f      *os.File
	room   int64 // what fits into f
	end    int64 // bytes of the stream so far
}

func newOutput(dir string, limit int64) *output {
	return &output{
		dir: dir, limit: limit, segment: limit / segmentsPerAttempt,
		out: streamFiles{name: Stdout}, errs: streamFiles{name: Stderr},
	}
}

// write takes all of p, whatever happens to the files. It returns whether the
// attempt has printed more than its limit.
func (o *output) write(s *streamFiles, p []byte) (over bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.total += int64(len(p))
	o.keepTail(p)
	switch {
	case o.dir == "":
		o.truncated = true
	case o.err == nil:
		if o.err = o.store(s, p); o.err != nil {
			o.truncated = true
			o.closeFiles()
		}
	}
	return o.total > o.limit
}

func (o *output) keepTail(p []byte) {
	if len(p) >= TailBytes {
		o.tail = append(o.tail[:0], p[len(p)-TailBytes:]...)
		return
	}
	if over := len(o.tail) + len(p) - TailBytes; over > 0 {
		o.tail = append(o.tail[:0], o.tail[over:]...)
	}
	o.tail = append(o.tail, p...)
}

func (o *output) store(s *streamFiles, p []byte) error {
	for len(p) > 0 {
		if s.room == 0 {
			if err := o.nextSegment(s); err != nil {
				return err
			}
		}
		n := min(int64(len(p)), s.room)
		if _, err := s.f.Write(p[:n]); err != nil {
			return err
		}
		s.room -= n
		s.end += n
		p = p[n:]
	}
	return nil
}

// nextSegment makes room first and the file then, so that the limit holds in
// between too.
func (o *output) nextSegment(s *streamFiles) error {
	if s.f != nil {
		if err := s.f.Close(); err != nil {
			return err
		}
		s.f = nil
	}
	if len(o.out.starts)+len(o.errs.starts) >= segmentsPerAttempt {
		if err := o.dropOldest(); err != nil {
			return err
		}
	}
	path := filepath.Join(o.dir, segmentName(s.name, s.end))
	f, err := createExclusive(path)
	if errors.Is(err, os.ErrNotExist) {
		if err = os.MkdirAll(o.dir, 0o750); err == nil {
			f, err = createExclusive(path)
		}
	}
	if err != nil {
		return err
	}
	s.f, s.room = f, o.segment
	s.starts = append(s.starts, s.end)
	return nil
}

func createExclusive(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o640)
}

// dropOldest removes the oldest segment of the stream that has more of them,
// which is never the one that is being written: there are eight.
func (o *output) dropOldest() error {
	s := &o.out
	if len(o.errs.starts) > len(s.starts) {
		s = &o.errs
	}
	o.truncated = true
	err := os.Remove(filepath.Join(o.dir, segmentName(s.name, s.starts[0])))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	s.starts = s.starts[1:]
	return nil
}

func (o *output) closeFiles() {
	for _, s := range []*streamFiles{&o.out, &o.errs} {
		if s.f == nil {
			continue
		}
		if err := s.f.Close(); err != nil && o.err == nil {
			o.err = err // some file systems report a full disk here
			o.truncated = true
		}
		s.f = nil
	}
}

// finish closes the files and puts what is known of the output into a result.
func (o *output) finish(r *Result) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closeFiles()
	r.Tail, r.OutputBytes, r.Truncated = o.tail, o.total, o.truncated
	if o.err != nil {
		r.OutputError = o.err.Error()
	}
}

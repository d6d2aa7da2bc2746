package proc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	followEvery = 100 * time.Millisecond
	followBytes = 256 << 10
	// maxLogRaces is how often a read starts over because the segment it chose
	// was rotated away under it.
	maxLogRaces = 16
)

// Chunk is a piece of a stream. Offset counts from the first byte that the
// program ever printed there, so that a jump shows what was dropped.
type Chunk struct {
	Offset int64  `json:"offset"`
	Data   []byte `json:"data"`
}

// Logs reads the stored output of one attempt, from any process of the host,
// while it is written or after. Safe for concurrent use.
type Logs struct {
	Dir string `json:"dir"`
}

// OpenLogs returns the logs in an attempt's OutputDir. The directory need not
// exist: an attempt that has printed nothing has none.
func OpenLogs(dir string) Logs { return Logs{Dir: dir} }

type segment struct {
	start, size int64
}

// segments lists a stream's files in the order of the stream.
func (l Logs) segments(s Stream) ([]segment, error) {
	entries, err := os.ReadDir(l.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read output: %w", err)
	}
	var out []segment
	for _, e := range entries {
		stream, start, ok := parseSegment(e.Name())
		if !ok || stream != s {
			continue
		}
		if info, err := e.Info(); err == nil { // else: rotated away just now
			out = append(out, segment{start, info.Size()})
		}
	}
	slices.SortFunc(out, func(a, b segment) int { return int(min(max(a.start-b.start, -1), 1)) })
	return out, nil
}

func parseSegment(name string) (Stream, int64, bool) {
	stream, digits, ok := strings.Cut(name, ".")
	if !ok || stream != string(Stdout) && stream != string(Stderr) {
		return "", 0, false
	}
	start, err := strconv.ParseInt(digits, 10, 64)
	return Stream(stream), start, err == nil && start >= 0 && name == segmentName(Stream(stream), start)
}

// Size returns the offsets of the first byte that is still stored and of the
// end. Both are 0 where nothing was printed.
func (l Logs) Size(s Stream) (first, end int64, err error) {
	segs, err := l.segments(s)
	if err != nil || len(segs) == 0 {
		return 0, 0, err
	}
	last := segs[len(segs)-1]
	return segs[0].start, last.start + last.size, nil
}

// Read returns at most limit bytes from offset on, or from the first stored
// byte behind it where those are gone. io.EOF means that there is nothing at or
// behind offset, perhaps not yet. One call reads from one segment.
func (l Logs) Read(s Stream, offset int64, limit int) (Chunk, error) {
	if offset < 0 || limit <= 0 {
		return Chunk{}, fmt.Errorf("%w: read of %d bytes at %d", ErrInvalid, limit, offset)
	}
	for range maxLogRaces {
		c, err := l.readOnce(s, offset, limit)
		if !errors.Is(err, fs.ErrNotExist) {
			return c, err
		}
	}
	return Chunk{}, fmt.Errorf("read output %s: rotated faster than it can be read", l.Dir)
}

func (l Logs) readOnce(s Stream, offset int64, limit int) (Chunk, error) {
	segs, err := l.segments(s)
	if err != nil {
		return Chunk{}, err
	}
	for _, seg := range segs {
		if offset < seg.start+seg.size {
			return l.readSegment(s, seg, max(offset, seg.start), limit)
		}
	}
	return Chunk{}, io.EOF
}

func (l Logs) readSegment(s Stream, seg segment, offset int64, limit int) (Chunk, error) {
	f, err := os.Open(filepath.Join(l.Dir, segmentName(s, seg.start)))
	if err != nil {
		return Chunk{}, fmt.Errorf("read output: %w", err)
	}
	defer f.Close()
	buf := make([]byte, min(int64(limit), seg.start+seg.size-offset))
	n, err := f.ReadAt(buf, offset-seg.start)
	if n == 0 {
		return Chunk{}, fmt.Errorf("read output: %w", err)
	}
	return Chunk{Offset: offset, Data: buf[:n]}, nil
}

// Tail returns the last n bytes of a stream, fewer where fewer are stored, and
// an empty chunk where nothing is.
func (l Logs) Tail(s Stream, n int) (Chunk, error) {
	first, end, err := l.Size(s)
	if err != nil {
		return Chunk{}, err
	}
	out := Chunk{Offset: max(first, end-int64(n))}
	for len(out.Data) < n {
		c, err := l.Read(s, out.Offset+int64(len(out.Data)), n-len(out.Data))
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return Chunk{}, err
		}
		if c.Offset != out.Offset+int64(len(out.Data)) { // rotated meanwhile
			out = Chunk{Offset: c.Offset}
		}
		out.Data = append(out.Data, c.Data...)
	}
	return out, nil
}

// Follow hands a stream from offset on to emit as it grows, looking every
// 100 ms. It returns nil once ended has said true and everything printed before
// that was emitted, the error of emit, or the error of the context.
func (l Logs) Follow(ctx context.Context, s Stream, offset int64, ended func() bool, emit func(Chunk) error) error {
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	for {
		last := ended() // asked first: nothing is printed after it
		next, err := l.emitAll(ctx, s, offset, emit)
		if err != nil || last {
			return err
		}
		offset = next
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

func (l Logs) emitAll(ctx context.Context, s Stream, offset int64, emit func(Chunk) error) (int64, error) {
	for {
		if err := ctx.Err(); err != nil {
			return offset, err
		}
		c, err := l.Read(s, offset, followBytes)
		if errors.Is(err, io.EOF) {
			return offset, nil
		}
		if err != nil {
			return offset, err
		}
		if err := emit(c); err != nil {
			return offset, err
		}
		offset = c.Offset + int64(len(c.Data))
	}
}

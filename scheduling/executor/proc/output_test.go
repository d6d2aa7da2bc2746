package proc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestStreamsAreKeptApart(t *testing.T) {
	h := newHarness(t, Options{})
	req := shell("a", "echo one; echo two >&2; echo three")
	req.OutputDir = filepath.Join(t.TempDir(), "deep", "a")
	r := h.run(req)
	if got := readAll(t, req.OutputDir, Stdout); got != "one\nthree\n" {
		t.Errorf("stdout %q", got)
	}
	if got := readAll(t, req.OutputDir, Stderr); got != "two\n" {
		t.Errorf("stderr %q", got)
	}
	if r.OutputBytes != 14 || len(r.Tail) != 14 || r.Truncated || r.OutputError != "" {
		t.Errorf("result %+v", r)
	}
}

func TestSilenceMakesNoFiles(t *testing.T) {
	h := newHarness(t, Options{})
	req := shell("a", "exit 0")
	req.OutputDir = filepath.Join(t.TempDir(), "a")
	h.run(req)
	if _, err := os.Stat(req.OutputDir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("output directory: %v, want none", err)
	}
	if got := readAll(t, req.OutputDir, Stdout); got != "" {
		t.Errorf("stdout %q", got)
	}
}

// A program that prints as fast as it can: the cap holds at every look, and the
// neighbours go on.
func TestCap(t *testing.T) {
	h := newHarness(t, Options{})
	const limit = 1 << 20
	req := StartRequest{ID: "yes", Argv: []string{"/usr/bin/yes"}, OutputLimit: limit, OutputDir: filepath.Join(t.TempDir(), "yes")}
	h.start(req)
	printed := func() int64 {
		_, end, err := OpenLogs(req.OutputDir).Size(Stdout)
		if err != nil {
			t.Fatal(err)
		}
		return end
	}
	eventually(t, "ten times the limit was printed", func() bool {
		if n := dirBytes(t, req.OutputDir); n > limit {
			t.Fatalf("%d bytes on disk, limit %d", n, limit)
		}
		return printed() > 10*limit
	})
	if r := h.run(shell("neighbour", "echo here")); r.Outcome != Succeeded || string(r.Tail) != "here\n" {
		t.Errorf("neighbour %+v", r)
	}
	if err := h.Kill(ctx, "yes", ReasonCancelled); err != nil {
		t.Fatal(err)
	}
	r := h.result()
	if !r.Truncated || r.OutputBytes != printed() || len(r.Tail) != TailBytes {
		t.Errorf("truncated %v, %d bytes (%d in files), tail of %d", r.Truncated, r.OutputBytes, printed(), len(r.Tail))
	}
	if n := dirBytes(t, req.OutputDir); n > limit || n < limit*(segmentsPerAttempt-1)/segmentsPerAttempt {
		t.Errorf("%d bytes kept of a limit of %d", n, limit)
	}
}

func TestChattyStdoutKeepsStderr(t *testing.T) {
	h := newHarness(t, Options{})
	req := shell("a", "echo precious >&2; head -c 300000 /dev/zero; echo last")
	req.OutputDir, req.OutputLimit = filepath.Join(t.TempDir(), "a"), 64<<10
	r := h.run(req)
	if got := readAll(t, req.OutputDir, Stderr); got != "precious\n" {
		t.Errorf("stderr %q", got)
	}
	if got := readAll(t, req.OutputDir, Stdout); !strings.HasSuffix(got, "\x00last\n") {
		t.Errorf("stdout does not end with the last line")
	}
	if !r.Truncated || r.OutputBytes != 300014 {
		t.Errorf("truncated %v, %d bytes", r.Truncated, r.OutputBytes)
	}
}

// An attempt whose files cannot be written runs on and says so.
func TestUnwritableOutput(t *testing.T) {
	h := newHarness(t, Options{})
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	req := shell("a", "echo hello")
	req.OutputDir = filepath.Join(file, "below")
	r := h.run(req)
	if r.Outcome != Succeeded || r.OutputError == "" || !r.Truncated || string(r.Tail) != "hello\n" {
		t.Errorf("result %+v", r)
	}
}

// Whatever is written in whatever pieces, what is kept is the end of it, at its
// offset, within the limit.
func TestOutputKeepsTheEnd(t *testing.T) {
	root := t.TempDir()
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp(root, "o")
		if err != nil {
			rt.Fatal(err)
		}
		limit := rapid.Int64Range(MinOutputLimit, 3*MinOutputLimit).Draw(rt, "limit")
		o := newOutput(dir, limit)
		want := map[Stream]*bytes.Buffer{Stdout: {}, Stderr: {}}
		var both []byte
		for i := range rapid.IntRange(1, 30).Draw(rt, "writes") {
			s := &o.out
			if rapid.Bool().Draw(rt, "stderr") {
				s = &o.errs
			}
			p := bytes.Repeat([]byte{byte(i)}, rapid.IntRange(1, 4000).Draw(rt, "bytes"))
			o.write(s, p)
			want[s.name].Write(p)
			both = append(both, p...)
			if n := dirBytes(t, dir); n > limit {
				rt.Fatalf("%d bytes on disk, limit %d", n, limit)
			}
		}
		var r Result
		o.finish(&r)
		if tail := both[max(0, len(both)-TailBytes):]; !bytes.Equal(r.Tail, tail) {
			rt.Fatalf("tail of %d bytes differs", len(r.Tail))
		}
		var dropped int64
		for s, buf := range want {
			first, end, err := OpenLogs(dir).Size(s)
			if err != nil || end != int64(buf.Len()) {
				rt.Fatalf("%s ends at %d (%v), want %d", s, end, err, buf.Len())
			}
			dropped += first
			tail, err := OpenLogs(dir).Tail(s, 1<<20)
			if err != nil || tail.Offset != first || !bytes.Equal(tail.Data, buf.Bytes()[first:]) {
				rt.Fatalf("%s from %d differs: %v", s, first, err)
			}
		}
		if r.Truncated != (dropped > 0) {
			rt.Fatalf("truncated %v with %d bytes dropped", r.Truncated, dropped)
		}
	})
}

func TestFollow(t *testing.T) {
	h := newHarness(t, Options{})
	dir := t.TempDir()
	gate := filepath.Join(dir, "gate")
	req := shell("a", `echo first; while [ ! -e `+gate+` ]; do sleep 0.01; done; echo second`)
	req.OutputDir = filepath.Join(dir, "out")
	h.start(req)
	over := make(chan struct{})
	ended := func() bool {
		select {
		case <-over:
			return true
		default:
			return false
		}
	}
	got, done := make(chan string, 16), make(chan error, 1)
	go func() {
		done <- OpenLogs(req.OutputDir).Follow(ctx, Stdout, 0, ended, func(c Chunk) error {
			got <- fmt.Sprintf("%d:%s", c.Offset, c.Data)
			return nil
		})
	}()
	if s := <-got; s != "0:first\n" {
		t.Errorf("first chunk %q", s)
	}
	if err := os.WriteFile(gate, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	h.result()
	close(over)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if s := <-got; s != "6:second\n" {
		t.Errorf("second chunk %q", s)
	}
}

func TestFollowEnds(t *testing.T) {
	dir := t.TempDir()
	never := func() bool { return false }
	short, cancel := context.WithTimeout(ctx, 10*time.Millisecond)
	defer cancel()
	if err := OpenLogs(dir).Follow(short, Stdout, 0, never, nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Follow: %v, want the context's error", err)
	}
	if err := os.WriteFile(filepath.Join(dir, segmentName(Stdout, 0)), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	full := errors.New("full")
	if err := OpenLogs(dir).Follow(ctx, Stdout, 0, never, func(Chunk) error { return full }); !errors.Is(err, full) {
		t.Errorf("Follow: %v, want the error of emit", err)
	}
}

func TestLogsRead(t *testing.T) {
	dir := t.TempDir()
	for name, data := range map[string]string{
		segmentName(Stdout, 10): "abcde", segmentName(Stdout, 15): "fgh",
		segmentName(Stderr, 0): "err", "stdout.x": "no", "stdout.1": "no", "other": "no",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	tests := []struct {
		offset int64
		limit  int
		want   Chunk
		err    error
	}{
		{0, 100, Chunk{10, []byte("abcde")}, nil},
		{12, 2, Chunk{12, []byte("cd")}, nil},
		{15, 100, Chunk{15, []byte("fgh")}, nil},
		{18, 100, Chunk{}, io.EOF},
		{99, 100, Chunk{}, io.EOF},
		{-1, 100, Chunk{}, ErrInvalid},
		{0, 0, Chunk{}, ErrInvalid},
	}
	for _, tt := range tests {
		got, err := OpenLogs(dir).Read(Stdout, tt.offset, tt.limit)
		if !errors.Is(err, tt.err) {
			t.Errorf("Read(%d, %d): %v, want %v", tt.offset, tt.limit, err, tt.err)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("Read(%d, %d) (-want +got):\n%s", tt.offset, tt.limit, diff)
		}
	}
	if c, err := OpenLogs(dir).Tail(Stdout, 4); err != nil || c.Offset != 14 || string(c.Data) != "efgh" {
		t.Errorf("Tail: %+v, %v", c, err)
	}
}

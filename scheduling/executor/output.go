package executor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/scheduling/executor/proc"
)

const (
	// firstSweep comes soon after the start, when there are other things to do;
	// the next ones are as far apart as a look at every file may cost.
	firstSweep   = time.Minute
	sweepEvery   = 10 * time.Minute
	followedRead = 32 << 10
)

// sweep removes old output.
func (e *Executor) sweep(ctx context.Context) error {
	next := time.NewTimer(firstSweep)
	defer next.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case now := <-next.C:
			e.sweepOnce(ctx, now)
			next.Reset(sweepEvery)
		}
	}
}

func (e *Executor) sweepOnce(ctx context.Context, now time.Time) {
	_, err := proc.Sweep(ctx, proc.SweepOptions{
		Root: e.cfg.OutputDir, OlderThan: e.cfg.OutputMaxAge, MaxBytes: e.cfg.OutputMaxBytes, Live: e.liveDirs(), Now: now,
	})
	if err != nil && ctx.Err() == nil {
		e.cfg.Logger.Warn("cannot remove old output", "dir", e.cfg.OutputDir, "error", err)
	}
}

// liveDirs returns a test for the folders that must stay.
func (e *Executor) liveDirs() func(dir string) bool {
	dirs := map[string]bool{}
	e.mu.Lock()
	defer e.mu.Unlock()
	for ref, l := range e.locals {
		if l.state == starting || l.state == live {
			dirs[e.outputDir(ref)] = true
		}
	}
	return func(dir string) bool { return dirs[dir] }
}

// Output opens what an attempt wrote on this node. stream is "stdout", "stderr"
// or "both"; tail, if not negative, begins that many bytes before the end; follow
// goes on until the attempt has ended here. The reader must be closed. It is
// ErrNoLog if this node knows nothing of the attempt.
func (e *Executor) Output(ctx context.Context, ref fsm.AttemptRef, stream string, follow bool, tail int64) (io.ReadCloser, error) {
	dir := e.outputDir(ref)
	if _, err := os.Stat(dir); err != nil && !e.running(ref) {
		return nil, fmt.Errorf("%w: %s", ErrNoLog, ref)
	}
	streams := []proc.Stream{proc.Stdout, proc.Stderr}
	switch stream {
	case "stdout":
		streams = streams[:1]
	case "stderr":
		streams = streams[1:]
	case "", "both":
	default:
		return nil, fmt.Errorf("%w: stream %q: want stdout, stderr or both", fsm.ErrInvalid, stream)
	}
	ctx, cancel := context.WithCancel(ctx)
	r, w := io.Pipe()
	go func() {
		w.CloseWithError(e.copyOutput(ctx, proc.OpenLogs(dir), streams, ref, follow, tail, w))
	}()
	return &outputReader{r, cancel}, nil
}

type outputReader struct {
	*io.PipeReader
	cancel context.CancelFunc
}

// Close ends the copying.
func (r *outputReader) Close() error {
	r.cancel()
	return r.PipeReader.Close()
}

func (e *Executor) running(ref fsm.AttemptRef) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	l := e.locals[ref]
	return l != nil && (l.state == starting || l.state == live)
}

func (e *Executor) copyOutput(ctx context.Context, logs proc.Logs, streams []proc.Stream, ref fsm.AttemptRef, follow bool, tail int64, w io.Writer) error {
	if !follow {
		for _, s := range streams {
			if err := copyStream(logs, s, tail, w); err != nil {
				return err
			}
		}
		return nil
	}
	g, ctx := errgroup.WithContext(ctx)
	for _, s := range streams {
		g.Go(func() error {
			ended := func() bool { return !e.running(ref) }
			return logs.Follow(ctx, s, startOffset(logs, s, tail), ended, func(c proc.Chunk) error {
				_, err := w.Write(c.Data) // a pipe's writes are whole: the streams mix by chunks
				return err
			})
		})
	}
	return g.Wait()
}

func startOffset(logs proc.Logs, s proc.Stream, tail int64) int64 {
	first, end, err := logs.Size(s)
	if err != nil || tail < 0 {
		return first
	}
	return max(first, end-tail)
}

func copyStream(logs proc.Logs, s proc.Stream, tail int64, w io.Writer) error {
	offset := startOffset(logs, s, tail)
	for {
		c, err := logs.Read(s, offset, followedRead)
		if errors.Is(err, io.EOF) || errors.Is(err, os.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		if _, err := w.Write(c.Data); err != nil {
			return err
		}
		offset = c.Offset + int64(len(c.Data))
	}
}

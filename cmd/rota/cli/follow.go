package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/transport/api"
)

// Bounds of waiting for a run.
const (
	// blockFor is how long one read waits for news.
	blockFor = 30 * time.Second
	// patience is for how long the agent may be out of reach.
	patience = time.Minute
	// breath is the pause between reads that brought nothing.
	breath = 250 * time.Millisecond
)

// readRun reads a run once there is something newer than the index. While the
// agent cannot be reached it tries again, up to patience.
func readRun(ctx context.Context, client *api.Client, id string, after uint64, brief bool) (api.Run, uint64, error) {
	deadline := time.Now().Add(patience)
	for {
		run, index, err := client.Run(ctx, id, api.Read{After: after, Wait: blockFor, Brief: brief})
		if err == nil && index <= after && !run.State.Ended() {
			err = pause(ctx, breath)
		}
		if err == nil || !passing(err) || ctx.Err() != nil || time.Now().After(deadline) {
			return run, index, err
		}
		if err := pause(ctx, breath); err != nil {
			return run, index, err
		}
	}
}

// passing says whether an error of a read may go away by itself.
func passing(err error) bool {
	var status *api.StatusError
	if !errors.As(err, &status) {
		return true // the connection
	}
	return status.Status >= 500
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// waitRun returns the run once it has ended.
func waitRun(ctx context.Context, client *api.Client, id string) (api.Run, error) {
	var after uint64
	for {
		run, index, err := readRun(ctx, client, id, after, true)
		if err != nil {
			return run, err
		}
		if run.State.Ended() {
			run, _, err = readRun(ctx, client, id, 0, false)
			return run, err
		}
		after = index
	}
}

// follower prints the output of a run's attempts, one after the other, as they
// write it. What runs at the same time follows after: it is all kept.
type follower struct {
	client *api.Client
	out    io.Writer
	notes  io.Writer
	query  api.LogQuery // Stream and Tail of each
	// want chooses the attempts; nil means all.
	want  func(fsm.AttemptRef) bool
	shown map[fsm.AttemptRef]bool
}

// attempt is one attempt that has output.
type attempt struct {
	ref  fsm.AttemptRef
	node string
	// unstarted says why it could not be started, and so wrote nothing.
	unstarted string
}

// newAttempt returns the attempt of that number of a shard.
func newAttempt(ref fsm.AttemptRef, node string, a *fsm.Attempt) attempt {
	ref.Attempt = a.Number
	one := attempt{ref: ref, node: node}
	if a.Outcome == fsm.AttemptStartFailed {
		one.unstarted = a.Failure()
	}
	return one
}

// follow prints until the run has ended, and returns it.
func (f *follower) follow(ctx context.Context, id string) (api.Run, error) {
	f.shown = map[fsm.AttemptRef]bool{}
	var after uint64
	for {
		run, index, err := readRun(ctx, f.client, id, after, false)
		if err != nil {
			return run, err
		}
		for _, a := range startedAttempts(&run) {
			if f.shown[a.ref] || (f.want != nil && !f.want(a.ref)) {
				continue
			}
			f.shown[a.ref] = true
			if err := f.print(ctx, a, needsHeader(&run), true); err != nil {
				return run, err
			}
		}
		if run.State.Ended() {
			return run, nil
		}
		after = index
	}
}

// print copies the output of one attempt. Output that cannot be had, its node
// being lost perhaps, is a note and no failure: there is more to show.
func (f *follower) print(ctx context.Context, a attempt, header, follow bool) error {
	if header {
		if _, err := fmt.Fprintf(f.out, "==> %s <==\n", a.title()); err != nil {
			return err
		}
	}
	if a.unstarted != "" {
		_, err := fmt.Fprintf(f.notes, "%s %s\n", a.title(), a.unstarted)
		return err
	}
	q := f.query
	q.Task, q.Shard, q.Attempt, q.Follow = a.ref.Task, a.ref.Shard, a.ref.Attempt, follow
	body, err := f.client.Logs(ctx, a.ref.RunID, q)
	if err == nil {
		out := &checkedWriter{w: f.out}
		_, err = io.Copy(out, body)
		body.Close()
		if out.err != nil {
			return out.err
		}
	}
	if err == nil || ctx.Err() != nil {
		return ctx.Err()
	}
	_, err = fmt.Fprintf(f.notes, "The output of %s cannot be had, or not all of it: %s\n", a.title(), sentence(err.Error()))
	return err
}

func (a attempt) title() string {
	text := fmt.Sprintf("%s, shard %d, attempt %d", a.ref.Task, a.ref.Shard, a.ref.Attempt)
	if a.node != "" {
		text += ", on " + a.node
	}
	return text
}

// checkedWriter remembers that writing failed, to tell that from reading.
type checkedWriter struct {
	w   io.Writer
	err error
}

func (c *checkedWriter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	if err != nil {
		c.err = err
	}
	return n, err
}

// startedAttempts returns every attempt of the run that has begun, in the order
// of the tasks, shards and numbers.
func startedAttempts(run *api.Run) []attempt {
	var all []attempt
	for i := range run.Tasks {
		for j := range run.Tasks[i].Items {
			shard := &run.Tasks[i].Items[j]
			ref := shard.Ref()
			for k := range shard.Past {
				if past := &shard.Past[k]; past.StartedAt != 0 {
					all = append(all, newAttempt(ref, "", past))
				}
			}
			if shard.Current.StartedAt != 0 {
				all = append(all, newAttempt(ref, shard.NodeName, &shard.Current))
			}
		}
	}
	return all
}

// needsHeader says whether the output of a run has more than one part.
func needsHeader(run *api.Run) bool {
	return len(run.Tasks) > 1 || (len(run.Tasks) == 1 && len(run.Tasks[0].Items) > 1)
}

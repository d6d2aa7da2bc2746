package executor

import (
	"context"
	"time"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/scheduling/executor/httpcall"
	"github.com/rota-scheduler/rota/scheduling/executor/proc"
)

// defaultCallTimeout bounds a call whose task names no timeout.
const defaultCallTimeout = 5 * time.Minute

// startCall makes the request of the http driver, in this process. Nothing can
// fence it: a call that was begun counts as made. So that a later life of the
// agent knows that it may have been, the process half keeps a note before it
// begins.
func (e *Executor) startCall(ctx context.Context, ref fsm.AttemptRef, l *local, task *fsm.Task, expiry int64) {
	call := httpcall.Call{
		Method: task.HTTP.Method, URL: task.HTTP.URL, Headers: task.HTTP.Headers, Body: []byte(task.HTTP.Body),
		ExpectedStatus: task.HTTP.ExpectedStatus, Timeout: time.Duration(task.Timeout),
	}
	if call.Timeout == 0 {
		call.Timeout = defaultCallTimeout
	}
	ctx, cancel := context.WithCancel(ctx)
	e.mu.Lock()
	l.cancel = cancel
	e.mu.Unlock()
	e.starts.Go(func() {
		defer cancel()
		if err := e.cfg.Processes.Decline(ctx, ref.String(), []byte(fsm.ReportKilled)); err != nil {
			e.started(ctx, ref, l, err)
			return
		}
		began := e.cfg.Clock.Mono()
		if expiry != 0 && began >= expiry {
			e.tell(ref, declined, fsm.Report{AttemptRef: ref, Kind: fsm.ReportNever})
			return
		}
		e.started(ctx, ref, l, nil)
		e.endCall(ctx, ref, began, e.calls.Do(ctx, call))
	})
}

// endCall takes the answer of a call. One that was cut off because the agent
// stops is left to the note.
func (e *Executor) endCall(ctx context.Context, ref fsm.AttemptRef, began int64, answer httpcall.Result) {
	e.mu.Lock()
	l := e.locals[ref]
	killed := l != nil && l.killed
	e.mu.Unlock()
	r := proc.Result{
		ID: ref.String(), Outcome: proc.Outcome(answer.Outcome), Error: answer.Error,
		StartedMono: began, EndedMono: e.cfg.Clock.Mono(), Tail: answer.Tail, OutputBytes: answer.BodyBytes, Truncated: answer.Truncated,
	}
	if r.Outcome != proc.Succeeded {
		r.ExitCode = -1 // there is none, and 0 would look like a success
	}
	switch {
	case killed:
		r.Outcome, r.Error = proc.Cancelled, ""
	case ctx.Err() != nil:
		return
	}
	e.Ended(r)
}

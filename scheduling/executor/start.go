package executor

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/scheduling/executor/proc"
)

// start hands an attempt to the process half on a goroutine of its own: a fork
// must not hold up the decisions about the others.
func (e *Executor) start(ctx context.Context, v *fsm.View, run *fsm.Run, s *fsm.Shard, base, expiry int64) {
	task := v.Spec(run).Task(s.Task)
	ref := s.Ref()
	l := &local{state: starting, weight: s.Weight}
	e.mu.Lock()
	e.locals[ref] = l
	e.busy += s.Weight
	e.mu.Unlock()
	if task.DriverName() == fsm.DriverNoop {
		e.endNoop(ref)
		return
	}
	req := proc.StartRequest{
		ID: ref.String(), Argv: argv(task), Env: e.environment(run, s, task), Dir: task.Dir,
		Timeout: time.Duration(task.Timeout), Grace: time.Duration(task.KillGrace()),
		StopAfter: time.Duration(task.StopAfter), Expiry: expiry, ContactBase: base,
		OutputDir: e.outputDir(ref), OutputLimit: task.OutputLimit,
	}
	e.starts.Go(func() { e.started(ctx, ref, l, e.cfg.Processes.Start(ctx, req)) })
}

// started takes the answer to a start.
func (e *Executor) started(ctx context.Context, ref fsm.AttemptRef, l *local, err error) {
	if err == nil {
		e.mu.Lock()
		if l.state == starting {
			l.state = live
			l.report = &fsm.Report{AttemptRef: ref, Kind: fsm.ReportStarted, StartedAt: e.cfg.Clock.Now()}
		}
		e.mu.Unlock()
		poke(e.send)
		e.again() // it may have been cancelled meanwhile
		return
	}
	if ctx.Err() == nil && !errors.Is(err, proc.ErrExpired) {
		e.cfg.Logger.Warn("start refused", "attempt", ref, "error", err)
	}
	if errors.Is(err, proc.ErrInvalid) {
		e.failStart(ref, err)
		return
	}
	// Surely not started by this call (rule 11): decide again, after a pause
	// where the refusal was for want of something.
	repeated := errors.Is(err, proc.ErrRepeated)
	if !repeated && !errors.Is(err, proc.ErrExpired) && !errors.Is(err, proc.ErrKilled) {
		select {
		case <-ctx.Done():
		case <-time.After(retryStart):
		}
	}
	e.mu.Lock()
	if e.locals[ref] == l && l.state == starting {
		e.busy -= l.weight
		delete(e.locals, ref)
	}
	e.mu.Unlock()
	if repeated { // an earlier call, whose answer was lost
		if err := e.adopt(ctx); err != nil && ctx.Err() == nil {
			e.cfg.Logger.Error("cannot learn what became of an attempt", "attempt", ref, "error", err)
		}
	}
	e.again()
}

// failStart ends an attempt that can never be started as it is.
func (e *Executor) failStart(ref fsm.AttemptRef, err error) {
	now := e.cfg.Clock.Mono()
	e.Ended(proc.Result{
		ID: ref.String(), Outcome: proc.StartFailed, Error: err.Error(), StartedMono: now, EndedMono: now,
	})
}

// endNoop ends an attempt that has no process.
func (e *Executor) endNoop(ref fsm.AttemptRef) {
	now := e.cfg.Clock.Mono()
	e.Ended(proc.Result{ID: ref.String(), Outcome: proc.Succeeded, StartedMono: now, EndedMono: now})
}

func argv(t *fsm.Task) []string {
	if t.DriverName() == fsm.DriverShell {
		return []string{"/bin/sh", "-c", t.Command}
	}
	return append([]string{t.Command}, t.Args...)
}

func (e *Executor) outputDir(ref fsm.AttemptRef) string {
	return filepath.Join(e.cfg.OutputDir, ref.RunID, ref.Task, strconv.Itoa(ref.Shard), strconv.Itoa(ref.Attempt))
}

// inherited are the variables of the agent that a job sees. The rest of the
// agent's environment may hold its secrets.
var inherited = []string{"PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LC_ALL", "TZ", "TMPDIR"}

// environment returns an attempt's complete environment, sorted. The task's own
// variables win over the agent's, and ours over both.
func (e *Executor) environment(run *fsm.Run, s *fsm.Shard, task *fsm.Task) []string {
	env := map[string]string{"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
	for _, name := range inherited {
		if value, ok := os.LookupEnv(name); ok {
			env[name] = value
		}
	}
	for name, value := range task.Env {
		env[name] = value
	}
	env["ROTA_NAMESPACE"] = run.Namespace
	env["ROTA_JOB"] = run.Job
	env["ROTA_RUN_ID"] = run.ID
	env["ROTA_TASK"] = s.Task
	env["ROTA_ATTEMPT"] = strconv.Itoa(s.Current.Number)
	env["ROTA_SCHEDULED_AT"] = run.ScheduledAt.String()
	env["ROTA_SHARD_INDEX"] = strconv.Itoa(s.Index)
	env["ROTA_SHARD_COUNT"] = "1"
	env["ROTA_NODE"] = e.cfg.NodeName
	env["ROTA_FENCE"] = strconv.FormatUint(s.Current.Fence, 10)
	list := make([]string, 0, len(env))
	for name, value := range env {
		list = append(list, name+"="+value)
	}
	slices.Sort(list)
	return list
}

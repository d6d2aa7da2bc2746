package executor

import (
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/scheduling/executor/proc"
)

// start hands an attempt to the process half on a goroutine of its own: a fork
// must not hold up the decisions about the others.
func (e *Executor) start(ctx context.Context, v *fsm.View, run *fsm.Run, s *fsm.Shard, base, expiry int64) {
	task := v.Spec(run).Task(s.Task)
	ref := s.Ref()
	l := &local{state: starting, weight: s.Weight, alone: run.TasksTotal == 1 && s.Count <= 1}
	e.mu.Lock()
	e.locals[ref] = l
	e.busy += s.Weight
	e.mu.Unlock()
	if task.DriverName() == fsm.DriverNoop {
		e.endNoop(ref)
		return
	}
	task, env, err := e.prepare(v, run, s, task)
	if err != nil {
		e.failStart(ref, err)
		return
	}
	if task.DriverName() == fsm.DriverHTTP {
		e.startCall(ctx, ref, l, task, expiry)
		return
	}
	req := proc.StartRequest{
		Isolation: task.Isolation, User: task.User, Umask: umask(task.Umask), CPU: task.CPU, Memory: task.Memory, Pids: int64(task.Pids),
		ID: ref.String(), Argv: argv(task), Env: env, Dir: task.Dir,
		Timeout: time.Duration(task.Timeout), Grace: time.Duration(task.KillGrace()),
		StopAfter: time.Duration(task.StopAfter), Expiry: expiry, ContactBase: base,
		OutputDir: e.outputDir(ref), OutputLimit: task.OutputLimit,
	}
	e.starts.Go(func() { e.started(ctx, ref, l, e.cfg.Processes.Start(ctx, req)) })
}

// prepare replaces what the task's texts refer to, and gathers its environment.
func (e *Executor) prepare(v *fsm.View, run *fsm.Run, s *fsm.Shard, task *fsm.Task) (*fsm.Task, []string, error) {
	sc := e.scopeOf(v, run, s)
	task, err := expandTask(task, sc.value)
	if err != nil {
		return nil, nil, err
	}
	env, err := e.environment(sc, task)
	if err != nil {
		return nil, nil, err
	}
	if err := checkWords("variable", env); err != nil {
		return nil, nil, err
	}
	return task, env, checkWords("argument", argv(task))
}

// started takes the answer to a start.
func (e *Executor) started(ctx context.Context, ref fsm.AttemptRef, l *local, err error) {
	if err == nil {
		e.mu.Lock()
		if l.state == starting {
			l.state = live
			l.report = &fsm.Report{AttemptRef: ref, Kind: fsm.ReportStarted, StartedAt: e.cfg.Clock.Now()}
			if l.alone {
				l.holdUntil = e.cfg.Clock.Mono() + int64(startedHold)
			}
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
		ID: ref.String(), Outcome: proc.StartFailed, ExitCode: -1, Error: err.Error(), StartedMono: now, EndedMono: now,
	})
}

// endNoop ends an attempt that has no process.
func (e *Executor) endNoop(ref fsm.AttemptRef) {
	now := e.cfg.Clock.Mono()
	e.Ended(proc.Result{ID: ref.String(), Outcome: proc.Succeeded, StartedMono: now, EndedMono: now})
}

// defaultUmask is that of a login on most systems, whatever the agent's own is.
const defaultUmask = 0o022

// umask reads a task's umask, which was checked when the job was applied.
func umask(s string) *int {
	mask := defaultUmask
	if n, err := strconv.ParseInt(s, 8, 32); err == nil {
		mask = int(n)
	}
	return &mask
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

func inheritedEnvironment() map[string]string {
	env := map[string]string{"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
	for _, name := range inherited {
		if value, ok := os.LookupEnv(name); ok {
			env[name] = value
		}
	}
	return env
}

// environment returns an attempt's complete environment, sorted. The task's own
// variables win over the agent's, and ours over both.
func (e *Executor) environment(sc *scope, task *fsm.Task) ([]string, error) {
	env := inheritedEnvironment()
	maps.Copy(env, task.Env)
	run, s := sc.run, sc.shard
	env["ROTA_NAMESPACE"] = run.Namespace
	env["ROTA_JOB"] = run.Job
	env["ROTA_RUN_ID"] = run.ID
	env["ROTA_TASK"] = s.Task
	env["ROTA_ATTEMPT"] = strconv.Itoa(s.Current.Number)
	env["ROTA_SCHEDULED_AT"] = run.ScheduledAt.String()
	env["ROTA_NODE"] = e.cfg.NodeName
	env["ROTA_FENCE"] = strconv.FormatUint(s.Current.Fence, 10)
	if run.UpstreamRunID != "" {
		env["ROTA_UPSTREAM_RUN_ID"] = run.UpstreamRunID
	}
	for name, value := range run.Params {
		env["ROTA_PARAM_"+strings.ToUpper(name)] = value
	}
	if err := sc.shardEnvironment(env, task); err != nil {
		return nil, err
	}
	return spelled(env), nil
}

// shardEnvironment says which slice of its task an attempt has to do.
func (sc *scope) shardEnvironment(env map[string]string, task *fsm.Task) error {
	env["ROTA_SHARD_INDEX"] = strconv.Itoa(sc.slice.Index)
	env["ROTA_SHARD_COUNT"] = strconv.Itoa(sc.slice.Count)
	if task.Shards == nil {
		return nil
	}
	env["ROTA_SHARD_START"] = strconv.FormatInt(sc.slice.Start, 10)
	env["ROTA_SHARD_END"] = strconv.FormatInt(sc.slice.End, 10)
	if sc.slice.Items == nil {
		return nil
	}
	items, err := sc.items()
	env["ROTA_SHARD_ITEMS"] = items
	return err
}

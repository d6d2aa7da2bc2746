package executor

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/rota-scheduler/rota/scheduling/executor/proc"
)

// TestCommandError: what is said of a command that did not succeed.
func TestCommandError(t *testing.T) {
	for _, c := range []struct {
		r    proc.Result
		want string
	}{
		{proc.Result{Outcome: proc.Succeeded}, ""},
		{proc.Result{Outcome: proc.Failed, ExitCode: 3, Tail: []byte("a\nno route\n\n")}, "exit code 3: no route"},
		{proc.Result{Outcome: proc.Failed, ExitCode: -1, Signal: "SIGSEGV"}, "killed by SIGSEGV"},
		{proc.Result{Outcome: proc.Timeout, ExitCode: -1, Signal: "SIGKILL"}, "killed at its timeout"},
		{proc.Result{Outcome: proc.StartFailed, Error: "no such file"}, "could not be started: no such file"},
		{proc.Result{Outcome: proc.Failed, ExitCode: 1, Tail: []byte(strings.Repeat("x", 999))}, "exit code 1: " + strings.Repeat("x", maxTailShown) + "…"},
	} {
		got := ""
		if err := commandError(&c.r); err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%+v: %q, want %q", c.r, got, c.want)
		}
	}
}

// manager is a real process half whose ends go to an executor.
func manager(t *testing.T) (*Executor, *proc.Manager) {
	t.Helper()
	e := New(Config{})
	m, err := proc.New(t.Context(), proc.Options{Dir: t.TempDir(), OnEnd: e.Ended})
	if err != nil {
		t.Fatal(err)
	}
	e.cfg.Processes = m
	t.Cleanup(func() {
		if err := m.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return e, m
}

func shell(id, script string) Command {
	return Command{ID: id, Argv: []string{"/bin/sh", "-c", script}, Env: []string{"WHAT=told", "ROTA_EVENT=failure"}, Timeout: time.Minute}
}

// TestRunCommand: real processes, their environment, their end, and that nothing
// of them is kept.
func TestRunCommand(t *testing.T) {
	t.Setenv("AGENT_SECRET", "x")
	e, m := manager(t)
	if err := e.RunCommand(t.Context(), shell("1", `test "$WHAT$ROTA_EVENT$AGENT_SECRET" = toldfailure && test -n "$PATH"`)); err != nil {
		t.Error(err)
	}
	if err := e.RunCommand(t.Context(), shell("2", `echo no; exit 3`)); err == nil || err.Error() != "exit code 3: no" {
		t.Errorf("error %v", err)
	}
	late := shell("3", `trap "" TERM; while :; do sleep 1; done`)
	late.Timeout = 50 * time.Millisecond
	if err := e.RunCommand(t.Context(), late); err == nil || !strings.Contains(err.Error(), "timeout") {
		t.Errorf("error %v", err)
	}
	if err := e.RunCommand(t.Context(), Command{ID: "4", Argv: []string{"/no/such"}}); err == nil || !strings.Contains(err.Error(), "could not be started") {
		t.Errorf("error %v", err)
	}
	if list, err := m.List(t.Context()); err != nil || len(list) > 0 {
		t.Errorf("still listed: %+v, %v", list, err)
	}
}

// TestCommandOfAnEarlierLife: one that an earlier agent has started is waited for
// and not started again; one whose end nobody waited for is forgotten later.
func TestCommandOfAnEarlierLife(t *testing.T) {
	e, m := manager(t)
	ctx, cancel := context.WithCancel(t.Context())
	gate := t.TempDir() + "/gate"
	script := `echo started >> ` + gate + `.log; while ! test -e ` + gate + `; do sleep 0.01; done`
	gone := make(chan error, 1)
	go func() { gone <- e.RunCommand(ctx, shell("1", script)) }()
	waitFor(t, func() bool { list, _ := m.List(t.Context()); return len(list) == 1 && list[0].State == proc.Running })
	cancel()
	if err := <-gone; !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	again := make(chan error, 1)
	go func() { again <- e.RunCommand(t.Context(), shell("1", script)) }()
	waitFor(t, func() bool { e.mu.Lock(); defer e.mu.Unlock(); return len(e.commands) == 1 })
	if err := e.RunCommand(t.Context(), shell("2", "touch "+gate)); err != nil {
		t.Fatal(err)
	}
	if err := <-again; err != nil {
		t.Error(err)
	}
	if err := e.RunCommand(t.Context(), shell("3", `test $(wc -l < `+gate+`.log) = 1`)); err != nil {
		t.Errorf("it was started more than once: %v", err)
	}
	// Nobody waits for this one.
	if err := m.Start(t.Context(), proc.StartRequest{ID: commandPrefix + "4", Argv: []string{"/bin/true"}}); err != nil {
		t.Fatal(err)
	}
	waitFor(t, func() bool { e.mu.Lock(); defer e.mu.Unlock(); return len(e.stale) == 1 })
	if err := e.RunCommand(t.Context(), shell("5", ":")); err != nil {
		t.Fatal(err)
	}
	if list, err := m.List(t.Context()); err != nil || len(list) > 0 {
		t.Errorf("still listed: %+v, %v", list, err)
	}
}

// waitFor polls until the condition holds.
func waitFor(t *testing.T, met func() bool) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for !met() {
		if time.Now().After(deadline) {
			t.Fatal("it never came to that")
		}
		<-time.After(time.Millisecond)
	}
}

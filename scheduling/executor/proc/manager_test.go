package proc

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var ctx = context.Background()

func TestOutcomes(t *testing.T) {
	bothWays(t, testOutcomes)
}

func testOutcomes(t *testing.T, h *harness) {
	dir := t.TempDir()
	script := filepath.Join(dir, "local.sh")
	if err := os.WriteFile(script, []byte("#!/bin/sh\npwd\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	notExecutable := filepath.Join(dir, "data")
	if err := os.WriteFile(notExecutable, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name  string
		req   StartRequest
		want  Result
		error string // part of it
	}{
		{"succeeded", shell("", "exit 0"), Result{Outcome: Succeeded}, ""},
		{"exit code", shell("", "exit 7"), Result{Outcome: Failed, ExitCode: 7}, ""},
		{"high exit code", shell("", "exit 255"), Result{Outcome: Failed, ExitCode: 255}, ""},
		{"own SIGKILL", shell("", "kill -KILL $$"), Result{Outcome: Failed, ExitCode: -1, Signal: "SIGKILL"}, ""},
		{"own SIGSEGV", shell("", "kill -SEGV $$"), Result{Outcome: Failed, ExitCode: -1, Signal: "SIGSEGV"}, ""},
		{"missing program", StartRequest{Argv: []string{"/does/not/exist"}}, Result{Outcome: StartFailed, ExitCode: -1}, "no such file"},
		{"not in PATH", StartRequest{Argv: []string{"no-such-program"}, Env: []string{"PATH=/usr/bin"}}, Result{Outcome: StartFailed, ExitCode: -1}, `not in PATH "/usr/bin"`},
		{"not executable", StartRequest{Argv: []string{notExecutable}}, Result{Outcome: StartFailed, ExitCode: -1}, "permission denied"},
		{"missing directory", StartRequest{Argv: []string{"/bin/true"}, Dir: "/does/not"}, Result{Outcome: StartFailed, ExitCode: -1}, "working directory /does/not"},
		{"relative to its directory", StartRequest{Argv: []string{"./local.sh"}, Dir: dir}, Result{Outcome: Succeeded, Tail: []byte(dir + "\n"), OutputBytes: int64(len(dir) + 1), Truncated: true}, ""},
		{"own PATH", StartRequest{Argv: []string{"local.sh"}, Env: []string{"PATH=" + dir}}, Result{Outcome: Succeeded, Tail: []byte("/\n"), OutputBytes: 2, Truncated: true}, ""},
		{"stdin is empty", shell("", "cat; exit 4"), Result{Outcome: Failed, ExitCode: 4}, ""},
		{"environment", StartRequest{Argv: []string{"/usr/bin/env"}, Env: []string{"A=b"}}, Result{Outcome: Succeeded, Tail: []byte("A=b\nROTA_MARK=" + h.mark("environment") + "\n"), Truncated: true}, ""},
	}
	times := cmpopts.IgnoreFields(Result{}, "StartedAt", "EndedAt", "StartedMono", "EndedMono", "Error")
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.req.ID, tt.want.ID = tt.name, tt.name
			if tt.name == "environment" {
				tt.want.OutputBytes = int64(len(tt.want.Tail))
			}
			before, wallBefore := Mono(), wall()
			got := h.run(tt.req)
			if diff := cmp.Diff(tt.want, got, times); diff != "" {
				t.Errorf("result (-want +got):\n%s", diff)
			}
			if !strings.Contains(got.Error, tt.error) || (tt.error == "") != (got.Error == "") {
				t.Errorf("error %q, want one with %q", got.Error, tt.error)
			}
			if got.EndedMono < before || got.EndedMono > Mono() || got.EndedAt < wallBefore {
				t.Errorf("ended at %d / %d, before it was started", got.EndedAt, got.EndedMono)
			}
			if started := got.StartedAt != 0; started != (tt.want.Outcome != StartFailed) {
				t.Errorf("started at %d with outcome %s", got.StartedAt, got.Outcome)
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	h := newHarness(t, Options{StopAfter: time.Minute})
	trueAs := func(id string) StartRequest { return StartRequest{ID: id, Argv: []string{"/bin/true"}} }
	h.start(trueAs("ended"))
	h.result()
	h.start(shell("live", "exec sleep 300"))
	if err := h.Decline(ctx, "declined", nil); err != nil {
		t.Fatal(err)
	}
	with := func(id string, change func(*StartRequest)) StartRequest {
		r := trueAs(id)
		change(&r)
		return r
	}
	tests := []struct {
		name string
		req  StartRequest
		want error
	}{
		{"ended", trueAs("ended"), ErrRepeated},
		{"live", trueAs("live"), ErrRepeated},
		{"declined", trueAs("declined"), ErrRepeated},
		{"expired", with("a", func(r *StartRequest) { r.Expiry = Mono() }), ErrExpired},
		{"lapsed", with("a", func(r *StartRequest) { r.ContactBase = Mono() - int64(time.Minute) }), ErrExpired},
		{"no id", trueAs(""), ErrInvalid},
		{"long id", trueAs(strings.Repeat("x", 257)), ErrInvalid},
		{"newline in id", trueAs("a\nb"), ErrInvalid},
		{"no argv", with("a", func(r *StartRequest) { r.Argv = nil }), ErrInvalid},
		{"negative timeout", with("a", func(r *StartRequest) { r.Timeout = -1 }), ErrInvalid},
		{"relative output", with("a", func(r *StartRequest) { r.OutputDir = "here" }), ErrInvalid},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if err := h.Start(ctx, tt.req); !errors.Is(err, tt.want) {
				t.Errorf("Start: %v, want %v", err, tt.want)
			}
		})
	}
	list, err := h.List(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range list {
		got = append(got, fmt.Sprint(s.ID, " ", s.State))
	}
	want := []string{"declined declined", "ended ended", "live running"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("refused starts must leave no trace (-want +got):\n%s", diff)
	}
}

// A start that is refused on the forking thread can be asked for again.
func TestRefusedAtTheFork(t *testing.T) {
	h := newHarness(t, Options{})
	req := StartRequest{ID: "a", Argv: []string{"/bin/true"}}
	over, cancel := context.WithCancel(ctx)
	cancel()
	if err := h.Start(over, req); !errors.Is(err, context.Canceled) {
		t.Fatalf("Start: %v, want canceled", err)
	}
	req, err := req.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	a, err := h.admit(req)
	if err != nil {
		t.Fatal(err)
	}
	req.Expiry = Mono() // passes between the first check and the last
	if err := lastLook(ctx, a, req); !errors.Is(err, ErrExpired) {
		t.Fatalf("the last look: %v, want expired", err)
	}
	if err := launched(h, a, req); !errors.Is(err, ErrExpired) {
		t.Fatalf("launch: %v, want expired", err)
	}
	h.withdraw(a)
	if a, err = h.admit(req.withExpiry(0)); err != nil {
		t.Fatal(err)
	}
	a.kill(ReasonCancelled)
	if err := launched(h, a, req.withExpiry(0)); !errors.Is(err, ErrKilled) {
		t.Fatalf("launch: %v, want killed", err)
	}
	h.withdraw(a)
	if r := h.run(req.withExpiry(0)); r.Outcome != Succeeded {
		t.Errorf("the start that came through: %+v", r)
	}
}

// launched waits for the answer to a start that was admitted.
func launched(h *harness, a *attempt, req StartRequest) error {
	answer := make(chan error, 1)
	l := &launch{m: h.Manager, ctx: ctx, a: a, req: req, answer: func(err error) { answer <- err }}
	l.run()
	return <-answer
}

func (r StartRequest) withExpiry(at int64) StartRequest {
	r.Expiry = at
	return r
}

func TestExecAfterExpiryIsKilled(t *testing.T) {
	h := newHarness(t, Options{})
	req := shell("late", "trap '' TERM; while :; do sleep 1; done")
	a, err := h.admit(req)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.openPipes(nil); err != nil {
		t.Fatal(err)
	}
	job := forkJob{path: req.Argv[0], argv: req.Argv, check: func() error { return nil }}
	job.attr.Files = []uintptr{h.null.Fd(), uintptr(a.pipes[0].w), uintptr(a.pipes[1].w)}
	r := h.forkers.do(ctx, 0, job)
	if r.err != nil {
		t.Fatal(r.err)
	}
	a.grace = time.Hour
	h.Manager.run(a, req.withExpiry(r.at), r)
	if got := h.result(); got.Outcome != Killed || got.Reason != ReasonExpired || got.Signal != "SIGKILL" {
		t.Errorf("result %+v, want killed because expired", got)
	}
}

func TestForget(t *testing.T) {
	h := newHarness(t, Options{})
	h.start(shell("live", "exec sleep 300"))
	h.run(StartRequest{ID: "a", Argv: []string{"/bin/true"}})
	if err := h.Decline(ctx, "b", nil); err != nil {
		t.Fatal(err)
	}
	if err := h.Decline(ctx, "a", nil); !errors.Is(err, ErrRepeated) {
		t.Errorf("Decline of what has run: %v, want repeated", err)
	}
	if err := h.Forget(ctx, "a", "live", "b", "never-heard-of"); !errors.Is(err, ErrAlive) {
		t.Errorf("Forget: %v, want alive", err)
	}
	list, err := h.List(ctx)
	if err != nil || len(list) != 1 || list[0].ID != "live" || list[0].PID == 0 {
		t.Errorf("List: %+v, %v; want only what is live", list, err)
	}
	if err := h.Kill(ctx, "a", ReasonLost); !errors.Is(err, ErrUnknown) {
		t.Errorf("Kill of what is forgotten: %v, want unknown", err)
	}
	if r := h.run(StartRequest{ID: "a", Argv: []string{"/bin/true"}}); r.Outcome != Succeeded {
		t.Errorf("a forgotten id is free again: %+v", r)
	}
}

func TestLocked(t *testing.T) {
	dir := t.TempDir()
	newHarness(t, Options{Dir: dir})
	over, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := New(over, Options{Dir: dir}); !errors.Is(err, ErrLocked) {
		t.Errorf("second New: %v, want locked", err)
	}
}

func TestClosed(t *testing.T) {
	h := newHarness(t, Options{})
	h.start(shell("stubborn", "trap '' TERM; echo ready; while :; do sleep 300; done"))
	h.start(shell("meek", "exec sleep 300"))
	eventually(t, "trap is set", func() bool { return tailOf(h, "stubborn") == "ready\n" })
	h.stop()
	for range 2 {
		if r := h.result(); r.Outcome != Killed || r.Reason != ReasonClosed {
			t.Errorf("result %+v, want killed because closed", r)
		}
	}
	if err := h.Start(ctx, shell("late", "exit 0")); !errors.Is(err, ErrClosed) {
		t.Errorf("Start: %v, want closed", err)
	}
	if err := h.Decline(ctx, "late", nil); !errors.Is(err, ErrClosed) {
		t.Errorf("Decline: %v, want closed", err)
	}
}

// tailOf looks into the output of a live attempt.
func tailOf(h *harness, id string) string {
	h.mu.Lock()
	a := h.attempts[id]
	h.mu.Unlock()
	a.mu.Lock()
	out := a.out
	a.mu.Unlock()
	if out == nil {
		return ""
	}
	out.mu.Lock()
	defer out.mu.Unlock()
	return string(out.tail)
}

func TestManyStarts(t *testing.T) {
	h := newHarness(t, Options{})
	out := t.TempDir()
	h.warmUp() // what is opened once is open now
	fds := openFDs(t)
	const n = 500
	gate := make(chan struct{}, 32)
	errs := make(chan error, n)
	for i := range n {
		gate <- struct{}{}
		go func() {
			defer func() { <-gate }()
			id := fmt.Sprintf("a%03d", i)
			req := StartRequest{ID: id, Argv: []string{"/bin/echo", id}, OutputDir: filepath.Join(out, id)}
			errs <- h.Start(ctx, req)
		}()
	}
	for range n {
		if err := <-errs; err != nil {
			t.Fatal(err)
		}
	}
	for range n {
		r := h.result()
		if r.Outcome != Succeeded || string(r.Tail) != r.ID+"\n" || readAll(t, filepath.Join(out, r.ID), Stdout) != r.ID+"\n" {
			t.Errorf("result %+v", r)
		}
		if err := h.Forget(ctx, r.ID); err != nil {
			t.Error(err)
		}
	}
	if pids := ownChildren(t); len(pids) > 0 {
		t.Errorf("zombies or leftovers: %v", pids)
	}
	eventually(t, "files closed", func() bool { return openFDs(t) <= fds })
}

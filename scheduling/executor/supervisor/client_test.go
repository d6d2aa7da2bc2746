package supervisor

import (
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

	"github.com/rota-scheduler/rota/scheduling/executor/proc"
)

func TestLifeOfAnAttempt(t *testing.T) {
	p := newPair(t, time.Hour)
	ctx := t.Context()
	if p.Host().DataDir != "/data" || p.Host().StopAfter != time.Hour {
		t.Errorf("host %+v", p.Host())
	}
	if err := p.Ready(ctx); err != nil {
		t.Error(err)
	}
	req := shell("a", "echo $GREETING; echo err >&2; exit 7")
	req.Env = append(req.Env, "GREETING=h\u00e9llo <&>")
	req.OutputDir = filepath.Join(t.TempDir(), "out")
	if err := p.Start(ctx, req); err != nil {
		t.Fatal(err)
	}
	r := p.result()
	if r.ID != "a" || r.Outcome != proc.Failed || r.ExitCode != 7 || !strings.Contains(string(r.Tail), "h\u00e9llo <&>") {
		t.Errorf("result %+v, tail %q", r, r.Tail)
	}
	if err := p.Decline(ctx, "b", []byte{0, 0xff}); err != nil {
		t.Fatal(err)
	}
	remote, err := p.List(ctx)
	if err != nil {
		t.Fatal(err)
	}
	local, _ := p.manager.List(ctx)
	if diff := cmp.Diff(local, remote); diff != "" {
		t.Errorf("the list changes on the way:\n%s", diff)
	}
	if err := p.Forget(ctx, "a", "b", "nothing"); err != nil {
		t.Error(err)
	}
	if left, err := p.List(ctx); err != nil || len(left) != 0 {
		t.Errorf("left %v, %v", left, err)
	}
}

// TestRefusalsKeepTheirMeaning: errors.Is holds at the client's side.
func TestRefusalsKeepTheirMeaning(t *testing.T) {
	p := newPair(t, time.Hour)
	ctx := t.Context()
	if err := p.Start(ctx, shell("live", "exec sleep 300")); err != nil {
		t.Fatal(err)
	}
	expired := shell("late", "true")
	expired.Expiry = proc.Mono()
	lapsed := shell("lapsed", "true")
	lapsed.ContactBase = proc.Mono() - int64(2*time.Hour)
	bytes := shell("bytes", "echo \xff")
	huge := shell("huge", strings.Repeat("x", maxRequest))
	for name, c := range map[string]struct {
		err  error
		want error
	}{
		"repeated":     {p.Start(ctx, shell("live", "true")), proc.ErrRepeated},
		"expired":      {p.Start(ctx, expired), proc.ErrExpired},
		"lapsed":       {p.Start(ctx, lapsed), proc.ErrExpired},
		"invalid":      {p.Start(ctx, proc.StartRequest{ID: "x"}), proc.ErrInvalid},
		"not UTF-8":    {p.Start(ctx, bytes), proc.ErrInvalid},
		"too large":    {p.Start(ctx, huge), proc.ErrInvalid},
		"unknown":      {p.Kill(ctx, "nobody", "r"), proc.ErrUnknown},
		"alive":        {p.Forget(ctx, "live"), proc.ErrAlive},
		"declined":     {p.Decline(ctx, "live", nil), proc.ErrRepeated},
		"no reason":    {p.Kill(ctx, "live", ""), proc.ErrInvalid},
		"kill is fine": {p.Kill(ctx, "live", proc.ReasonCancelled), nil},
	} {
		if !errors.Is(c.err, c.want) || (c.want == nil) != (c.err == nil) {
			t.Errorf("%s: got %v, want %v", name, c.err, c.want)
		}
	}
	if r := p.result(); r.Outcome != proc.Cancelled {
		t.Errorf("result %+v", r)
	}
}

func TestEveryCodeComesBack(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range codes {
		if seen[c.code] {
			t.Errorf("code %s twice", c.code)
		}
		seen[c.code] = true
		if err := errorOf(codeOf(fmt.Errorf("start a: %w", c.err)), "start a: text"); !errors.Is(err, c.err) || err.Error() != "start a: text" {
			t.Errorf("%s: got %v", c.code, err)
		}
	}
	if err := errorOf(codeOf(io.ErrShortWrite), "text"); err == nil || err.Error() != "text" {
		t.Errorf("got %v", err)
	}
	if err := errorOf("from the future", ""); err == nil {
		t.Error("an unknown code is no error")
	}
}

// TestStartCalledBack: a start whose caller gives up has one fate, and the
// caller is told it.
func TestStartCalledBack(t *testing.T) {
	p := newPair(t, time.Hour)
	for i := range 50 {
		ctx, cancel := context.WithCancel(t.Context())
		id := fmt.Sprint(i)
		go cancel()
		err := p.Start(ctx, shell(id, "exec sleep 300"))
		list, _ := p.manager.List(t.Context())
		started := len(list) == 1
		if started != (err == nil) {
			t.Fatalf("start says %v, list %+v", err, list)
		}
		if started {
			if err := p.Kill(t.Context(), id, "test"); err != nil {
				t.Fatal(err)
			}
			p.result()
			if err := p.Forget(t.Context(), id); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestStartCalledBackInTime: a start that waits for a fork ends with its ctx.
func TestStartCalledBackInTime(t *testing.T) {
	ours, agents := sockets(t)
	g := &gatedJobs{gate: make(chan struct{})}
	s := &session{conn: ours, jobs: g, log: testLog(t), host: Host{Version: Version}, onReady: func() {}, onEnding: func() {}}
	s.begin()
	defer s.end()
	client, err := NewClient(t.Context(), agents, Options{Logger: testLog(t), OnLost: func(error) {}})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Disconnect()
	ctx, cancel := context.WithCancel(t.Context())
	answer := make(chan error, 1)
	go func() { answer <- client.Start(ctx, shell("a", "true")) }()
	eventually(t, "it is being handled", func() bool { return g.begun.Load() == 1 })
	cancel()
	select {
	case err := <-answer:
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	case <-time.After(patience):
		t.Error("no answer")
	}
}

// TestCloseIsBounded: a job that ignores SIGTERM dies by the caller's deadline;
// its result is there before Close returns, and the rest still works.
func TestCloseIsBounded(t *testing.T) {
	p := newPair(t, time.Hour)
	ready := filepath.Join(t.TempDir(), "ready")
	if err := p.Start(t.Context(), shell("stubborn", "trap '' TERM; : > "+ready+"; while :; do sleep 1; done")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the trap is set", func() bool { _, err := os.Stat(ready); return err == nil })
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	began := time.Now()
	if err := p.Close(ctx); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("took %s", took)
	}
	select {
	case r := <-p.results:
		if r.Outcome != proc.Killed || r.Reason != proc.ReasonClosed || r.Signal != "SIGKILL" {
			t.Errorf("result %+v", r)
		}
	default:
		t.Error("Close returned before the result was told")
	}
	if len(p.ending) != 1 {
		t.Error("the supervisor does not know that this is a stop")
	}
	if err := p.Start(t.Context(), shell("next", "true")); !errors.Is(err, proc.ErrClosed) {
		t.Errorf("start: %v", err)
	}
	if err := p.Forget(t.Context(), "stubborn"); err != nil {
		t.Errorf("forget: %v", err)
	}
}

// TestLost: when the supervisor is gone pending calls fail, and the agent is
// told; when the agent leaves by itself it is not.
func TestLost(t *testing.T) {
	p := newPair(t, time.Hour)
	p.endSession()
	if err := <-p.lost; !errors.Is(err, ErrGone) {
		t.Errorf("lost: %v", err)
	}
	if err := p.Contact(t.Context(), 0); !errors.Is(err, ErrGone) {
		t.Errorf("contact: %v", err)
	}
	if err := p.Start(t.Context(), shell("a", "true")); !errors.Is(err, ErrGone) {
		t.Errorf("start: %v", err)
	}
	other := newPair(t, time.Hour)
	other.Disconnect()
	select {
	case err := <-other.lost:
		t.Errorf("lost by its own leave: %v", err)
	default:
	}
}

// TestNoAnswer: a supervisor that is stopped makes calls fail in time, and its
// agent's memory does not grow with them.
func TestNoAnswer(t *testing.T) {
	ours, agents := sockets(t)
	defer ours.Close()
	hello := make(chan struct{})
	go func() {
		defer close(hello)
		var req request
		if err := newFrameReader(ours, maxRequest).read(&req); err != nil {
			t.Error(err)
		}
		frame, _ := encodeFrame(reply{ID: req.ID, Host: &Host{Version: Version}}, maxReply)
		if _, err := ours.Write(frame); err != nil {
			t.Error(err)
		}
	}()
	client, err := NewClient(t.Context(), agents, Options{Logger: testLog(t), OnLost: func(error) {}})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Disconnect()
	<-hello
	ids := []string{strings.Repeat("x", 100<<10)} // fills the socket soon
	for range 3 * maxOthers {
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		if err := client.Forget(ctx, ids...); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		cancel()
	}
	client.out.mu.Lock()
	waiting := len(client.out.queue)
	client.out.mu.Unlock()
	client.mu.Lock()
	calls := len(client.calls)
	client.mu.Unlock()
	if waiting > maxOthers || calls != 0 {
		t.Errorf("%d frames wait, %d calls are kept", waiting, calls)
	}
}

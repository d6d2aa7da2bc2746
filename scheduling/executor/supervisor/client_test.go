package supervisor

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
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

// TestStartStorm: 2,000 starts at once, and nothing is left of them.
func TestStartStorm(t *testing.T) {
	p := newPair(t, time.Hour)
	ctx := t.Context()
	before := openFDs(t)
	const n = 2000
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			req := proc.StartRequest{ID: fmt.Sprint(i), Argv: []string{"/bin/true"}}
			err := p.Start(ctx, req)
			for errors.Is(err, proc.ErrExhausted) {
				err = p.Start(ctx, req)
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	seen := map[string]bool{}
	for range n {
		r := p.result()
		if seen[r.ID] || r.Outcome != proc.Succeeded {
			t.Fatalf("result %+v, seen %v", r, seen[r.ID])
		}
		seen[r.ID] = true
	}
	wg.Wait()
	list, err := p.List(ctx)
	if err != nil || len(list) != n {
		t.Fatalf("%d listed, %v", len(list), err)
	}
	var ids []string
	for _, st := range list {
		ids = append(ids, st.ID)
	}
	if err := p.Forget(ctx, ids...); err != nil {
		t.Fatal(err)
	}
	if after := openFDs(t); after > before {
		t.Errorf("%d file descriptors, %d before", after, before)
	}
}

// TestListInParts: a list of any length arrives whole.
func TestListInParts(t *testing.T) {
	p := newPair(t, time.Hour)
	note := make([]byte, 40<<10)
	const n = 100
	for i := range n {
		if err := p.Decline(t.Context(), fmt.Sprintf("%03d", i), note); err != nil {
			t.Fatal(err)
		}
	}
	list, err := p.List(t.Context())
	if err != nil || len(list) != n || len(list[n-1].Note) != len(note) {
		t.Fatalf("%d listed, %v", len(list), err)
	}
}

// TestSlowReader: an agent that reads nothing holds up no job and no other
// memory than the bounds; when it reads again it hears of everything.
func TestSlowReader(t *testing.T) {
	p := newPair(t, time.Hour)
	gate := make(chan struct{})
	var mu sync.Mutex
	heard := map[string]bool{}
	p.Deliver(func(r proc.Result) {
		<-gate
		mu.Lock()
		defer mu.Unlock()
		heard[r.ID] = true
	})
	// The attempts are started at the Manager itself: the answers to an agent's
	// own starts would not be read either.
	const n = maxNotices + 500
	noise := strings.Repeat("x", proc.TailBytes)
	for i := range n {
		if err := p.manager.Start(t.Context(), proc.StartRequest{ID: fmt.Sprint(i), Argv: []string{"/bin/echo", noise}}); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "every job has ended", func() bool {
		list, _ := p.manager.List(t.Context())
		for _, st := range list {
			if st.State != proc.Ended {
				return false
			}
		}
		return len(list) == n
	})
	p.session.mu.Lock()
	missed, notices := p.session.missed, p.session.notices
	p.session.mu.Unlock()
	if !missed || notices > maxNotices {
		t.Errorf("missed %v, %d notices wait", missed, notices)
	}
	close(gate)
	eventually(t, "it hears of all", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(heard) == n
	})
}

// TestGarbage: whatever arrives, the socket is closed and nothing else happens.
func TestGarbage(t *testing.T) {
	frame := func(size uint32, body string) string {
		return string(binary.BigEndian.AppendUint32(nil, size)) + body
	}
	for name, bytes := range map[string]string{
		"text":       "GET / HTTP/1.1\r\n\r\n",
		"huge":       frame(maxRequest+1, ""),
		"no object":  frame(2, "[]"),
		"not JSON":   frame(3, "{{{"),
		"empty":      frame(0, ""),
		"wrong type": frame(16, `{"id":"a string"`),
	} {
		t.Run(name, func(t *testing.T) {
			p, conn := newSession(t, time.Hour)
			defer conn.Close()
			if err := p.manager.Start(t.Context(), shell("job", "exec sleep 300")); err != nil {
				t.Fatal(err)
			}
			if _, err := io.WriteString(conn, bytes); err != nil {
				t.Fatal(err)
			}
			if _, err := io.Copy(io.Discard, conn); err != nil && !errors.Is(err, net.ErrClosed) {
				t.Logf("closed with %v", err) // a reset is as good as an end
			}
			if list, _ := p.manager.List(t.Context()); len(list) != 1 || list[0].State != proc.Running {
				t.Errorf("the job is touched: %+v", list)
			}
		})
	}
}

func FuzzRequests(f *testing.F) {
	for _, op := range []string{opHello, opStart, opKill, opContact, opDecline, opForget, opCancel, "future"} {
		f.Add([]byte(fmt.Sprintf(`{"id":1,"op":%q}`, op)))
	}
	f.Add([]byte(`{"id":1,"op":"start","start":{"id":"a"}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		if strings.Contains(string(body), `"argv"`) || len(body) > 1<<16 {
			t.Skip() // starts programs
		}
		p, conn := newSession(t, time.Hour)
		frame := binary.BigEndian.AppendUint32(nil, uint32(len(body)))
		if _, err := conn.Write(append(frame, body...)); err != nil {
			t.Fatal(err)
		}
		conn.Close()
		p.endSession()
	})
}

// fakeSupervisor answers requests as it is told.
func fakeSupervisor(t *testing.T, answer func(request) reply) net.Conn {
	t.Helper()
	ours, agents := sockets(t)
	done := make(chan struct{})
	go func() {
		defer close(done)
		frames := newFrameReader(ours, maxRequest)
		for {
			var req request
			if frames.read(&req) != nil {
				return
			}
			r := answer(req)
			r.ID = req.ID
			frame, err := encodeFrame(r, maxReply)
			if err != nil {
				t.Error(err)
			}
			if _, err := ours.Write(frame); err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() {
		ours.Close()
		<-done
	})
	return agents
}

func TestVersionSkew(t *testing.T) {
	unsupported := reply{Code: codeOf(ErrUnsupported), Text: "what?"}
	for name, c := range map[string]struct {
		hello reply
		want  error
	}{
		"too old":        {reply{Host: &Host{Version: oldestSupervisor - 1}}, ErrTooOld},
		"knows no hello": {unsupported, ErrTooOld},
		"old enough":     {reply{Host: &Host{Version: oldestSupervisor}}, nil},
		"newer":          {reply{Host: &Host{Version: Version + 5}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			conn := fakeSupervisor(t, func(req request) reply {
				if req.Op == opHello {
					return c.hello
				}
				return unsupported
			})
			client, err := NewClient(t.Context(), conn, Options{Logger: testLog(t), OnLost: func(error) {}})
			if !errors.Is(err, c.want) {
				t.Fatalf("got %v, want %v", err, c.want)
			}
			if err != nil {
				return
			}
			defer client.Disconnect()
			if err := client.Ready(t.Context()); err != nil {
				t.Errorf("ready: %v", err)
			}
			if err := client.Contact(t.Context(), 1); !errors.Is(err, ErrUnsupported) {
				t.Errorf("contact: %v", err)
			}
		})
	}
}

// TestUnknownRequestAndFields: what a newer agent adds does no harm here.
func TestUnknownRequestAndFields(t *testing.T) {
	p, conn := newSession(t, time.Hour)
	defer conn.Close()
	send := func(body string) reply {
		t.Helper()
		if _, err := conn.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), body...)); err != nil {
			t.Fatal(err)
		}
		var r reply
		if err := newFrameReader(conn, maxReply).read(&r); err != nil {
			t.Fatal(err)
		}
		return r
	}
	if r := send(`{"id":1,"op":"teleport","to":"mars"}`); r.ID != 1 || r.Code != "unsupported" {
		t.Errorf("got %+v", r)
	}
	if r := send(`{"id":2,"op":"decline","attempt":"a","colour":"red","start":null}`); r.ID != 2 || r.Code != "" {
		t.Errorf("got %+v", r)
	}
	if list, _ := p.manager.List(t.Context()); len(list) != 1 {
		t.Errorf("list %+v", list)
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

package proc

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rota-scheduler/rota/scheduling/executor/proc/pidns"
)

// hangingProgram returns a program whose exec hangs until let go, at the latest
// after the kernel's lease-break-time, which is 45 s: whoever opens a file that is
// leased waits for the holder to give the lease back. A signal ends the wait, as
// it does on a network file system that has gone away. hangs waits until somebody
// does.
func hangingProgram(t *testing.T) (path string, hangs, letGo func()) {
	t.Helper()
	program, err := os.ReadFile("/bin/true")
	if err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(path, program, 0o700); err != nil { //nolint:gosec // it is a program
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := unix.FcntlInt(f.Fd(), unix.F_SETLEASE, unix.F_WRLCK); err != nil {
		t.Skipf("no leases on files here: %v", err)
	}
	letGo = sync.OnceFunc(func() { f.Close() })
	t.Cleanup(letGo)
	hangs = func() {
		t.Helper()
		eventually(t, "an exec hangs", func() bool {
			kind, err := unix.FcntlInt(f.Fd(), unix.F_GETLEASE, 0)
			return err == nil && kind != unix.F_WRLCK
		})
	}
	return path, hangs, letGo
}

// A program that cannot be reached is refused at the expiry of its start, which may
// be asked for again; it holds up nobody meanwhile.
func TestExecHangs(t *testing.T) {
	h := newHarness(t, Options{})
	const hung = 8
	replies := make(chan error, hung)
	expiry := Mono() + int64(2*time.Second)
	var last StartRequest
	var letLastGo func()
	for i := range hung {
		path, hangs, letGo := hangingProgram(t)
		last, letLastGo = StartRequest{ID: fmt.Sprint(i), Argv: []string{path}, Expiry: expiry}, letGo
		go func(req StartRequest) { replies <- h.Start(ctx, req) }(last)
		hangs()
	}
	runtime.GC() // which waits for threads that are in a fork
	if r := h.run(shell("beside", "exit 0")); r.Outcome != Succeeded {
		t.Errorf("beside them: %+v", r)
	}
	for range hung {
		if err := <-replies; !errors.Is(err, ErrExpired) || Mono() < expiry {
			t.Errorf("%v, want expired", err)
		}
	}
	letLastGo()
	last.Expiry = 0
	if r := h.run(last); r.Outcome != Succeeded {
		t.Errorf("once it can be reached: %+v", r)
	}
}

// Looks that hang are bounded.
func TestTooManyHang(t *testing.T) {
	h := newHarness(t, Options{})
	hang := make(chan struct{})
	h.touch = func(string, string) { <-hang }
	over, cancel := context.WithCancel(ctx)
	cancel()
	for range maxReaching {
		if err := h.Start(over, shell("a", "exit 0")); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
	}
	if err := h.Start(over, shell("a", "exit 0")); !errors.Is(err, ErrExhausted) {
		t.Errorf("%v, want exhausted", err)
	}
	close(hang)
	eventually(t, "there is room again", func() bool { return len(h.reaching) == 0 })
	if r := h.run(shell("a", "exit 0")); r.Outcome != Succeeded {
		t.Errorf("result %+v", r)
	}
}

// Where every thread hangs in a fork, a start is refused at its expiry: its agent
// may decide again.
func TestEveryForkerHangs(t *testing.T) {
	f := newForkers(1)
	defer f.stop()
	hang, busy, held := make(chan struct{}), make(chan struct{}), make(chan forkReply, maxForkers)
	for range maxForkers {
		go func() {
			held <- f.do(ctx, 0, forkJob{check: func() error { busy <- struct{}{}; <-hang; return context.Canceled }})
		}()
		<-busy
	}
	expiry := Mono() + int64(50*time.Millisecond)
	if r := f.do(ctx, expiry, forkJob{}); r.refused != ErrExpired || Mono() < expiry {
		t.Errorf("reply %+v, want expired", r)
	}
	close(hang)
	for range maxForkers {
		<-held
	}
}

// What an init has not confirmed by the expiry is killed, as is what it has
// confirmed too late.
func TestIsolatedExecHangs(t *testing.T) {
	h := isolatedHarness(t, IsolationPidns)
	h.touch = func(string, string) {} // else it would be refused
	path, _, _ := hangingProgram(t)
	req := StartRequest{ID: "a", Argv: []string{path}, Expiry: Mono() + int64(300*time.Millisecond)}
	r := h.run(req)
	if r.Outcome != Killed || r.Reason != ReasonExpired || r.EndedMono < req.Expiry {
		t.Errorf("result %+v, want killed because of its expiry", r)
	}
	path, hangs, _ := hangingProgram(t)
	started := make(chan error)
	req = StartRequest{ID: "b", Argv: []string{path}, Isolation: IsolationPidns, Grace: time.Nanosecond}
	go func() { started <- h.Start(ctx, req) }()
	hangs()
	if err := h.Kill(ctx, "b", ReasonCancelled); err != nil {
		t.Fatal(err)
	}
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	if r := h.result(); r.Outcome != Cancelled {
		t.Errorf("result %+v, want cancelled", r)
	}
}

// The init itself looks at the expiry, right before it forks the program.
func TestInitLooksAtExpiry(t *testing.T) {
	h := isolatedHarness(t, IsolationPidns)
	box, err := pidns.Prepare(pidns.Order{Path: "/bin/true", Argv: []string{"true"}, Umask: -1, Expiry: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer box.Close()
	job := h.initJob(box)
	job.check = func() error { return nil }
	r := h.forkers.do(ctx, 0, job)
	box.Forked()
	if r.err != nil || r.refused != nil {
		t.Fatalf("reply %+v", r)
	}
	defer unix.Close(r.pidfd)
	defer endInit(r)
	if w, err := box.Read(); err != nil || w.Kind != pidns.Expired {
		t.Errorf("it says %+v, %v; want expired", w, err)
	}
}

package proc

import (
	"os"
	"path/filepath"
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

// What an init has not confirmed by the expiry is killed, as is what it has
// confirmed too late.
func TestIsolatedExecHangs(t *testing.T) {
	h := isolatedHarness(t, IsolationPidns)
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
	r := h.forkers.do(ctx, job)
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

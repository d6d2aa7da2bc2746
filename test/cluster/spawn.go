package cluster

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// drain is how long output may still come from what an ended child left behind.
const drain = time.Second

// spawner starts processes on one thread. The kernel sends the parent-death
// signal when the thread that forked ends, so the thread must live as long as
// the children may.
type spawner struct {
	requests chan spawnRequest
	ended    sync.WaitGroup
}

type spawnRequest struct {
	cmd    *exec.Cmd
	answer chan error
}

// newSpawner returns a spawner that ends after the test. What it started must
// have ended by then.
func newSpawner(t testing.TB) *spawner { return newSpawnerIn(t, nil) }

// newSpawnerIn is newSpawner for processes in a network namespace; nil means
// that of this process.
func newSpawnerIn(t testing.TB, namespace *os.File) *spawner {
	s := &spawner{requests: make(chan spawnRequest)}
	s.ended.Go(func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		entered := enter(namespace)
		for r := range s.requests {
			if entered != nil {
				r.answer <- entered
				continue
			}
			r.answer <- r.cmd.Start()
		}
	})
	t.Cleanup(func() {
		close(s.requests)
		s.ended.Wait()
	})
	return s
}

// enter moves the calling thread, which must be locked.
func enter(namespace *os.File) error {
	if namespace == nil {
		return nil
	}
	if err := unix.Setns(int(namespace.Fd()), unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("entering a network namespace: %w", err)
	}
	return nil
}

// start starts cmd in a process group of its own; SIGKILL ends it if this
// process dies.
func (s *spawner) start(cmd *exec.Cmd) error {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid, cmd.SysProcAttr.Pdeathsig = true, syscall.SIGKILL
	cmd.WaitDelay = drain
	answer := make(chan error)
	s.requests <- spawnRequest{cmd, answer}
	return <-answer
}

// exitCode returns the exit code that err of exec.Cmd.Wait stands for; -1 if a
// signal ended it.
func exitCode(err error) (int, bool) {
	var exit *exec.ExitError
	switch {
	case err == nil, errors.Is(err, exec.ErrWaitDelay):
		return 0, true
	case errors.As(err, &exit):
		return exit.ExitCode(), true
	}
	return 0, false
}

package cluster

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// commandTimeout bounds one command line.
const commandTimeout = 90 * time.Second

// Result is what a command line gave.
type Result struct {
	Stdout, Stderr string
	// Code is the exit code; -1 if a signal ended it.
	Code int
}

// Command is a command line of the program that is running.
type Command struct {
	t              testing.TB
	cmd            *exec.Cmd
	stdout, stderr syncBuffer
	ended          chan struct{}
	err            error
}

// CLI runs "rota ARGS" against a node and returns when it has ended.
func (c *Cluster) CLI(n *Node, args ...string) Result {
	c.t.Helper()
	return c.StartCLI(n, "", args...).Wait()
}

// StartCLI starts "rota ARGS" against a node, with that standard input.
func (c *Cluster) StartCLI(n *Node, stdin string, args ...string) *Command {
	c.t.Helper()
	return startCommand(c.t, c.spawner, stdin, []string{"ROTA_ADDR=" + n.Addr(c)}, args...)
}

// StartProgram starts "rota ARGS" without a cluster.
func StartProgram(t testing.TB, env []string, args ...string) *Command {
	t.Helper()
	return startCommand(t, newSpawner(t), "", env, args...)
}

func startCommand(t testing.TB, s *spawner, stdin string, env []string, args ...string) *Command {
	t.Helper()
	c := &Command{t: t, cmd: exec.Command(Binary(t), args...), ended: make(chan struct{})}
	c.cmd.Env = append(os.Environ(), env...)
	c.cmd.Stdin = strings.NewReader(stdin)
	c.cmd.Stdout, c.cmd.Stderr = &c.stdout, &c.stderr
	if err := s.start(c.cmd); err != nil {
		t.Fatalf("starting rota %s: %v", strings.Join(args, " "), err)
	}
	go func() {
		c.err = c.cmd.Wait()
		close(c.ended)
	}()
	t.Cleanup(c.end)
	return c
}

// PID returns the process id.
func (c *Command) PID() int { return c.cmd.Process.Pid }

// Stdout returns what it has printed so far.
func (c *Command) Stdout() string { return c.stdout.String() }

// Wait returns when the command has ended.
func (c *Command) Wait() Result {
	c.t.Helper()
	timer := time.NewTimer(commandTimeout)
	defer timer.Stop()
	select {
	case <-c.ended:
	case <-timer.C:
		c.t.Fatalf("%v has not ended within %s; it printed:\n%s%s", c.cmd.Args, commandTimeout, c.stdout.String(), c.stderr.String())
	}
	code, ok := exitCode(c.err)
	if !ok {
		c.t.Fatalf("%v: %v", c.cmd.Args, c.err)
	}
	return Result{Stdout: c.stdout.String(), Stderr: c.stderr.String(), Code: code}
}

// end kills a command that a failed test left running.
func (c *Command) end() {
	select {
	case <-c.ended:
	default:
		_ = syscall.Kill(c.PID(), syscall.SIGKILL) // it may have ended meanwhile
		<-c.ended
	}
}

// syncBuffer may be read while a command still writes to it.
type syncBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

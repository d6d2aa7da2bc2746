package dev

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
)

// Times of a child's life.
const (
	restartAfter = 2 * time.Second
	stopWithin   = 5 * time.Second
	// shortLife is a life too short to count as having worked; maxShortLives in
	// a row mean that it never will.
	shortLife     = 5 * time.Second
	maxShortLives = 4
	trimEvery     = time.Second
)

// errAgent: an agent cannot be kept alive.
var errAgent = errors.New("agent does not stay up")

// member is one node of the cluster: its place, and the process that is it now.
type member struct {
	name  string
	ports ports
	log   *logFile

	mu  sync.Mutex
	pid int // 0 while it is down
}

// addr is where its API answers.
func (m *member) addr() string { return "http://" + hostPort(m.ports.http) }

func (m *member) setPID(pid int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.pid = pid
}

func (m *member) currentPID() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.pid
}

// cluster keeps the agents alive.
type cluster struct {
	dir     string
	members []*member
	spawner *spawner
	// command makes the process of a member.
	command func(m *member) *exec.Cmd
	// notice tells a person what happened to an agent.
	notice func(text string)
	// formed is closed when there is a leader; a death before that is fatal.
	formed <-chan struct{}

	restartAfter, stopWithin time.Duration
}

// newCluster makes the members, their ports, folders and logs, in dir.
func newCluster(dir string, nodes int) (*cluster, error) {
	blocks, err := claimPorts(nodes)
	if err != nil {
		return nil, err
	}
	c := &cluster{dir: dir, spawner: newSpawner(), restartAfter: restartAfter, stopWithin: stopWithin}
	for i, p := range blocks {
		c.members = append(c.members, &member{name: fmt.Sprintf("n%d", i+1), ports: p})
	}
	for _, m := range c.members {
		if m.log, err = createLog(filepath.Join(dir, m.name+".log")); err != nil {
			return nil, errors.Join(err, c.close())
		}
	}
	return c, nil
}

// close lets go of everything but the folder. Call it when run has returned.
func (c *cluster) close() error {
	c.spawner.close()
	var errs []error
	for _, m := range c.members {
		releasePorts([]ports{m.ports})
		if m.log != nil {
			errs = append(errs, m.log.close())
		}
	}
	return errors.Join(errs...)
}

// agentCommand makes the command line of a member's agent.
func (c *cluster) agentCommand(program string, m *member) *exec.Cmd {
	args := []string{
		"agent", "--name", m.name, "--data-dir", filepath.Join(c.dir, m.name), "--bind", loopback,
		"--http-port", strconv.Itoa(m.ports.http), "--rpc-port", strconv.Itoa(m.ports.rpc),
		"--gossip-port", strconv.Itoa(m.ports.gossip), "--bootstrap-expect", strconv.Itoa(len(c.members)),
	}
	for _, other := range c.members {
		args = append(args, "--join", hostPort(other.ports.gossip))
	}
	return exec.Command(program, args...)
}

// run starts every agent and keeps them alive until ctx ends, or one cannot be.
// When it returns they have all been stopped.
func (c *cluster) run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, m := range c.members {
		group.Go(func() error { return c.keep(ctx, m) })
	}
	return group.Wait()
}

// keep runs a member's agent again and again.
func (c *cluster) keep(ctx context.Context, m *member) error {
	shortLives := 0
	for {
		began := time.Now()
		pid, err := c.live(ctx, m)
		if ctx.Err() != nil {
			return nil
		}
		how := "it exited"
		if err != nil {
			how = err.Error()
		}
		if time.Since(began) >= shortLife {
			shortLives = 0
		} else if shortLives++; shortLives >= maxShortLives || !isClosed(c.formed) {
			return c.failure(m, how)
		}
		c.notice(fmt.Sprintf("%s (pid %d) is gone: %s. It is started again in %s.", m.name, pid, how, c.restartAfter))
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(c.restartAfter):
		}
		c.notice(m.name + " is started again.")
	}
}

// live runs one process of a member to its end, which ctx brings about.
func (c *cluster) live(ctx context.Context, m *member) (pid int, err error) {
	cmd := c.command(m)
	cmd.Stdout, cmd.Stderr = m.log.file, m.log.file
	if err := c.spawner.start(cmd); err != nil {
		return 0, err
	}
	pid = cmd.Process.Pid
	m.setPID(pid)
	defer m.setPID(0)
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	trim := time.NewTicker(trimEvery)
	defer trim.Stop()
	for {
		select {
		case err := <-ended:
			return pid, err
		case <-ctx.Done():
			return pid, c.stop(cmd, ended)
		case <-trim.C:
			// A full disk must not end the cluster; the next turn tries again.
			_ = m.log.trim()
		}
	}
}

// stop ends a process: gently, then by force.
func (c *cluster) stop(cmd *exec.Cmd, ended <-chan error) error {
	pid := cmd.Process.Pid
	_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended by itself
	timer := time.NewTimer(c.stopWithin)
	defer timer.Stop()
	select {
	case err := <-ended:
		return err
	case <-timer.C:
		_ = syscall.Kill(-pid, syscall.SIGKILL)
		return <-ended
	}
}

// failure is the error of an agent that does not stay up, with the end of its
// log.
func (c *cluster) failure(m *member, how string) error {
	tail, err := m.log.tail()
	if err != nil {
		tail = err.Error()
	}
	return &agentError{name: m.name, how: how, log: tail}
}

// agentError says which agent failed; its log is shown apart from the error.
type agentError struct{ name, how, log string }

func (e *agentError) Error() string {
	return fmt.Sprintf("%v: %s: %s; the end of its log is shown above, and --keep keeps all of it", errAgent, e.name, e.how)
}

func (e *agentError) Unwrap() error { return errAgent }

func isClosed(ch <-chan struct{}) bool {
	select {
	case <-ch:
		return true
	default:
		return false
	}
}

// removeDir removes the nodes' folder. What an agent was killed over may write
// for a moment longer.
func removeDir(dir string) error {
	var err error
	for range 20 {
		if err = os.RemoveAll(dir); err == nil {
			return nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	return fmt.Errorf("removing the folder of the nodes: %w", err)
}

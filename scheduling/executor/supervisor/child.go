package supervisor

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// child is one agent process.
type child struct {
	cmd *exec.Cmd
	// ended closes when the process is over; it is not reaped yet.
	ended chan struct{}
}

// newSockets returns the two ends of a socket: ours, and the agent's as a file.
func newSockets() (ours net.Conn, agents *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("making the agent's socket: %w", err)
	}
	f := os.NewFile(uintptr(fds[0]), "agent")
	agents = os.NewFile(uintptr(fds[1]), "supervisor")
	defer f.Close()
	if ours, err = net.FileConn(f); err != nil {
		agents.Close()
		return nil, nil, fmt.Errorf("making the agent's socket: %w", err)
	}
	return ours, agents, nil
}

// spawn starts an agent. It has a process group of its own: a Ctrl-C is for the
// supervisor to pass on, and what the agent leaves behind is known by the group.
func spawn(t *thread, c Config, socket *os.File) (*child, error) {
	cmd := exec.Command(c.Program, c.Args...) //nolint:gosec // the program is this one
	cmd.Env = append(withoutVariable(c.Env), fdVariable+"=3")
	cmd.Stdout, cmd.Stderr = c.Stdout, c.Stderr
	cmd.ExtraFiles = []*os.File{socket}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := t.do(cmd.Start); err != nil {
		return nil, fmt.Errorf("starting the agent: %w", err)
	}
	ch := &child{cmd: cmd, ended: make(chan struct{})}
	go ch.watch()
	return ch, nil
}

func withoutVariable(env []string) []string {
	out := make([]string, 0, len(env)+1)
	for _, kv := range env {
		if !strings.HasPrefix(kv, fdVariable+"=") {
			out = append(out, kv)
		}
	}
	return out
}

// watch ends when the process does; reap needs it to be over.
func (c *child) watch() {
	defer close(c.ended)
	for {
		err := unix.Waitid(unix.P_PID, c.pid(), nil, unix.WEXITED|unix.WNOWAIT, nil)
		if err != unix.EINTR {
			return
		}
	}
}

func (c *child) pid() int { return c.cmd.Process.Pid }

func (c *child) kill() { _ = c.cmd.Process.Kill() } // it can only be over already

// reap clears away an agent that is over and what it has left behind. Until it
// is reaped its group's number is nobody else's.
func (c *child) reap() *os.ProcessState {
	_ = unix.Kill(-c.pid(), unix.SIGKILL) // ESRCH: the usual case, an empty group
	_ = c.cmd.Wait()                      // its state says more than this error
	go reapGroup(c.pid())
	return c.cmd.ProcessState
}

// reapGroup waits for the killed rest of a group, which we have adopted. It ends
// with the last of it.
func reapGroup(group int) {
	for {
		if _, err := unix.Wait4(-group, nil, 0, nil); err != nil && err != unix.EINTR {
			return
		}
	}
}

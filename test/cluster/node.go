package cluster

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rota-scheduler/rota/transport/api"
)

// stopWithin bounds a stop by SIGTERM, which gives running jobs their grace.
const stopWithin = 40 * time.Second

// Node is one agent: its place, and the processes that are it now. "rota agent"
// is a supervisor, which is what a test starts and signals, and the agent proper,
// its child.
type Node struct {
	Name string
	IP   string
	// Dir is its data dir.
	Dir string

	t       testing.TB
	spawner *spawner
	command []string
	client  *api.Client
	log     *logFile

	mu    sync.Mutex
	cmd   *exec.Cmd // nil while it is down
	ended chan struct{}
	exit  error // of the last life, set when ended is closed
}

// newNode makes the node i of a cluster; it does not start it.
func newNode(t testing.TB, c *Cluster, i int, ip string, opts Options) *Node {
	t.Helper()
	name := fmt.Sprintf("n%d", i+1)
	n := &Node{Name: name, IP: ip, t: t, spawner: c.spawner}
	if i < len(opts.Dirs) {
		n.Dir = opts.Dirs[i]
	} else {
		n.Dir = t.TempDir()
	}
	if opts.Network != nil {
		n.spawner = newSpawnerIn(t, opts.Network.namespaces[i])
	}
	n.command = []string{
		opts.Program, "agent", "--name", name, "--data-dir", n.Dir, "--bind", ip,
		"--http-port", strconv.Itoa(c.ports.http), "--rpc-port", strconv.Itoa(c.ports.rpc),
		"--gossip-port", strconv.Itoa(c.ports.gossip), "--log-level", opts.LogLevel,
	}
	if i < opts.Found {
		n.command = append(n.command, "--bootstrap-expect", strconv.Itoa(opts.Found))
	}
	for _, other := range c.ips {
		n.command = append(n.command, "--join", other)
	}
	n.command = append(n.command, opts.Args...)
	if opts.NodeArgs != nil {
		n.command = append(n.command, opts.NodeArgs(i)...)
	}
	var err error
	if n.client, err = api.NewClient(n.Addr(c)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.client.Close)
	return n
}

// Addr returns where the node's API is, as a URL.
func (n *Node) Addr(c *Cluster) string {
	return "http://" + net.JoinHostPort(n.IP, strconv.Itoa(c.ports.http))
}

// Client returns a client of this node's API.
func (n *Node) Client() *api.Client { return n.client }

// Start starts the agent, which must be down.
func (n *Node) Start() {
	n.t.Helper()
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.cmd != nil {
		n.t.Fatalf("%s is running already, as %d", n.Name, n.cmd.Process.Pid)
	}
	fmt.Fprintf(n.log, "--- %s start\n", time.Now().UTC().Format(time.RFC3339Nano))
	cmd := exec.Command(n.command[0], n.command[1:]...)
	cmd.Stdout, cmd.Stderr = n.log, n.log
	if err := n.spawner.start(cmd); err != nil {
		n.t.Fatalf("starting %s: %v", n.Name, err)
	}
	n.cmd, n.ended = cmd, make(chan struct{})
	go n.wait(cmd, n.ended)
}

// wait ends when the process has: it needs no other owner than that.
func (n *Node) wait(cmd *exec.Cmd, ended chan struct{}) {
	err := cmd.Wait()
	n.mu.Lock()
	defer n.mu.Unlock()
	fmt.Fprintf(n.log, "--- %s end: %v\n", time.Now().UTC().Format(time.RFC3339Nano), err)
	n.cmd, n.exit = nil, err
	close(ended)
}

// PID returns the process id of the supervisor, 0 while the node is down.
func (n *Node) PID() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.cmd == nil {
		return 0
	}
	return n.cmd.Process.Pid
}

// AgentPID returns the process id of the agent proper, 0 if there is none now.
func (n *Node) AgentPID() int {
	supervisor := n.PID()
	for _, pid := range children(supervisor) {
		if sameProgram(pid, supervisor) && supervised(pid) {
			return pid
		}
	}
	return 0
}

// KillAgent ends the agent proper with SIGKILL. The supervisor starts another.
func (n *Node) KillAgent() {
	n.t.Helper()
	n.signal(n.AgentPID(), syscall.SIGKILL)
}

// Signal sends a signal to the supervisor alone.
func (n *Node) Signal(sig syscall.Signal) {
	n.t.Helper()
	n.signal(n.PID(), sig)
}

func (n *Node) signal(pid int, sig syscall.Signal) {
	n.t.Helper()
	if pid == 0 {
		n.t.Fatalf("%s is down: no signal %s", n.Name, sig)
	}
	if err := syscall.Kill(pid, sig); err != nil {
		n.t.Fatalf("signal %s to %d of %s: %v", sig, pid, n.Name, err)
	}
}

// Pause freezes the node's own processes, not the jobs: first the supervisor, so
// that the agent cannot change meanwhile.
func (n *Node) Pause() {
	n.t.Helper()
	n.Signal(syscall.SIGSTOP)
	n.signal(n.AgentPID(), syscall.SIGSTOP)
}

// PauseAgent freezes the agent proper alone.
func (n *Node) PauseAgent() {
	n.t.Helper()
	n.signal(n.AgentPID(), syscall.SIGSTOP)
}

// ContinueAgent ends a PauseAgent.
func (n *Node) ContinueAgent() {
	n.t.Helper()
	n.signal(n.AgentPID(), syscall.SIGCONT)
}

// Continue ends a Pause.
func (n *Node) Continue() {
	n.t.Helper()
	n.signal(n.AgentPID(), syscall.SIGCONT)
	n.Signal(syscall.SIGCONT)
}

// Kill ends the supervisor with SIGKILL, which takes the agent and the jobs with
// it, and returns when it is gone.
func (n *Node) Kill() {
	n.t.Helper()
	n.Signal(syscall.SIGKILL)
	n.Gone()
}

// Gone returns when a node that was killed from outside is down.
func (n *Node) Gone() {
	n.t.Helper()
	if err := n.Wait(stopWithin); err != nil {
		n.t.Fatal(err)
	}
}

// Stop ends the agent with SIGTERM. It fails the test if the agent does not end
// by itself, or not with 0.
func (n *Node) Stop() {
	n.t.Helper()
	n.Signal(syscall.SIGTERM)
	if err := n.Wait(stopWithin); err != nil {
		n.t.Fatal(err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if code, ok := exitCode(n.exit); !ok || code != 0 {
		n.t.Errorf("%s ended with %v after SIGTERM", n.Name, n.exit)
	}
}

// Restart kills the agent and starts it again.
func (n *Node) Restart() {
	n.t.Helper()
	n.Kill()
	n.Start()
}

// Wait returns when the process has ended, or with an error after the time.
func (n *Node) Wait(within time.Duration) error {
	n.mu.Lock()
	ended := n.ended
	n.mu.Unlock()
	timer := time.NewTimer(within)
	defer timer.Stop()
	select {
	case <-ended:
		return nil
	case <-timer.C:
		return fmt.Errorf("%s (pid %d) has not ended within %s", n.Name, n.PID(), within)
	}
}

// ExitCode returns how the last life of a node that is down ended; -1 if by a
// signal.
func (n *Node) ExitCode() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	code, _ := exitCode(n.exit)
	return code
}

// Log returns the agent's output, over all its lives, as far as it is kept.
func (n *Node) Log() string {
	text, err := n.log.text()
	if err != nil {
		n.t.Fatalf("reading the log of %s: %v", n.Name, err)
	}
	return string(text)
}

// Use has the next Start be of another executable.
func (n *Node) Use(program string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.command[0] = program
}

// FreezeTree stops everything of the node, the jobs included, as the freezing of
// its machine does. It stops the parents first, so that nothing new is born.
func (n *Node) FreezeTree() { n.signalTree(syscall.SIGSTOP) }

// ThawTree ends a FreezeTree.
func (n *Node) ThawTree() { n.signalTree(syscall.SIGCONT) }

func (n *Node) signalTree(sig syscall.Signal) {
	n.t.Helper()
	n.Signal(sig)
	for _, pid := range Tree(n.PID())[1:] {
		_ = syscall.Kill(pid, sig) // it may have ended meanwhile
	}
}

// Wipe removes what the data dir holds. The agent must be down.
func (n *Node) Wipe() {
	n.t.Helper()
	if n.PID() != 0 {
		n.t.Fatalf("%s is running: its data dir cannot be wiped", n.Name)
	}
	if err := errors.Join(os.RemoveAll(n.Dir), os.Mkdir(n.Dir, 0o700)); err != nil {
		n.t.Fatal(err)
	}
}

// end makes sure that the process is gone, whatever state it is in.
func (n *Node) end() {
	if pid := n.PID(); pid != 0 {
		// A frozen process dies of SIGKILL too. It may end by itself meanwhile.
		_ = syscall.Kill(pid, syscall.SIGKILL)
		if err := n.Wait(stopWithin); err != nil {
			n.t.Error(err)
		}
	}
}

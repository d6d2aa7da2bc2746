package dev

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// startCluster runs a cluster of the test binary in that role. The error of its
// run comes out of the channel.
func startCluster(t *testing.T, role string, nodes int, stopWithin time.Duration) (c *cluster, formed chan struct{}, notices chan string, stop func(), ended chan error) {
	t.Helper()
	t.Setenv(roleVariable, role)
	c, err := newCluster(t.TempDir(), nodes)
	if err != nil {
		t.Fatal(err)
	}
	c.command = func(m *member) *exec.Cmd { return c.agentCommand(os.Args[0], m) }
	c.restartAfter, c.stopWithin = time.Millisecond, stopWithin
	formed, notices = make(chan struct{}), make(chan string, 100)
	c.formed, c.notice = formed, func(text string) { notices <- text }
	ctx, cancel := context.WithCancel(t.Context())
	ended = make(chan error, 1)
	go func() { ended <- c.run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := c.close(); err != nil {
			t.Error(err)
		}
	})
	return c, formed, notices, cancel, ended
}

func isUp(m *member) func() bool {
	return func() bool {
		tail, err := m.log.tail()
		return err == nil && strings.Contains(tail, "up") && m.currentPID() != 0
	}
}

func TestClusterRestartsTheKilled(t *testing.T) {
	c, formed, notices, stop, ended := startCluster(t, roleAgent, 2, stopWithin)
	close(formed)
	m := c.members[1]
	eventually(t, "n2 is up", isUp(m))
	first := m.currentPID()
	if err := syscall.Kill(first, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if text := <-notices; !strings.HasPrefix(text, "n2 (pid ") || !strings.Contains(text, "signal: killed. It is started again") {
		t.Errorf("said %q", text)
	}
	eventually(t, "n2 is up again", func() bool { pid := m.currentPID(); return pid != 0 && pid != first })
	pids := []int{c.members[0].currentPID(), m.currentPID()}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	for _, pid := range pids {
		if !gone(pid) {
			t.Errorf("process %d is left", pid)
		}
	}
}

func TestClusterKillsTheStubborn(t *testing.T) {
	c, _, _, stop, ended := startCluster(t, roleStubborn, 1, 50*time.Millisecond)
	m := c.members[0]
	eventually(t, "n1 is up", isUp(m))
	pid := m.currentPID()
	stop()
	if err := <-ended; err != nil || !gone(pid) {
		t.Errorf("err %v, gone %v", err, gone(pid))
	}
	if tail, err := m.log.tail(); err != nil || tail != "up\nheard and ignored" {
		t.Errorf("it was not asked first: %q, %v", tail, err)
	}
}

// TestClusterThatCannotStart: a death before there is a leader ends everything,
// with the log of the one that died.
func TestClusterThatCannotStart(t *testing.T) {
	_, _, _, _, ended := startCluster(t, roleBroken, 3, stopWithin)
	err := <-ended
	var agent *agentError
	if !errors.As(err, &agent) || !errors.Is(err, errAgent) || agent.log != "cannot open the data dir" {
		t.Errorf("got %v", err)
	}
}

// TestClusterGivesUp: an agent that only dies is not started for ever.
func TestClusterGivesUp(t *testing.T) {
	_, formed, notices, _, ended := startCluster(t, roleBroken, 1, stopWithin)
	close(formed)
	if err := <-ended; !errors.Is(err, errAgent) {
		t.Errorf("got %v", err)
	}
	if n := len(notices); n == 0 || n > 2*maxShortLives {
		t.Errorf("%d notices", n)
	}
}

func TestAgentCommand(t *testing.T) {
	c := &cluster{dir: "/tmp/x", members: []*member{
		{name: "n1", ports: ports{http: 1, rpc: 2, gossip: 3}}, {name: "n2", ports: ports{http: 4, rpc: 5, gossip: 6}},
	}}
	got := strings.Join(c.agentCommand("/bin/rota", c.members[1]).Args, " ")
	want := "/bin/rota agent --name n2 --data-dir /tmp/x/n2 --bind 127.0.0.1 --http-port 4 --rpc-port 5 --gossip-port 6" +
		" --bootstrap-expect 2 --join 127.0.0.1:3 --join 127.0.0.1:6"
	if got != want {
		t.Errorf("got %s", got)
	}
}

// TestPortsAreClaimed: two clusters at once never share a port, though nothing
// listens on it yet.
func TestPortsAreClaimed(t *testing.T) {
	seen := map[int]bool{}
	for range 3 {
		all, err := claimPorts(3)
		if err != nil {
			t.Fatal(err)
		}
		defer releasePorts(all)
		for _, p := range all {
			for _, port := range []int{p.http, p.rpc, p.gossip} {
				if seen[port] {
					t.Errorf("port %d twice", port)
				}
				seen[port] = true
			}
		}
	}
}

// TestPortsInUseAreAvoided: a block with any port taken is left alone.
func TestPortsInUseAreAvoided(t *testing.T) {
	first, err := claimPorts(1)
	if err != nil {
		t.Fatal(err)
	}
	busy, err := net.ListenPacket("udp", hostPort(first[0].gossip))
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	releasePorts(first)
	second, err := claimPorts(1)
	if err != nil {
		t.Fatal(err)
	}
	defer releasePorts(second)
	if second[0].gossip == first[0].gossip {
		t.Errorf("port %d is in use", first[0].gossip)
	}
}

func TestLogIsBounded(t *testing.T) {
	l, err := createLog(filepath.Join(t.TempDir(), "n1.log"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.close()
	text := append(bytes.Repeat([]byte("x"), 3*maxLog), "\nthe end"...)
	if _, err := l.file.Write(text); err != nil {
		t.Fatal(err)
	}
	tail, err := l.tail()
	if err != nil || !strings.HasSuffix(tail, "x\nthe end") || len(tail) != shownLog {
		t.Errorf("%d bytes, %v", len(tail), err)
	}
	if err := l.trim(); err != nil {
		t.Fatal(err)
	}
	if _, err := l.file.WriteString("goes on\n"); err != nil {
		t.Fatal(err)
	}
	if tail, err := l.tail(); err != nil || tail != "goes on" {
		t.Errorf("after the cut: %q, %v", tail, err)
	}
	old, err := os.ReadFile(l.path + ".1")
	if err != nil || len(old) != maxLog || !bytes.HasSuffix(old, []byte("x\nthe end")) {
		t.Errorf("put aside: %d bytes, %v", len(old), err)
	}
}

// TestAgentsEndWithTheirParent: if rota dev is killed, its agents end too.
func TestAgentsEndWithTheirParent(t *testing.T) {
	t.Setenv(roleVariable, roleParent)
	parent := exec.Command(os.Args[0], t.TempDir())
	out, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	var child int
	_, scanErr := fmt.Fscan(out, &child)
	if err := errors.Join(scanErr, parent.Process.Kill()); err != nil {
		t.Error(err)
	}
	_ = parent.Wait() // it was killed
	eventually(t, "the child is gone", func() bool { return gone(child) || isZombie(child) })
}

// isZombie: ended, and nobody has asked how; a container may lack a process that
// does.
func isZombie(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && strings.Contains(string(stat), ") Z ")
}

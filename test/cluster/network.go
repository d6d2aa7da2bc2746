package cluster

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

const (
	// networkVariable is set in the process that a test runs again in.
	networkVariable = "ROTA_TEST_IN_NETWORK"
	// withoutVariable lets a machine that has no namespaces say so.
	withoutVariable = "ROTA_NO_NETNS"
	networkPrefix   = "10.99.0."
	hubAddress      = networkPrefix + "254/24"
)

// Network is a bridge with a cable to each of a number of network namespaces.
// It lies in a namespace of its own, that of the test's process, and goes with
// it; the machine's network is not touched.
type Network struct {
	t          testing.TB
	namespaces []*os.File
}

// OwnNetwork runs the calling test once more, in a process that has a network of
// its own, and fails the test if it fails there. It returns the network in that
// process, and nil in the one that waits for it: the caller returns then.
//
// It needs root and the command ip. A machine that lacks them fails the test,
// unless ROTA_NO_NETNS=1 says that this is known.
func OwnNetwork(t *testing.T, nodes int) *Network {
	t.Helper()
	if os.Getenv(networkVariable) != "" {
		return newNetwork(t, nodes)
	}
	if os.Getenv(withoutVariable) == "1" {
		t.Skipf("%s=1: a network cannot be cut on this machine", withoutVariable)
	}
	if _, err := exec.LookPath("ip"); err != nil || os.Geteuid() != 0 {
		t.Fatalf("cutting a network needs root (this is uid %d) and the command ip of iproute2 (%v); "+
			"set %s=1 to leave this test out", os.Geteuid(), err, withoutVariable)
	}
	runApart(t)
	return nil
}

// runApart runs the test in another process, in a new network namespace.
func runApart(t *testing.T) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v", fmt.Sprintf("-test.short=%v", testing.Short()))
	cmd.Env = append(os.Environ(), networkVariable+"=1", binaryVariable+"="+Binary(t))
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	var out syncBuffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := newSpawner(t).start(cmd)
	if err == nil {
		err = cmd.Wait()
	}
	t.Logf("in a network of its own:\n%s", out.String())
	if err != nil {
		t.Errorf("the test in a network of its own: %v; set %s=1 to leave it out on a machine that cannot have one", err, withoutVariable)
	}
}

func newNetwork(t testing.TB, nodes int) *Network {
	t.Helper()
	n := &Network{t: t}
	n.ip(nil, "link", "set", "lo", "up")
	n.ip(nil, "link", "add", "hub", "type", "bridge")
	n.ip(nil, "address", "add", hubAddress, "dev", "hub")
	n.ip(nil, "link", "set", "hub", "up")
	for i := range nodes {
		namespace, err := newNamespace()
		if err != nil {
			t.Fatalf("making a network namespace: %v", err)
		}
		t.Cleanup(func() { namespace.Close() })
		n.namespaces = append(n.namespaces, namespace)
		n.ip(namespace, "link", "add", port(i), "type", "veth", "peer", "name", "eth0", "netns", "/proc/self/fd/3")
		n.ip(nil, "link", "set", port(i), "master", "hub", "up")
		n.ipIn(namespace, "link", "set", "lo", "up")
		n.ipIn(namespace, "address", "add", n.addresses()[i]+"/24", "dev", "eth0")
		n.ipIn(namespace, "link", "set", "eth0", "up")
	}
	return n
}

func port(i int) string { return fmt.Sprintf("port%d", i) }

// newNamespace makes a network namespace that lives as long as the file is open
// or a process is in it.
func newNamespace() (*os.File, error) {
	type result struct {
		file *os.File
		err  error
	}
	made := make(chan result)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread, now elsewhere, ends with the goroutine
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			made <- result{err: err}
			return
		}
		file, err := os.Open("/proc/thread-self/ns/net")
		made <- result{file, err}
	}()
	r := <-made
	return r.file, r.err
}

// ip runs the command in this process's namespace, with the file as its fd 3.
func (n *Network) ip(file *os.File, args ...string) {
	n.t.Helper()
	n.run(newSpawner(n.t), file, args)
}

func (n *Network) ipIn(namespace *os.File, args ...string) {
	n.t.Helper()
	n.run(newSpawnerIn(n.t, namespace), nil, args)
}

func (n *Network) run(s *spawner, file *os.File, args []string) {
	n.t.Helper()
	cmd := exec.Command("ip", args...)
	if file != nil {
		cmd.ExtraFiles = []*os.File{file}
	}
	var out syncBuffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := s.start(cmd)
	if err == nil {
		err = cmd.Wait()
	}
	if err != nil {
		n.t.Fatalf("ip %s: %v: %s", strings.Join(args, " "), err, out.String())
	}
}

func (n *Network) addresses() []string {
	list := make([]string, len(n.namespaces))
	for i := range list {
		list[i] = fmt.Sprintf("%s%d", networkPrefix, i+1)
	}
	return list
}

// Cut pulls the cable of the node i of the cluster: nothing gets in or out, and
// nobody is told.
func (n *Network) Cut(i int) {
	n.t.Helper()
	n.ip(nil, "link", "set", port(i), "down")
}

// Mend ends a Cut.
func (n *Network) Mend(i int) {
	n.t.Helper()
	n.ip(nil, "link", "set", port(i), "up")
}

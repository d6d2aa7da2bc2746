package cluster

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/rota-scheduler/rota/test/cluster/netswitch"
)

const (
	// networkVariable is set in the process that a test runs again in.
	networkVariable = "ROTA_TEST_IN_NETWORK"
	// withoutVariable lets a machine that has no namespaces say so.
	withoutVariable = "ROTA_NO_NETNS"
	// hostNumber is the last part of the address of the test's own process.
	hostNumber = 254
	// maxNetworks is how many networks a process may make, one after the other
	// or beside each other.
	maxNetworks = 255
)

// networks counts those of this process: each has addresses of its own.
var networks atomic.Int32

// Network is a switch with a line to each of a number of network namespaces, and
// to this process's own, which must not be the machine's. All of it goes with
// the test.
type Network struct {
	// Switch is what the lines can be made slow, lossy or dead with.
	Switch *netswitch.Switch

	t          testing.TB
	number     int
	namespaces []*os.File
}

// OwnNetwork runs the calling test once more, in a process that has a network of
// its own, and fails the test if it fails there. It returns the network in that
// process, and nil in the one that waits for it: the caller returns then.
//
// It needs root, the command ip, and TUN devices. A machine that lacks them fails the test,
// unless ROTA_NO_NETNS=1 says that this is known.
func OwnNetwork(t *testing.T, nodes int) *Network {
	t.Helper()
	if os.Getenv(networkVariable) != "" {
		return NewNetwork(t, nodes)
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

// NewNetwork makes a network for a process that has a network namespace of its
// own, as [OwnNetwork] and [MainApart] give it.
func NewNetwork(t testing.TB, nodes int) *Network {
	t.Helper()
	number := int(networks.Add(1))
	if number > maxNetworks {
		t.Fatalf("this process has made %d networks, which is all that it may", maxNetworks)
	}
	n := &Network{t: t, number: number, Switch: netswitch.New(uint64(number))}
	t.Cleanup(n.Switch.Close)
	n.ip("link", "set", "lo", "up")
	n.connect(nil, fmt.Sprintf("host%d", number), hostNumber)
	for i := range nodes {
		namespace, err := newNamespace()
		if err != nil {
			t.Fatalf("making a network namespace: %v", err)
		}
		t.Cleanup(func() { namespace.Close() })
		n.namespaces = append(n.namespaces, namespace)
		n.ipIn(namespace, "link", "set", "lo", "up")
		n.connect(namespace, "line0", i+1)
	}
	return n
}

// connect draws a line from the switch into a namespace.
func (n *Network) connect(namespace *os.File, name string, last int) {
	n.t.Helper()
	device, err := netswitch.OpenTUN(namespace, name)
	if err != nil {
		n.t.Fatalf("drawing a line to a network namespace: %v; set %s=1 to leave out what needs one", err, withoutVariable)
	}
	n.ipIn(namespace, "address", "add", n.address(last).String()+"/24", "dev", name)
	n.ipIn(namespace, "link", "set", name, "up")
	n.Switch.Join(n.address(last), device)
}

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

// ip runs the command in this process's namespace.
func (n *Network) ip(args ...string) {
	n.t.Helper()
	n.ipIn(nil, args...)
}

// ipIn runs the command in a namespace; nil means that of this process.
func (n *Network) ipIn(namespace *os.File, args ...string) {
	n.t.Helper()
	cmd := exec.Command("ip", args...)
	var out syncBuffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := newSpawnerIn(n.t, namespace).start(cmd)
	if err == nil {
		err = cmd.Wait()
	}
	if err != nil {
		n.t.Fatalf("ip %s: %v: %s", strings.Join(args, " "), err, out.String())
	}
}

func (n *Network) address(last int) netip.Addr {
	return netip.AddrFrom4([4]byte{10, 99, byte(n.number), byte(last)})
}

// Address returns where the node i of the cluster is.
func (n *Network) Address(i int) netip.Addr { return n.address(i + 1) }

// Host returns where the test's own process is: its clients.
func (n *Network) Host() netip.Addr { return n.address(hostNumber) }

func (n *Network) addresses() []string {
	list := make([]string, len(n.namespaces))
	for i := range list {
		list[i] = n.Address(i).String()
	}
	return list
}

// Cut separates the node i of the cluster from everyone: nothing gets in or
// out, and nobody is told.
func (n *Network) Cut(i int) { n.toAll(i, n.Switch.Cut) }

// Mend ends a Cut.
func (n *Network) Mend(i int) { n.toAll(i, n.Switch.Mend) }

func (n *Network) toAll(i int, do func(from, to netip.Addr)) {
	others := []netip.Addr{n.Host()}
	for j := range n.namespaces {
		others = append(others, n.Address(j))
	}
	for _, other := range others {
		do(n.Address(i), other)
		do(other, n.Address(i))
	}
}

// CutPair separates two nodes from each other.
func (n *Network) CutPair(i, j int) {
	n.CutOneWay(i, j)
	n.CutOneWay(j, i)
}

// CutOneWay loses what the node from sends to the node to.
func (n *Network) CutOneWay(from, to int) { n.Switch.Cut(n.Address(from), n.Address(to)) }

// MendAll ends every cut.
func (n *Network) MendAll() {
	for i := range n.namespaces {
		n.Mend(i)
	}
}

// Set gives the lines between two nodes the same qualities in both directions.
func (n *Network) Set(i, j int, l netswitch.Link) {
	n.Switch.Set(n.Address(i), n.Address(j), l)
	n.Switch.Set(n.Address(j), n.Address(i), l)
}

// SetAll gives the lines between all nodes the same qualities.
func (n *Network) SetAll(l netswitch.Link) {
	for i := range n.namespaces {
		for j := range i {
			n.Set(i, j, l)
		}
	}
}

package cluster

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"testing"
)

// Ports are taken below the range that the kernel takes outgoing ports from: a
// node that is down must find its ports free when it comes back.
const (
	firstPort  = 10_000
	portBlocks = 2_000
	blockSize  = 10
	// claimOffset is a port of the block that this process itself listens on,
	// so that others leave the block alone while agents are down.
	claimOffset = blockSize - 1
	portTries   = 50
)

// ports are the same on every address of a cluster.
type ports struct{ http, rpc, gossip int }

// claimPorts finds ports that are free on every address, and keeps other test
// processes from taking them until the test ends.
func claimPorts(t testing.TB, ips []string) ports {
	t.Helper()
	for range portTries {
		base := firstPort + blockSize*rand.IntN(portBlocks)
		claim, err := net.Listen("tcp", net.JoinHostPort(ips[0], strconv.Itoa(base+claimOffset)))
		if err != nil {
			continue
		}
		if allFree(ips, base, base+1, base+2) {
			t.Cleanup(func() { claim.Close() })
			return ports{base, base + 1, base + 2}
		}
		claim.Close()
	}
	t.Fatalf("no three ports are free on all of %v after %d tries", ips, portTries)
	return ports{}
}

func allFree(ips []string, wanted ...int) bool {
	for _, ip := range ips {
		for _, port := range wanted {
			if !free(net.JoinHostPort(ip, strconv.Itoa(port))) {
				return false
			}
		}
	}
	return true
}

// free says whether an address can be bound for both TCP and UDP.
func free(addr string) bool {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return false
	}
	defer l.Close()
	p, err := net.ListenPacket("udp", addr)
	if err != nil {
		return false
	}
	return p.Close() == nil
}

// loopback returns n addresses, from 127.0.0.31 on.
func loopback(n int) []string {
	ips := make([]string, n)
	for i := range ips {
		ips[i] = fmt.Sprintf("127.0.0.%d", 31+i)
	}
	return ips
}

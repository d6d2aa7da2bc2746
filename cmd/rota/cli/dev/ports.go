package dev

import (
	"errors"
	"fmt"
	"net"
	"strconv"
)

const loopback = "127.0.0.1"

// Ports are taken in blocks of ten, counted from the agent's default ones, below
// the range that the kernel takes outgoing ports from: a node that is down must
// find its ports free when it comes back.
const (
	firstBlock = 7700
	lastBlock  = 32000
	blockSize  = 10
	// claimOffset is a port of the block that rota dev itself listens on, so
	// that another rota dev leaves the block alone while agents are down.
	claimOffset = 9
)

// errNoPorts: every block is taken.
var errNoPorts = errors.New("no free ports on " + loopback)

// ports are a node's, and the claim on them.
type ports struct {
	http, rpc, gossip int
	claim             net.Listener
}

// claimPorts finds n blocks of free ports. The caller releases them.
func claimPorts(n int) ([]ports, error) {
	var all []ports
	for base := firstBlock; len(all) < n; base += blockSize {
		if base > lastBlock {
			releasePorts(all)
			return nil, fmt.Errorf("%w: looked from %d to %d", errNoPorts, firstBlock, lastBlock)
		}
		claim, err := net.Listen("tcp", hostPort(base+claimOffset))
		if err != nil {
			continue
		}
		if !free(base) || !free(base+1) || !free(base+2) {
			claim.Close() //nolint:errcheck // nothing was written to it
			continue
		}
		all = append(all, ports{http: base, rpc: base + 1, gossip: base + 2, claim: claim})
	}
	return all, nil
}

func releasePorts(all []ports) {
	for _, p := range all {
		p.claim.Close() //nolint:errcheck // nothing was written to it
	}
}

// free says whether a port can be bound for both TCP and UDP.
func free(port int) bool {
	l, err := net.Listen("tcp", hostPort(port))
	if err != nil {
		return false
	}
	defer l.Close() //nolint:errcheck // nothing was written to it
	p, err := net.ListenPacket("udp", hostPort(port))
	if err != nil {
		return false
	}
	return p.Close() == nil
}

func hostPort(port int) string { return net.JoinHostPort(loopback, strconv.Itoa(port)) }

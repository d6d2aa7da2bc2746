package raftnode

import (
	"log/slog"
	"time"

	"github.com/hashicorp/raft"
)

const (
	transportPool    = 3
	transportTimeout = 2 * time.Second
)

// NewTransport returns raft's network transport over stream, with the settings
// that a node needs. The timeout (0: 2 s) bounds every read and write of a
// request, so it also bounds how long a connection that died in a partition
// delays the recovery.
func NewTransport(stream raft.StreamLayer, logger *slog.Logger, timeout time.Duration) *raft.NetworkTransport {
	if timeout == 0 {
		timeout = transportTimeout
	}
	return raft.NewNetworkTransportWithConfig(&raft.NetworkTransportConfig{
		Stream:  stream,
		MaxPool: transportPool,
		Timeout: timeout,
		Logger:  NewHCLog(logger),
		// One at a time: with pipelining a follower whose store failed once can
		// stay stuck for good.
		MaxRPCsInFlight: 1,
	})
}

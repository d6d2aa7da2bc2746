package raftnode

import (
	"io"
	"sync/atomic"

	"github.com/hashicorp/raft"
)

// Messages counts the requests of raft that this node has sent to others, by what
// they were for. Each has one answer; those that failed are counted too.
type Messages struct {
	Appends    uint64 // entries of the log
	Commits    uint64 // how far the log is committed, and no entries
	Heartbeats uint64
	Votes      uint64 // asked for, and asked for beforehand
	Snapshots  uint64
}

// sentMessages is Messages while they are counted.
type sentMessages struct {
	appends, commits, heartbeats, votes, snapshots atomic.Uint64
}

// add counts an append, whichever of its three purposes it has.
func (m *sentMessages) add(r *raft.AppendEntriesRequest) {
	switch {
	case len(r.Entries) > 0:
		m.appends.Add(1)
	case isHeartbeat(r):
		m.heartbeats.Add(1)
	default:
		m.commits.Add(1)
	}
}

func (m *sentMessages) read() Messages {
	return Messages{
		Appends: m.appends.Load(), Commits: m.commits.Load(), Heartbeats: m.heartbeats.Load(),
		Votes: m.votes.Load(), Snapshots: m.snapshots.Load(),
	}
}

// countedTransport counts what goes out through a transport of the network.
type countedTransport struct {
	*raft.NetworkTransport
	sent *sentMessages
}

// counted wraps a transport of the network; others are as they are.
func counted(t raft.Transport, sent *sentMessages) raft.Transport {
	if network, ok := t.(*raft.NetworkTransport); ok {
		return &countedTransport{network, sent}
	}
	return t
}

// AppendEntries is part of raft.Transport.
func (t *countedTransport) AppendEntries(id raft.ServerID, target raft.ServerAddress, args *raft.AppendEntriesRequest, resp *raft.AppendEntriesResponse) error {
	t.sent.add(args)
	return t.NetworkTransport.AppendEntries(id, target, args, resp)
}

// RequestVote is part of raft.Transport.
func (t *countedTransport) RequestVote(id raft.ServerID, target raft.ServerAddress, args *raft.RequestVoteRequest, resp *raft.RequestVoteResponse) error {
	t.sent.votes.Add(1)
	return t.NetworkTransport.RequestVote(id, target, args, resp)
}

// RequestPreVote is part of raft.WithPreVote.
func (t *countedTransport) RequestPreVote(id raft.ServerID, target raft.ServerAddress, args *raft.RequestPreVoteRequest, resp *raft.RequestPreVoteResponse) error {
	t.sent.votes.Add(1)
	return t.NetworkTransport.RequestPreVote(id, target, args, resp)
}

// InstallSnapshot is part of raft.Transport.
func (t *countedTransport) InstallSnapshot(id raft.ServerID, target raft.ServerAddress, args *raft.InstallSnapshotRequest, resp *raft.InstallSnapshotResponse, data io.Reader) error {
	t.sent.snapshots.Add(1)
	return t.NetworkTransport.InstallSnapshot(id, target, args, resp, data)
}

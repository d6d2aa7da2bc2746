package raftnode

import "errors"

// Errors of Open. Test for them with errors.Is; the text names the path and
// says what to do.
var (
	// ErrCorrupt means that the files of the node are damaged. The node cannot
	// be trusted to remember its votes, so it must rejoin as a new one.
	ErrCorrupt = errors.New("raft data is corrupt")
	// ErrLocked means that another process uses the data directory.
	ErrLocked = errors.New("data directory is in use by another agent")
)

// Errors handed to Config.OnFatal. ErrNoSpace also comes from Open.
var (
	// ErrNoSpace means that the disk is full.
	ErrNoSpace = errors.New("no space left for the raft log")
	// ErrWriteFailed means that a write or an fsync of the store failed.
	ErrWriteFailed = errors.New("raft store write failed")
	// ErrStalled means that a write of the store took longer than
	// Config.StallTimeout.
	ErrStalled = errors.New("raft store write hangs")
	// ErrDivergedLog means that a snapshot from the leader contradicts the log.
	// The next Open repairs it.
	ErrDivergedLog = errors.New("raft log contradicts the leader's snapshot")
	// ErrTransferStuck means that raft refuses writes because of a leadership
	// transfer that ended long ago. Only a restart clears that.
	ErrTransferStuck = errors.New("leadership transfer is stuck")
)

// Errors of the calls of a running node.
var (
	// ErrNotApplied means that the command is surely not in the log and never
	// will be: it is safe to send it again, here or to another node.
	ErrNotApplied = errors.New("command was not applied")
	// ErrUnknownFate means that the command may or may not be committed, now or
	// later.
	ErrUnknownFate = errors.New("fate of the command is unknown")
	// ErrTransferTimeout means that leadership did not move in time.
	ErrTransferTimeout = errors.New("leadership transfer timed out")
	// ErrBusy means that too many calls are waiting for raft.
	ErrBusy = errors.New("too many calls wait for raft")
	// ErrClosed means that Shutdown has begun.
	ErrClosed = errors.New("raft node is closed")
	// ErrShutdownTimeout means that raft did not stop in time, which only a
	// hung disk causes. The store stays open; end the process.
	ErrShutdownTimeout = errors.New("raft did not stop in time")
)

// remedy ends every ErrCorrupt, because the person who reads it has to act.
const remedy = "stop the agent, move the data directory away, start it again: the node rejoins as a new one"

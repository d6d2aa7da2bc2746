package httpapi

import (
	"context"
	"io"
	"log/slog"
	"net/http"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/transport/api"
)

// Config is what the API needs from the node. Every field is required but
// Metrics, Peers and Internal, whose paths answer 404 without them.
type Config struct {
	Store    *fsm.Store
	Cluster  Cluster
	Proposer Proposer
	Jobs     JobCompiler
	Logs     LogSource
	// Forward passes a request to the leader. Where it is a
	// transport.Forwarder, its OnError must be [ForwardError].
	Forward http.Handler
	// ForwardNode passes a request to the node that [Target] names. Where it is
	// a transport.Forwarder, its Resolve must be [Target], its OnError
	// [ForwardError], and its Wait short: the caller waits for the fallback.
	ForwardNode http.Handler
	// Clock returns cluster time; it is put into commands.
	Clock func() fsm.Time
	// Waiting says what a shard that does not get on waits for; empty if it does
	// get on, or nobody knows. It may be nil.
	Waiting func(v *fsm.View) func(s *fsm.Shard) string
	// NodeID and NodeName are this node's.
	NodeID, NodeName string
	// Version and Commit are the program's.
	Version, Commit string
	// Metrics serves GET /metrics.
	Metrics http.Handler
	// Peers serves GET transport.WatchPath, the connection by which nodes notice
	// each other's death.
	Peers http.Handler
	// Internal serves everything else under /v1/internal/, where nodes talk to
	// each other: heartbeats, reports, stats. It sees the whole path.
	Internal http.Handler
	Logger   *slog.Logger
}

// Cluster is the node's view of the Raft group. Its methods are called from any
// number of goroutines.
type Cluster interface {
	// IsLeader says whether this node takes writes: it leads, and has applied
	// everything that was committed before its term.
	IsLeader() bool
	// Leader returns who leads, if that is known; this node only once IsLeader
	// holds, or a write would be forwarded to itself for ever. HTTP is "ip:port".
	Leader() (api.Leader, bool)
	// ReadIndex is called on the leader. It returns an index such that a replica
	// which has applied it shows every write that was acknowledged before the
	// call: it notes the commit index and then has a quorum confirm that this
	// node still leads. An error wraps transport.ErrNoLeader or ctx's.
	ReadIndex(ctx context.Context) (uint64, error)
	// WaitApplied returns once the store shows everything up to the index.
	WaitApplied(ctx context.Context, index uint64) error
	// CaughtUp says whether this node has applied, or will in a moment, what it
	// knows to be committed, and has heard from a leader not long ago.
	CaughtUp() bool
	// Replayed returns nil once this node shows everything that was committed
	// when its process started: before that its answers are those of some moment
	// of the past. An error wraps transport.ErrNoLeader or ctx's.
	Replayed(ctx context.Context) error
	// TransferLeadership gives the leadership to another voter and returns it.
	TransferLeadership(ctx context.Context) (api.Leader, error)
	// Voters holds the IDs of the nodes that vote.
	Voters() map[string]bool
	// Gossip holds, by node ID, what this node's gossip says of each:
	// "alive", "suspect", "failed" or "left".
	Gossip() map[string]string
	// Namesakes holds, by node ID, the HTTP addresses of the other live nodes that
	// have its name, as far as this node's gossip knows.
	Namesakes() map[string][]string
	// Health holds, by node ID, the nodes that are not well by the leader's own
	// contact with them: "suspect" or "down".
	Health() map[string]string
	// Loads holds, by node ID, what the nodes last told the leader of their
	// machines. It takes half a second at most, and is empty without a leader.
	Loads(ctx context.Context) map[string]api.NodeLoad
	// RTT is what this node knows of the round trips in the cluster.
	RTT() api.RTT
	// PlanScale is called on the leader: what the settings would do right now. An
	// error wraps transport.ErrNoLeader.
	PlanScale(fsm.Autoscale) (api.ScalePlan, error)
}

// Proposer writes to the log.
type Proposer interface {
	// Propose commits a command and returns what Apply answered and the index
	// of its entry; the store of this node then shows it. An error wraps the
	// sentinel of fsm that Apply refused it with, transport.ErrNoLeader (surely
	// not in the log) or transport.ErrUnknownFate. It may be called concurrently.
	Propose(ctx context.Context, op fsm.Opcode, command any) (value any, index uint64, err error)
}

// JobCompiler knows the job file and the time rules. It may be called
// concurrently.
type JobCompiler interface {
	// Parse reads a job file of that name. Jobs that name no namespace belong to
	// the given one, pools that are not in the file to the cluster that v shows.
	// Diagnostics mean that the file is refused.
	Parse(v *fsm.View, name string, body []byte, namespace string) (api.PutJobs, []api.Diagnostic)
	// Check finds in a valid job what validation leaves out: what takes a compiler.
	Check(spec *fsm.JobSpec) []*fsm.FieldError
	// Warnings says what could not run in the cluster that v shows: of the jobs,
	// and of those that there are because of what became of pools.
	Warnings(v *fsm.View, specs []fsm.JobSpec, pools []fsm.PoolResult) []string
	// FirstInstants returns the first instant after the given one of each
	// schedule, unset where there is none. The error says which schedule is wrong
	// and what is accepted.
	FirstInstants(spec *fsm.JobSpec, after fsm.Time) ([]fsm.Time, error)
}

// Streams of an attempt's output.
const (
	StreamStdout = "stdout"
	StreamStderr = "stderr"
	StreamBoth   = "both"
)

// LogSource reads the output of attempts that this node holds or held.
type LogSource interface {
	// Open returns the output of a stream from its beginning, or its last tail
	// bytes if tail is not negative. With follow the reader blocks for more until
	// the attempt has ended; ctx's end makes a blocked Read return. An error
	// wraps fsm.ErrNotFound if there is no output of the attempt here.
	Open(ctx context.Context, ref fsm.AttemptRef, stream string, follow bool, tail int64) (io.ReadCloser, error)
}

package api

import (
	"encoding/json"

	"github.com/rota-scheduler/rota/fsm"
)

// List is the answer of every listing.
type List[T any] struct {
	Items         []T    `json:"items"`
	NextPageToken string `json:"next_page_token,omitempty"`
	// Index is the log index that the answer is as new as.
	Index uint64 `json:"index"`
}

// Job is a job with what a person wants to see of it at a glance.
type Job struct {
	fsm.Job
	Description string            `json:"description,omitempty"`
	Labels      map[string]string `json:"labels,omitempty"`
	// Schedules describes each schedule block: its expression and its zone.
	Schedules []string `json:"schedules"`
	// Next is the next instant that has not been decided yet; unset if none.
	Next fsm.Time `json:"next"`
	// LastRun is the newest run, active or ended.
	LastRun *fsm.Run `json:"last_run,omitempty"`
	// Stats counts what became of the job's fires.
	Stats *fsm.JobStats `json:"stats,omitempty"`
	// Spec is only in the answer for a single job.
	Spec *fsm.JobSpec `json:"spec,omitempty"`
}

// Run is a run with its tasks.
type Run struct {
	fsm.Run
	Tasks []Task `json:"tasks,omitempty"`
}

// Task is a task of a run with its shards.
type Task struct {
	fsm.RunTask
	DependsOn []string `json:"depends_on,omitempty"`
	// Running counts the shards that run right now.
	Running int     `json:"running"`
	Items   []Shard `json:"items,omitempty"`
}

// Shard is a shard with the name of the node that holds or held it.
type Shard struct {
	fsm.Shard
	NodeName string `json:"node_name,omitempty"`
	// Waiting says, as far as the answering node can tell, what a shard that does
	// not get on waits for.
	Waiting string `json:"waiting,omitempty"`
}

// Node is a node with what the answering node and the leader know of its health.
type Node struct {
	fsm.Node
	// Leader, Voter: its part in the Raft group.
	Leader bool `json:"leader"`
	Voter  bool `json:"voter"`
	// Status, in Node, is what the node is right now: suspect or down where a
	// node in use is out of reach. SetStatus is what was said of it last.
	SetStatus fsm.NodeStatus `json:"set_status"`
	// Health is ok, suspect or down, by the leader's own contact with the node.
	Health string `json:"health"`
	// Gossip is what the answering node's gossip says: alive, suspect, failed
	// or left; empty if it does not know the node.
	Gossip string `json:"gossip,omitempty"`
	// Namesakes are the HTTP addresses of other live nodes with the same name: they
	// are refused until they get another, as far as the answering node knows.
	Namesakes []string `json:"namesakes,omitempty"`
	// Running and Armed count the attempts that the node holds.
	Running int `json:"running"`
	Armed   int `json:"armed"`
	// Load is the weight of what runs, by the log.
	Load int `json:"load"`
	// Measured is what the node last told the leader of its machine; nil if that is
	// long ago, or the leader is not to be reached.
	Measured *NodeLoad `json:"measured,omitempty"`
}

// NodeLoad is what a node says of its machine. Fields are 0 where its system does
// not tell.
type NodeLoad struct {
	// Average is how many processes wanted a core over the last minute.
	Average float64 `json:"average"`
	Cores   int     `json:"cores"`
	// MemoryTotal and MemoryAvailable are bytes.
	MemoryTotal     int64 `json:"memory_total"`
	MemoryAvailable int64 `json:"memory_available"`
	// Weight is that of the attempts that run, by the node itself.
	Weight int `json:"weight"`
}

// Leader is the answer of GET /v1/leader.
type Leader struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	HTTP string `json:"http"`
}

// PutJobs is the JSON body of PUT /v1/jobs.
type PutJobs struct {
	Jobs []fsm.JobSpec `json:"jobs"`
	// Pools are put with the jobs.
	Pools []fsm.PutPool `json:"pools,omitempty"`
}

// PutAnswer is the answer of PUT /v1/jobs: what became of each job and pool.
type PutAnswer struct {
	List[fsm.PutResult]
	Pools []fsm.PoolResult `json:"pools,omitempty"`
	// Warnings are for people: what was applied and cannot run as things are.
	Warnings []string `json:"warnings,omitempty"`
}

// StartRun is the body of POST /v1/jobs/{name}/run. A value is a JSON string,
// number or boolean.
type StartRun struct {
	Params map[string]json.RawMessage `json:"params,omitempty"`
}

// Version is the answer of GET /v1/version.
type Version struct {
	Version string `json:"version"`
	Commit  string `json:"commit,omitempty"`
	Go      string `json:"go"`
}

// NodeStatus is the body of PUT /v1/nodes/{name}/status.
type NodeStatus struct {
	Status fsm.NodeStatus `json:"status"`
	// By says who asks, for people; "operator" if it is empty.
	By string `json:"by,omitempty"`
	// Deadline is how long what runs on the node may go on; then it is ended
	// there and started elsewhere. 0 means to its end.
	Deadline fsm.Duration `json:"deadline,omitempty"`
	// Force ends what runs at once.
	Force bool `json:"force,omitempty"`
}

// PutSettings is the body of PUT /v1/settings. It replaces everything: read the
// settings, change them, and send them with the ModifyIndex that they had.
type PutSettings struct {
	fsm.ClusterSettings
	// By says who asks, for people.
	By string `json:"by,omitempty"`
	// IfIndex, if not 0, is the modify_index of the settings as they were read.
	IfIndex uint64 `json:"if_index,omitempty"`
}

// Autoscale is the answer of GET /v1/autoscale.
type Autoscale struct {
	// Settings have their defaults filled in; without a provider it is off.
	Settings fsm.Autoscale `json:"settings"`
	// Events are the kept decisions, the newest first.
	Events []fsm.ScaleEvent `json:"events"`
	Index  uint64           `json:"index"`
}

// ScalePlan is the answer of POST /v1/autoscale/plan: what the autoscaler would do
// if the load of now were that of a whole window.
type ScalePlan struct {
	Nodes    int     `json:"nodes"`
	Delta    int     `json:"delta"`
	Load     float64 `json:"load"`
	Running  int     `json:"running"`
	Waiting  int     `json:"waiting"`
	Capacity int     `json:"capacity"`
	Reason   string  `json:"reason"`
	// Names are the nodes that would be used or given up.
	Names []string `json:"names,omitempty"`
}

// RTT is the answer of GET /v1/nodes/rtt: round trips as the answering node
// estimates them.
type RTT struct {
	// Nodes are names; Milliseconds has a row and a column for each, null where
	// nothing is known yet.
	Nodes        []string     `json:"nodes"`
	Milliseconds [][]*float64 `json:"rtt_ms"`
	Regions      []RegionRTT  `json:"regions"`
}

// RegionRTT is the round trip between two regions.
type RegionRTT struct {
	Regions      [2]string `json:"regions"`
	Milliseconds float64   `json:"rtt_ms"`
	// Source is "measured" or "declared".
	Source string `json:"source"`
}

// Event is one server-sent event of GET /v1/events.
type Event struct {
	Index uint64 `json:"index"`
	// Kind is "run", "fire", "job" or "node".
	Kind string    `json:"kind"`
	Run  *fsm.Run  `json:"run,omitempty"`
	Fire *fsm.Fire `json:"fire,omitempty"`
	Job  *fsm.Job  `json:"job,omitempty"`
	Node *fsm.Node `json:"node,omitempty"`
}

// Error is the body of every answer that is not 2xx.
type Error struct {
	Error ErrorBody `json:"error"`
}

// ErrorBody says what went wrong: Code for programs, Message for people.
type ErrorBody struct {
	Code        string       `json:"code"`
	Message     string       `json:"message"`
	Diagnostics []Diagnostic `json:"diagnostics,omitempty"`
}

// Diagnostic points at a place in a job file.
type Diagnostic struct {
	Summary string `json:"summary"`
	Detail  string `json:"detail,omitempty"`
	File    string `json:"file"`
	Line    int    `json:"line"`
	Column  int    `json:"column"`
}

// Codes of errors. The HTTP status of each stands in transport/httpapi.
const (
	CodeBadRequest = "bad_request"
	CodeInvalid    = "invalid"
	CodeNotFound   = "not_found"
	CodeConflict   = "conflict"
	CodeDeleting   = "deleting"
	CodeOverlap    = "overlap"
	CodeEnded      = "ended"
	// CodeUpgrading: a node of the cluster runs a version that could not take
	// part in the change.
	CodeUpgrading   = "upgrading"
	CodeNoLeader    = "no_leader"
	CodeUnreachable = "unreachable"
	// CodeUnknownFate: the leader died while it had the write; it may or may
	// not have happened. Repeat with the same Idempotency-Key to be sure.
	CodeUnknownFate = "unknown_fate"
	CodeTimeout     = "timeout"
	CodeTooLarge    = "too_large"
	CodeInternal    = "internal"
)

package supervisor

import (
	"time"

	"github.com/rota-scheduler/rota/scheduling/executor/proc"
)

// Versions of the protocol: 2 knows isolation, 3 what it has used. Raise Version with every addition, and
// oldestSupervisor only when an agent cannot do without one.
const (
	Version          = 3
	oldestSupervisor = 1
)

// fdVariable holds the number of the inherited socket.
const fdVariable = "ROTA_SUPERVISOR_FD"

// The requests.
const (
	opHello   = "hello"
	opReady   = "ready"
	opStart   = "start"
	opKill    = "kill"
	opContact = "contact"
	opDecline = "decline"
	opList    = "list"
	opForget  = "forget"
	opUsage   = "usage"
	opEnd     = "end"    // end every attempt, and wait for it
	opCancel  = "cancel" // give a start up if it has not forked; has no answer
)

// The notices.
const (
	noticeEnded    = "ended"
	noticeMissed   = "missed" // ends were left out: list
	noticeStop     = "stop"
	noticeHandover = "handover"
)

// Bounds. An agent has fewer starts under way than a supervisor handles requests,
// so that its other requests never wait for starts.
const (
	maxRequest    = 4 << 20 // bytes of a frame
	maxReply      = 8 << 20
	maxStarts     = 768
	maxHandled    = 1024
	maxNotices    = 1024
	listFrameSize = 256 << 10 // about
)

// request is what an agent sends.
type request struct {
	ID       uint64             `json:"id"`
	Op       string             `json:"op"`
	Version  int                `json:"version,omitempty"`  // hello
	Start    *proc.StartRequest `json:"start,omitempty"`    // start
	Attempt  string             `json:"attempt,omitempty"`  // kill, decline
	Reason   string             `json:"reason,omitempty"`   // kill
	Note     []byte             `json:"note,omitempty"`     // decline
	Base     int64              `json:"base,omitempty"`     // contact
	Attempts []string           `json:"attempts,omitempty"` // forget
	Limit    time.Duration      `json:"limit,omitempty"`    // end
}

// reply is what a supervisor sends: an answer, or a notice if ID is 0.
type reply struct {
	ID     uint64        `json:"id,omitempty"`
	Code   string        `json:"code,omitempty"` // empty: done
	Text   string        `json:"text,omitempty"`
	More   bool          `json:"more,omitempty"` // another frame follows
	Host   *Host         `json:"host,omitempty"` // hello
	List   []proc.Status `json:"list,omitempty"` // list
	Notice string        `json:"notice,omitempty"`
	Result *proc.Result  `json:"result,omitempty"` // ended
	Usage  *Usage        `json:"usage,omitempty"`  // usage
}

// Host is what a supervisor says of itself.
type Host struct {
	Version int `json:"version"`
	PID     int `json:"pid"`
	// DataDir is the node's; the supervisor holds its part of it.
	DataDir string `json:"data_dir"`
	// StopAfter is how long attempts outlive the last contact.
	StopAfter time.Duration `json:"stop_after"`
	// Limits says which limits attempts can be kept to.
	Limits string `json:"limits,omitempty"`
	// Isolation says in what attempts can be isolated.
	Isolation string `json:"isolation,omitempty"`
}

// Order is what a supervisor wants of its agent.
type Order int

// The orders.
const (
	// Stop: end every attempt, then this agent.
	Stop Order = iota + 1
	// Handover: end this agent, and leave the attempts to the next one.
	Handover
)

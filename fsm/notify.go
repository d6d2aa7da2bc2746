package fsm

import (
	"net/url"
	"slices"
)

// What a job can tell of.
const (
	// EventSuccess and EventFailure: a run has succeeded, or failed. One that was
	// cancelled has done neither.
	EventSuccess = "success"
	EventFailure = "failure"
	// EventRetry: an attempt failed and there will be another.
	EventRetry = "retry"
	// EventMissed: a due instant passed and nothing ran for it.
	EventMissed = "missed"
	// EventLost: an attempt was lost with its node, or its process with its
	// supervisor.
	EventLost = "lost"
	// EventSlow: a run still runs after the job's expected duration.
	EventSlow = "slow"
)

// EventNames lists what a job can tell of.
var EventNames = []string{EventSuccess, EventFailure, EventRetry, EventMissed, EventLost, EventSlow}

// Kinds of notify blocks.
const (
	NotifyWebhook = "webhook"
	NotifyExec    = "exec"
)

// Notify is one notify block of a job: whom to tell of what.
type Notify struct {
	// Kind is webhook or exec.
	Kind string `codec:"k" json:"kind"`
	// On names the events.
	On []string `codec:"o" json:"on"`
	// URL is where a webhook posts to.
	URL string `codec:"u,omitempty" json:"url,omitempty"`
	// Secret signs a webhook's requests. SecretFile is a file with the secret on
	// the node that sends them, read for each. At most one is set.
	Secret     Secret `codec:"s,omitempty" json:"secret,omitempty"`
	SecretFile string `codec:"sf,omitempty" json:"secret_file,omitempty"`
	// Command with Args is what an exec runs, without a shell.
	Command string            `codec:"c,omitempty" json:"command,omitempty"`
	Args    []string          `codec:"a,omitempty" json:"args,omitempty"`
	Env     map[string]string `codec:"e,omitempty" json:"env,omitempty"`
	// User is as whom the command runs; empty means the agent's own.
	User string `codec:"us,omitempty" json:"user,omitempty"`
	// Timeout bounds one try; 0 means DefaultNotifyTimeout.
	Timeout Duration `codec:"t,omitempty" json:"timeout,omitempty"`
}

// Bounds of notify blocks. A block is copied to every notification that waits.
const (
	MaxNotifyBlocks      = 16
	MaxNotifyBytes       = 8 << 10
	DefaultNotifyTimeout = Duration(10e9)
	MaxNotifyTimeout     = Duration(60e9)
)

// Limit returns how long one try may take.
func (n *Notify) Limit() Duration {
	if n.Timeout == 0 {
		return DefaultNotifyTimeout
	}
	return n.Timeout
}

// To says in a word where the notifications of the block go: the scheme and the
// host of the URL, which as a whole may be a secret, or the command.
func (n *Notify) To() string {
	if n.Kind == NotifyExec {
		return clip(n.Command, maxErrorText)
	}
	u, err := url.Parse(n.URL)
	if err != nil {
		return ""
	}
	return clip(u.Scheme+"://"+u.Host, maxErrorText)
}

// Secret is a text that neither logs nor the API's answers may show. In the
// replicated state, and in a request that applies a job, it is plain.
type Secret string

// RedactedSecret stands in answers in the place of a secret.
const RedactedSecret = "(redacted)"

// String hides the secret from formatted texts.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return RedactedSecret
}

// GoString hides it from %#v.
func (s Secret) GoString() string { return s.String() }

// Reveal returns the secret itself.
func (s Secret) Reveal() string { return string(s) }

// Redacted returns a copy of the spec to show: without its secrets.
func (s *JobSpec) Redacted() *JobSpec {
	out := *s
	out.Notify = slices.Clone(s.Notify)
	for i := range out.Notify {
		out.Notify[i].Secret = Secret(out.Notify[i].Secret.String())
	}
	return &out
}

// tells says whether any block of the job is about the event.
func (s *JobSpec) tells(event string) bool {
	return slices.ContainsFunc(s.Notify, func(n Notify) bool { return slices.Contains(n.On, event) })
}

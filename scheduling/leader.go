package scheduling

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/rota-scheduler/rota/fsm"
)

// Proposer puts a command into the log and returns what applying it answered.
// An error that is neither a refusal of fsm nor ErrUnknownFate means that the
// command is surely not in the log.
type Proposer interface {
	Propose(ctx context.Context, op fsm.Opcode, command any) (value any, index uint64, err error)
}

// ErrUnknownFate: the command may or may not be in the log.
var ErrUnknownFate = errors.New("fate of the proposal is unknown")

// Refusal is what is known of a node whose connection was lost and whose host,
// alive, refused a new one (rule 17).
type Refusal struct {
	// Incarnation that the connection belonged to.
	Incarnation uint64
	// At is the mono instant at which the refusal came back.
	At int64
}

// Config is what a term needs.
type Config struct {
	Store    *fsm.Store
	Proposer Proposer
	Clock    *Clock
	Leases   *Leases
	Timing   Timing
	// Self is this node's ID.
	Self string
	// StepDown hands the leadership on.
	StepDown func(ctx context.Context) error
	// Verify proves to a quorum that this node leads.
	Verify func(ctx context.Context) error
	// Refusals returns what this node noted about a peer, if anything.
	Refusals func(node string) (Refusal, bool)
	// Voters returns the IDs of the nodes that vote. It may be nil.
	Voters func() map[string]bool
	// Provider makes the provider of nodes that settings name, other than standby.
	// It may be nil.
	Provider func(*fsm.Autoscale) (NodeProvider, error)
	// Regions makes the table of round trips between regions. It may be nil.
	Regions func() *Regions
	// Gossip returns what this node's gossip believes of another. It may be nil.
	Gossip func(node string) GossipStatus
	// Load returns what a node said of its machine lately, if anything.
	Load   func(node string) (Load, bool)
	Logger *slog.Logger
}

// Leader runs the loops of one term.
type Leader struct {
	Config
	schedules *schedules
	rules     *ruleBook
	ledger    *ledger
}

// NewLeader returns the loops of a term that has not begun.
func NewLeader(cfg Config) *Leader {
	return &Leader{Config: cfg, schedules: newSchedules(), rules: newRuleBook(), ledger: newLedger(cfg.Store)}
}

// Run leads until ctx ends, and returns when every loop has. barrier is the log
// index up to which the store had applied when the term's barrier passed. Only
// one Run may be active at a time.
func (l *Leader) Run(ctx context.Context, barrier uint64) error {
	l.Clock.Lead()
	defer l.Clock.Follow()
	var nodes []string
	for n := range l.Store.Read().Nodes() {
		nodes = append(nodes, n.ID)
	}
	l.Leases.Open(barrier, nodes)
	defer l.Leases.Close()
	g, ctx := errgroup.WithContext(ctx)
	for _, loop := range []func(context.Context) error{l.verify, l.fire, l.place, l.replace, l.displace, l.timeout, l.noteSlow, l.prune, l.watchClock, l.autoscale} {
		g.Go(func() error { return loop(ctx) })
	}
	return g.Wait()
}

// verify renews the proof of a quorum that every lease is measured from.
func (l *Leader) verify(ctx context.Context) error {
	tick := time.NewTicker(l.Timing.Heartbeat)
	defer tick.Stop()
	for {
		before := l.Clock.Mono()
		if err := l.Verify(ctx); err == nil {
			l.Leases.Verified(before)
		} else if ctx.Err() == nil {
			l.Logger.Warn("quorum check failed; leases are not renewed", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// retryPause is how long a loop waits after a proposal that failed.
const retryPause = 50 * time.Millisecond

// wait returns when the view's data changes, at the given cluster time (unset:
// never), when one of the channels closes, or when ctx ends.
func (l *Leader) wait(ctx context.Context, v *fsm.View, until fsm.Time, also ...<-chan struct{}) {
	watch := v.Changed()
	for _, ch := range also {
		watch.Add(ch)
	}
	if until != 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, max(until.Sub(l.Clock.Now()), 0))
		defer cancel()
	}
	_ = watch.WatchCtx(ctx) // its error only says which of them it was
}

func (l *Leader) pause(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-time.After(retryPause):
	}
}

// itemErrors takes the answer of a command that decides many things at once.
func itemErrors(value any) []error {
	errs, _ := value.([]error)
	return errs
}

package agent

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/memberlist"
	"golang.org/x/sync/errgroup"

	"github.com/rota-scheduler/rota/cmd/rota/agent/raftnode"
	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/membership"
	"github.com/rota-scheduler/rota/scheduling"
	"github.com/rota-scheduler/rota/scheduling/executor"
	"github.com/rota-scheduler/rota/scheduling/executor/proc"
	"github.com/rota-scheduler/rota/transport"
)

// Seams are what a test or a simulation may replace; a zero field means the
// real thing.
type Seams struct {
	Version string
	// Limits says which limits the process half can keep.
	Limits string
	// Isolation says in what the process half can isolate attempts.
	Isolation string
	// Format is the log format that the node announces; fsm.Format if zero.
	Format int
	Logger *slog.Logger // required
	// Wall and Mono are the machine's clocks; Mono counts nanoseconds.
	Wall func() time.Time
	Mono func() int64
	// Timing holds the protocol's durations; every node must have the same.
	Timing *scheduling.Timing
	// Listen and Dial replace TCP, Gossip replaces its TCP and UDP.
	Listen       func(addr string) (net.Listener, error)
	Dial         transport.DialFunc
	Gossip       memberlist.Transport
	GossipTiming membership.Timing
	// Pace multiplies what no Timing says: the peers' watch and autopilot's looks.
	Pace time.Duration
	// Stores replaces raft's files; RaftTimings are then required, since there
	// is no disk to measure.
	Stores       *raftnode.Stores
	RaftTimings  *raftnode.Timings
	StallTimeout time.Duration
	// Processes replaces the process half.
	Processes func(onEnd func(proc.Result)) (Processes, error)
	// KeepProcesses: Stop leaves the processes to the next agent.
	KeepProcesses bool
}

// complete fills in the real things.
func (s *Seams) complete() {
	if s.Wall == nil {
		s.Wall = time.Now
	}
	if s.Mono == nil {
		s.Mono = proc.Mono
	}
	if s.Timing == nil {
		timing := scheduling.DefaultTiming()
		s.Timing = &timing
	}
	s.Pace = max(s.Pace, 1)
	s.Format = cmp.Or(s.Format, fsm.Format)
	if s.Listen == nil {
		s.Listen = func(addr string) (net.Listener, error) { return net.Listen("tcp", addr) }
	}
}

// Processes is the process half with the end that its owner gives it.
type Processes interface {
	proc.Processes
	// Close ends every process and waits for their results to be handed over.
	Close(ctx context.Context) error
}

// Agent is a running node. Its exported methods may be called concurrently.
type Agent struct {
	cfg    Config
	seams  Seams
	self   fsm.Node
	logger *slog.Logger
	timing scheduling.Timing

	store      *fsm.Store
	raft       *raftnode.Node
	gossip     *membership.Gossip
	reconciler *membership.Reconciler
	proposer   *proposer
	registrar  *registrar
	meter      meter
	loads      loads
	peers      *peers
	clock      *scheduling.Clock
	leases     *scheduling.Leases
	lease      *executor.Lease
	executor   *executor.Executor
	processes  Processes
	caller     *transport.Caller
	http       *transport.HTTPServer
	forwarders []*transport.Forwarder

	// leading is the epoch of the term that this node serves; 0: none.
	leading atomic.Uint64
	// term holds the loops of the term that this node serves; nil: none.
	term atomic.Pointer[scheduling.Leader]
	// ailing is what the leader said last of the nodes' health.
	ailing atomic.Pointer[ailing]
	// replayed: the store has caught up since the process started.
	replayed atomic.Bool
	// clockOff: the wall clock is far from cluster time, and that was said.
	clockOff atomic.Bool
	// silent: the process half does not answer, and that was said.
	silent atomic.Bool
	// saved is what is kept of cluster time; the heartbeat's.
	saved savedClock
	// keep: a stop leaves the processes alone.
	keep atomic.Bool

	unlock   func() error
	loops    *errgroup.Group
	endLoops context.CancelFunc
	work     *errgroup.Group // the executor, which stops before the loops
	endWork  context.CancelFunc
	fatal    chan error // of one
	stop     sync.Once
	stopErr  error
}

// Start starts a node and returns when it listens; it may have no leader yet.
// ctx bounds the start only. The caller must call Wait or Stop.
func Start(ctx context.Context, cfg Config, seams Seams) (*Agent, error) {
	if err := cfg.complete(); err != nil {
		return nil, err
	}
	seams.complete()
	a := &Agent{
		cfg: cfg, seams: seams, logger: seams.Logger, timing: *seams.Timing,
		clock: scheduling.NewClock(seams.Wall, seams.Mono),
		lease: executor.NewLease(seams.Timing.Lease),
		fatal: make(chan error, 1),
	}
	a.keep.Store(seams.KeepProcesses)
	a.leases = scheduling.NewLeases(seams.Mono, a.timing)
	a.store = fsm.NewStore(a.fail)
	if err := a.open(ctx); err != nil {
		return nil, errors.Join(err, a.Stop(context.WithoutCancel(ctx)))
	}
	a.startLoops()
	a.logger.Info("agent started", "name", cfg.Name, "id", a.self.ID, "incarnation", a.self.Incarnation,
		"http", a.self.HTTPAddr, "raft", a.self.RaftAddr, "version", seams.Version)
	return a, nil
}

// fail ends the node for a fault that it cannot go on with.
func (a *Agent) fail(err error) {
	select {
	case a.fatal <- err:
	default:
	}
}

// startLoops starts every goroutine that belongs to the agent itself.
func (a *Agent) startLoops() {
	var ctx context.Context
	ctx, a.endLoops = context.WithCancel(context.Background())
	a.loops, ctx = errgroup.WithContext(ctx)
	run := func(name string, loop func(context.Context) error) {
		a.loops.Go(func() error {
			err := loop(ctx)
			if err != nil && ctx.Err() == nil {
				a.fail(fmt.Errorf("%s: %w", name, err))
			}
			return err
		})
	}
	run("proposer", a.proposer.run)
	run("registrar", a.registrar.run)
	run("leadership", a.lead)
	run("heartbeat", a.beat)
	run("peers", a.peers.run)
	run("founding a cluster", a.found)
	run("http server", a.watchHTTP)

	var work context.Context
	work, a.endWork = context.WithCancel(context.Background())
	a.work, work = errgroup.WithContext(work)
	a.work.Go(func() error {
		err := a.executor.Run(work)
		if err != nil && work.Err() == nil {
			a.fail(fmt.Errorf("executor: %w", err))
		}
		return err
	})
}

func (a *Agent) watchHTTP(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case err := <-a.http.Err():
		return err
	}
}

// found joins or founds a cluster, whichever the members that gossip finds and
// --bootstrap-expect say.
func (a *Agent) found(ctx context.Context) error {
	err := a.gossip.RunBootstrap(ctx, a.hasState, a.bootstrap)
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// Wait returns when ctx ends or the node fails, after it has stopped.
func (a *Agent) Wait(ctx context.Context) error {
	final := context.WithoutCancel(ctx)
	select {
	case <-ctx.Done():
		a.logger.Info("stopping")
		return a.Stop(final)
	case cause := <-a.fatal:
		return a.stopFailed(final, cause)
	}
}

// Fatal returns the channel on which a fault arrives that the node cannot go on
// with; the receiver should call Stop.
func (a *Agent) Fatal() <-chan error { return a.fatal }

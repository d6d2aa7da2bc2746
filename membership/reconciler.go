package membership

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"strconv"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	autopilot "github.com/hashicorp/raft-autopilot"
)

const (
	// changeTimeout bounds how long a change waits to be taken up by raft; once
	// taken up it ends with a commit or with the leadership.
	changeTimeout = 5 * time.Second
	// maxChanges bounds the steps of one pass; the next pass does the rest.
	maxChanges = 64
)

// MemberSource is where the reconciler learns of members; *Gossip is one.
type MemberSource interface {
	Watch() ([]Member, <-chan struct{})
}

// StatsFetcher asks each server, itself included, how far its Raft log is, and
// returns the answers that came before ctx ended; see [LocalStats]. A server
// without an answer counts as unhealthy.
type StatsFetcher func(ctx context.Context, servers map[raft.ServerID]*autopilot.Server) map[raft.ServerID]*autopilot.ServerStats

// ReconcilerConfig says how Raft's configuration follows the members. Zero
// numbers and durations take the defaults.
type ReconcilerConfig struct {
	Raft    autopilot.Raft // a *raft.Raft
	LocalID raft.ServerID
	Members MemberSource
	Stats   StatsFetcher
	Logger  *slog.Logger
	// RemoveDeadAfter returns how long a server may be dead before it is removed;
	// nil means ten minutes.
	RemoveDeadAfter func() time.Duration
	// Gone says that a server is meant to be gone: it is removed at once. nil
	// means that none is.
	Gone func(id raft.ServerID) bool
	// MinFormat returns the log format that the cluster writes: a member that
	// does not know it is kept out. nil means any.
	MinFormat func() int

	MaxVoters            int           // default 5
	MinVoters            int           // a dead voter stays rather than fewer vote; default 3
	StabilizationTime    time.Duration // healthy this long before it votes, dead this long before it is relieved; default 10 s
	LastContactThreshold time.Duration // unhealthy without the leader for longer; default 2 s
	MaxTrailingLogs      uint64        // unhealthy further behind the leader; default 1000
	Interval             time.Duration // between looks; default 2 s
}

func (c ReconcilerConfig) withDefaults() ReconcilerConfig {
	setDefault(&c.MaxVoters, 5)
	setDefault(&c.MinVoters, 3)
	setDefault(&c.StabilizationTime, 10*time.Second)
	setDefault(&c.LastContactThreshold, 2*time.Second)
	setDefault(&c.MaxTrailingLogs, 1000)
	setDefault(&c.Interval, 2*time.Second)
	if c.RemoveDeadAfter == nil {
		c.RemoveDeadAfter = func() time.Duration { return 10 * time.Minute }
	}
	if c.Gone == nil {
		c.Gone = func(raft.ServerID) bool { return false }
	}
	if c.MinFormat == nil {
		c.MinFormat = func() int { return 0 }
	}
	return c
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Reconciler keeps Raft's configuration in step with the members. It runs on
// the leader only; on any other node its changes are refused by Raft.
type Reconciler struct {
	cfg    ReconcilerConfig
	log    *slog.Logger
	unseen map[raft.ServerID]time.Time // used by Run alone
}

// NewReconciler returns a reconciler that does nothing until Run.
func NewReconciler(cfg ReconcilerConfig) (*Reconciler, error) {
	if cfg.Raft == nil || cfg.LocalID == "" || cfg.Members == nil || cfg.Stats == nil || cfg.Logger == nil {
		return nil, fmt.Errorf("%w: the reconciler needs Raft, LocalID, Members, Stats and Logger", ErrInvalidConfig)
	}
	cfg = cfg.withDefaults()
	if cfg.MaxVoters < 1 || cfg.MinVoters < 1 || cfg.MinVoters > cfg.MaxVoters {
		return nil, fmt.Errorf("%w: at least %d and at most %d voters", ErrInvalidConfig, cfg.MinVoters, cfg.MaxVoters)
	}
	return &Reconciler{cfg: cfg, log: cfg.Logger}, nil
}

// Run reconciles until ctx ends, and returns nil with nothing left running. End
// ctx when leadership is lost; a change in flight ends with it. Only one Run at
// a time; a later leadership may call it again.
func (r *Reconciler) Run(ctx context.Context) error {
	r.unseen = make(map[raft.ServerID]time.Time)
	pilot := r.newAutopilot()
	pilot.Start(ctx)
	defer func() { <-pilot.Stop() }()

	ticker := time.NewTicker(r.cfg.Interval)
	defer ticker.Stop()
	for {
		members, changed := r.cfg.Members.Watch()
		if err := r.pass(ctx, members); err != nil && ctx.Err() == nil {
			r.log.Warn("raft configuration not reconciled; trying again", "error", err)
			changed = nil // at the next tick, not at once
		}
		select {
		case <-changed:
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// pass takes steps until the configuration fits the members.
func (r *Reconciler) pass(ctx context.Context, members []Member) error {
	for range maxChanges {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		config := r.cfg.Raft.GetConfiguration()
		if err := config.Error(); err != nil {
			return fmt.Errorf("read the raft configuration: %w", err)
		}
		servers := config.Configuration().Servers
		now := time.Now()
		r.noteUnseen(servers, members, now)
		next, ok := nextChange(planInput{
			local:           r.cfg.LocalID,
			servers:         servers,
			members:         members,
			unseen:          r.unseen,
			now:             now,
			removeDeadAfter: r.cfg.RemoveDeadAfter(),
			given:           r.cfg.Gone,
			minVoters:       r.cfg.MinVoters,
			minFormat:       r.cfg.MinFormat(),
		})
		if !ok {
			return nil
		}
		if err := r.apply(next, config.Index()); err != nil {
			return err
		}
	}
	return nil
}

// noteUnseen starts a clock for each server that gossip does not know: after a
// restart of the leader that is everyone for a moment, and no reason to act.
func (r *Reconciler) noteUnseen(servers []raft.Server, members []Member, now time.Time) {
	absent := make(map[raft.ServerID]bool)
	for _, s := range servers {
		absent[s.ID] = true
	}
	for _, m := range members {
		delete(absent, raft.ServerID(m.ID))
	}
	maps.DeleteFunc(r.unseen, func(id raft.ServerID, _ time.Time) bool { return !absent[id] })
	for id := range absent {
		if _, ok := r.unseen[id]; !ok {
			r.unseen[id] = now
		}
	}
}

// apply makes one change, only to the configuration that it was planned for.
func (r *Reconciler) apply(c change, configIndex uint64) error {
	s := c.server
	var done raft.IndexFuture
	switch {
	case c.kind == removeServer:
		done = r.cfg.Raft.RemoveServer(s.ID, configIndex, changeTimeout)
	case c.kind == changeAddress && s.Suffrage != raft.Nonvoter:
		done = r.cfg.Raft.AddVoter(s.ID, s.Address, configIndex, changeTimeout)
	default:
		done = r.cfg.Raft.AddNonvoter(s.ID, s.Address, configIndex, changeTimeout)
	}
	if err := done.Error(); err != nil {
		return fmt.Errorf("%s server %s (%s), because %s: %w", c.kind, s.ID, s.Address, c.reason, err)
	}
	r.log.Info("raft configuration changed", "change", string(c.kind), "server", string(s.ID),
		"address", string(s.Address), "reason", c.reason)
	return nil
}

func (r *Reconciler) newAutopilot() *autopilot.Autopilot {
	logger := hclog.NewInterceptLogger(&hclog.LoggerOptions{Level: hclog.Off})
	logger.RegisterSink(hclogSink{r.log})
	return autopilot.New(guardedRaft{r.cfg.Raft}, pilotDelegate{r},
		autopilot.WithLogger(logger),
		autopilot.WithPromoter(&promoter{maxVoters: r.cfg.MaxVoters}),
		autopilot.WithUpdateInterval(r.cfg.Interval),
		autopilot.WithReconcileInterval(r.cfg.Interval),
	)
}

// pilotDelegate is what autopilot asks. Its own clean-up stays off: it removes
// at once whatever gossip does not know, which after a restart is everyone, and
// it counts those that might vote, not those that do.
type pilotDelegate struct{ r *Reconciler }

func (d pilotDelegate) AutopilotConfig() *autopilot.Config {
	return &autopilot.Config{
		CleanupDeadServers:      false,
		LastContactThreshold:    d.r.cfg.LastContactThreshold,
		MaxTrailingLogs:         d.r.cfg.MaxTrailingLogs,
		MinQuorum:               uint(d.r.cfg.MinVoters),
		ServerStabilizationTime: d.r.cfg.StabilizationTime,
	}
}

// FetchServerStats fills in an unhealthy answer for those that gave none;
// autopilot would otherwise go on believing their last one.
func (d pilotDelegate) FetchServerStats(ctx context.Context, servers map[raft.ServerID]*autopilot.Server) map[raft.ServerID]*autopilot.ServerStats {
	stats := make(map[raft.ServerID]*autopilot.ServerStats, len(servers))
	maps.Copy(stats, d.r.cfg.Stats(ctx, servers))
	for id := range servers {
		if stats[id] == nil {
			stats[id] = &autopilot.ServerStats{LastContact: -1}
		}
	}
	return stats
}

func (d pilotDelegate) KnownServers() map[raft.ServerID]*autopilot.Server {
	members, _ := d.r.cfg.Members.Watch()
	servers := make(map[raft.ServerID]*autopilot.Server, len(members))
	for _, m := range members {
		id := raft.ServerID(m.ID)
		servers[id] = &autopilot.Server{
			ID:          id,
			Name:        m.Name,
			Address:     raft.ServerAddress(m.RaftAddr),
			NodeStatus:  nodeStatus(m.Status),
			Version:     m.Version,
			RaftVersion: int(raft.ProtocolVersionMax),
			IsLeader:    id == d.r.cfg.LocalID,
			NodeType:    autopilot.NodeVoter,
		}
	}
	return servers
}

func nodeStatus(s Status) autopilot.NodeStatus {
	switch s {
	case StatusAlive:
		return autopilot.NodeAlive
	case StatusFailed:
		return autopilot.NodeFailed
	default:
		return autopilot.NodeLeft
	}
}

// NotifyState is part of autopilot.ApplicationIntegration; nobody asks.
func (d pilotDelegate) NotifyState(*autopilot.State) {}

// RemoveFailedServer is part of autopilot.ApplicationIntegration; with the
// clean-up off it is never called.
func (d pilotDelegate) RemoveFailedServer(*autopilot.Server) {}

// LocalStats is a node's own answer to the leader's [StatsFetcher].
func LocalStats(r *raft.Raft) (autopilot.ServerStats, error) {
	stats := r.Stats()
	term, err := strconv.ParseUint(stats["last_log_term"], 10, 64)
	if err != nil {
		return autopilot.ServerStats{}, fmt.Errorf("read the last log term: %w", err)
	}
	answer := autopilot.ServerStats{LastTerm: term, LastIndex: r.LastIndex()}
	if r.State() == raft.Leader {
		return answer, nil
	}
	last := r.LastContact()
	if last.IsZero() {
		return autopilot.ServerStats{}, errNoContact
	}
	answer.LastContact = time.Since(last)
	return answer, nil
}

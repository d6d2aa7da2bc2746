package agent

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/hashicorp/raft"
	"golang.org/x/sys/unix"

	"github.com/rota-scheduler/rota/cmd/rota/agent/raftnode"
	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/membership"
	"github.com/rota-scheduler/rota/scheduling/executor"
	"github.com/rota-scheduler/rota/scheduling/executor/proc"
	"github.com/rota-scheduler/rota/transport"
)

// How long, and how often, a data dir in use is asked for.
const (
	lockPatience = 3 * time.Second
	lockPause    = 10 * time.Millisecond
)

// ErrDataDirInUse: another agent runs on the same data dir.
var ErrDataDirInUse = errors.New("data dir is in use by another agent")

// open opens the parts in order. What it opened before it failed is closed by
// Stop.
func (a *Agent) open(ctx context.Context) error {
	if err := a.lockDataDir(ctx); err != nil {
		return err
	}
	if err := a.dropIdentityWithoutState(); err != nil {
		return err
	}
	_, err := os.Stat(filepath.Join(a.raftDir(), "raft.db"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("looking for the state of this node: %w", err)
	}
	identity, err := membership.LoadIdentity(a.cfg.DataDir, err == nil)
	if err != nil {
		return err
	}
	a.restoreClock()
	a.self = a.cfg.node(identity.ID, identity.Incarnation, a.seams.Version)
	a.self.Limits, a.self.Isolation, a.self.Format = a.seams.Limits, a.seams.Isolation, a.seams.Format
	a.caller = transport.NewCaller(transport.CallerConfig{Dial: a.seams.Dial})
	web, err := a.listen("--http-port", a.cfg.address(a.cfg.Bind, a.cfg.HTTPPort))
	if err != nil {
		return err
	}
	if err := a.openRaft(); err != nil {
		return errors.Join(err, web.Close())
	}
	a.proposer = newProposer(a.IsLeader, a.mayWrite, a.raft.Apply)
	a.registrar = newRegistrar(a.store, a.clock.Now, a.logger, a.proposer)
	if err := a.openExecutor(ctx); err != nil {
		return errors.Join(err, web.Close())
	}
	if err := a.openGossip(); err != nil {
		return errors.Join(err, web.Close())
	}
	a.http = transport.NewHTTPServer(transport.HTTPConfig{Handler: a.handler(), Logger: a.logger})
	a.http.Start(web)
	return nil
}

// dropIdentityWithoutState has a node whose raft state is gone join as a new one.
// Its old identity has voted, and has acknowledged entries that it no longer has:
// to go on under it could undo what a majority has agreed on.
func (a *Agent) dropIdentityWithoutState() error {
	if a.seams.Stores != nil {
		return nil // a simulation's state is in memory
	}
	if _, err := os.Stat(a.raftDir()); !errors.Is(err, fs.ErrNotExist) {
		return nil // there, or unreadable: opening it says so
	}
	err := os.Remove(filepath.Join(a.cfg.DataDir, "node-id"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("giving up the identity of a node without raft state: %w", err)
	}
	a.logger.Warn("the raft state of this node is gone; it joins as a new node", "dir", a.raftDir())
	return nil
}

func (a *Agent) raftDir() string { return filepath.Join(a.cfg.DataDir, "raft") }

// lockDataDir keeps a second agent off the data dir until this process ends.
func (a *Agent) lockDataDir(ctx context.Context) error {
	if err := os.MkdirAll(a.cfg.DataDir, 0o700); err != nil {
		return fmt.Errorf("making the data dir: %w", err)
	}
	path := filepath.Join(a.cfg.DataDir, "lock")
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("locking the data dir: %w", err)
	}
	if !lockFile(ctx, f) {
		f.Close()
		return dataDirInUse(a.cfg.DataDir)
	}
	a.unlock = f.Close
	return nil
}

func dataDirInUse(dir string) error {
	return fmt.Errorf("%w: %s: stop that agent, or give this one another --data-dir", ErrDataDirInUse, dir)
}

// lockFile asks again for a while: an agent whose supervisor was killed is being
// killed by the kernel, and may take an instant to be gone.
func lockFile(ctx context.Context, f *os.File) bool {
	ctx, cancel := context.WithTimeout(ctx, lockPatience)
	defer cancel()
	tick := time.NewTicker(lockPause)
	defer tick.Stop()
	for unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) != nil {
		select {
		case <-ctx.Done():
			return false
		case <-tick.C:
		}
	}
	return true
}

func (a *Agent) listen(flag, addr string) (net.Listener, error) {
	l, err := a.seams.Listen(addr)
	if err != nil {
		return nil, fmt.Errorf("listening on %s: %w; is another agent running there, or does %s need another port?", addr, err, flag)
	}
	return l, nil
}

func (a *Agent) openRaft() error {
	l, err := a.listen("--rpc-port", a.cfg.address(a.cfg.Bind, a.cfg.RPCPort))
	if err != nil {
		return err
	}
	advertise, err := net.ResolveTCPAddr("tcp", a.self.RaftAddr)
	if err != nil {
		return errors.Join(fmt.Errorf("%w: raft address %s: %w", ErrBadConfig, a.self.RaftAddr, err), l.Close())
	}
	stream, err := transport.NewStreamLayer(transport.StreamConfig{Listener: l, Advertise: advertise, Dial: a.seams.Dial, Logger: a.logger})
	if err != nil {
		return errors.Join(err, l.Close())
	}
	a.raft, err = raftnode.Open(raftnode.Config{
		ID: a.self.ID, DataDir: a.raftDir(), FSM: a.store, Logger: a.logger, OnFatal: a.fail,
		Stores: a.seams.Stores, Timings: a.seams.RaftTimings, StallTimeout: a.seams.StallTimeout,
		Transport: raftnode.NewTransport(stream, a.logger, 0),
	})
	return err
}

func (a *Agent) openExecutor(ctx context.Context) error {
	// What an earlier agent has started may end before the executor exists.
	made := make(chan struct{})
	onEnd := func(r proc.Result) {
		<-made
		a.executor.Ended(r)
	}
	var err error
	if a.seams.Processes != nil {
		a.processes, err = a.seams.Processes(onEnd)
	} else {
		a.processes, err = proc.New(ctx, proc.Options{
			Dir: filepath.Join(a.cfg.DataDir, "exec"), StopAfter: a.timing.StopAfter, OnEnd: onEnd, Logger: a.logger,
		})
	}
	if err != nil {
		return err
	}
	a.executor = executor.New(executor.Config{
		Store: a.store, Processes: a.processes, Clock: a.clock, Lease: a.lease,
		NodeID: a.self.ID, NodeName: a.self.Name, Incarnation: a.self.Incarnation, Capacity: a.self.Capacity,
		OutputDir: filepath.Join(a.cfg.DataDir, "output"), OutputMaxAge: a.cfg.OutputMaxAge, OutputMaxBytes: a.cfg.OutputMaxSize,
		Report: a.sendReports, Logger: a.logger,
	})
	close(made)
	return nil
}

func (a *Agent) openGossip() error {
	var err error
	a.gossip, err = membership.Start(membership.Config{
		NodeID: a.self.ID, Name: a.self.Name, Incarnation: a.self.Incarnation,
		BindAddr: a.cfg.Bind, BindPort: a.cfg.GossipPort,
		AdvertiseAddr: a.cfg.Advertise, AdvertisePort: a.cfg.GossipPort,
		Join: a.cfg.Join, Transport: a.seams.Gossip, Timing: a.seams.GossipTiming, Logger: a.logger,
		Attributes: membership.Attributes{
			HTTPAddr: a.self.HTTPAddr, RaftAddr: a.self.RaftAddr, Region: a.self.Region, Zone: a.self.Zone,
			Labels: a.self.Labels, Capacity: a.self.Capacity, Version: a.seams.Version, FormatVersion: a.self.Format,
			BootstrapExpect: a.cfg.BootstrapExpect, Bootstrapped: a.raft.HasState(),
		},
	})
	if err != nil {
		return err
	}
	a.peers = newPeers(a)
	a.reconciler, err = membership.NewReconciler(membership.ReconcilerConfig{
		Raft: a.raft.Raft(), LocalID: raft.ServerID(a.self.ID), Members: a.gossip, Stats: a.fetchStats, Logger: a.logger,
		MinFormat: func() int { return a.store.Read().Settings().Format },
		Interval:  reconcileEvery * a.seams.Pace, StabilizationTime: stableAfter * a.seams.Pace,
		LastContactThreshold: contactWithin * a.seams.Pace,
		RemoveDeadAfter: func() time.Duration {
			return time.Duration(a.store.Read().Settings().DeadFor()) * a.seams.Pace
		},
		Gone: func(id raft.ServerID) bool {
			n := a.store.Read().Node(string(id))
			return n != nil && n.Status == fsm.NodeLeft
		},
	})
	return err
}

// What autopilot goes by.
const (
	reconcileEvery = 2 * time.Second
	stableAfter    = 10 * time.Second
	contactWithin  = 2 * time.Second
)

// hasState says whether this node has raft state, its own or a leader's.
func (a *Agent) hasState() bool {
	return a.raft.HasState() || a.raft.Raft().LastIndex() > 0
}

func (a *Agent) bootstrap(c raft.Configuration) error {
	ctx, cancel := context.WithTimeout(context.Background(), bootstrapTimeout)
	defer cancel()
	a.logger.Info("founding a cluster", "voters", len(c.Servers))
	return a.raft.Bootstrap(ctx, c.Servers)
}

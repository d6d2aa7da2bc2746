package agent

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Bounds of the steps of a stop, and of the founding of a cluster.
const (
	bootstrapTimeout = 10 * time.Second
	killTimeout      = 15 * time.Second
	retreatTimeout   = time.Second
	flushTimeout     = 2 * time.Second
	serverTimeout    = 3 * time.Second
	raftStopTimeout  = 5 * time.Second
	leaveTimeout     = 5 * time.Second
	// failedTimeout bounds the whole stop of a node that cannot go on.
	failedTimeout = 2 * time.Second
)

// ErrStopHangs: a step of a stop waits for something that does not answer, a disk
// most likely. Only the end of the process ends that.
var ErrStopHangs = errors.New("the stop hangs")

// StopAll is Stop, and ends the processes that Seams.KeepProcesses would keep.
func (a *Agent) StopAll(ctx context.Context) error {
	a.keep.Store(false)
	return a.Stop(ctx)
}

// Stop stops the node. It may be called more than once, and on a node whose
// start failed half way.
func (a *Agent) Stop(ctx context.Context) error {
	a.stop.Do(func() { a.stopErr = a.shutdown(ctx) })
	return a.stopErr
}

// stopFailed stops a node that cannot go on because of cause, and returns soon
// whatever hangs: to the others a leader leads until its process ends, even one
// whose disk no longer takes anything.
func (a *Agent) stopFailed(ctx context.Context, cause error) error {
	a.logger.Error("stopping: this node cannot go on", "error", cause)
	return errors.Join(cause, within(failedTimeout, func() error { return a.Stop(ctx) }))
}

// within returns what stop does, or ErrStopHangs when that takes too long; stop
// then goes on until the process ends, which should be now.
func within(limit time.Duration, stop func() error) error {
	stopped := make(chan error, 1)
	go func() { stopped <- stop() }()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case err := <-stopped:
		return err
	case <-timer.C:
		return fmt.Errorf("%w for more than %s: ending at once", ErrStopHangs, limit)
	}
}

// shutdown gives up what others wait for first: the right to start work, then
// the leadership (rule 7). Each step is bounded, and none keeps the next from
// being taken.
func (a *Agent) shutdown(ctx context.Context) error {
	a.lease.Drop()
	var errs []error
	bounded := func(limit time.Duration, step func(context.Context) error) {
		ctx, cancel := context.WithTimeout(ctx, limit)
		defer cancel()
		if err := step(ctx); err != nil {
			errs = append(errs, err)
		}
	}
	if a.executor != nil && a.endWork != nil {
		a.retreat(ctx)
	}
	if a.raft != nil && a.raft.IsLeader() && a.hasPeers() {
		if err := a.raft.TransferLeadership(ctx); err != nil {
			a.logger.Warn("leadership was not handed on; the others elect a leader", "error", err)
		}
	}
	keep := a.keep.Load()
	if a.processes != nil && !keep {
		bounded(killTimeout, a.processes.Close)
	}
	if a.executor != nil && a.endWork != nil {
		flush, cancel := context.WithTimeout(ctx, flushTimeout)
		a.executor.Flush(flush)
		cancel()
		a.endWork()
		errs = append(errs, ignoreCancel(a.work.Wait()))
	}
	if a.gossip != nil && a.cfg.LeaveOnStop && !keep {
		bounded(leaveTimeout, a.gossip.Leave)
	}
	if a.http != nil {
		bounded(serverTimeout, a.http.Shutdown)
	}
	if a.endLoops != nil {
		a.endLoops()
		errs = append(errs, ignoreCancel(a.loops.Wait()))
	}
	if a.gossip != nil {
		errs = append(errs, a.gossip.Shutdown())
	}
	if a.raft != nil {
		bounded(raftStopTimeout, a.raft.Shutdown)
	}
	return errors.Join(append(errs, a.release())...)
}

// release lets go of connections to other nodes and, last, of the data dir.
func (a *Agent) release() error {
	for _, f := range a.forwarders {
		f.Close()
	}
	if a.caller != nil {
		a.caller.Close()
	}
	if a.unlock == nil {
		return nil
	}
	return a.unlock()
}

// retreat tells the leader that nothing more is to be armed here, and gives back
// what is: otherwise it would wait for as long as the processes take to end, and
// what comes due meanwhile might have started for all that anyone knows.
func (a *Agent) retreat(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, retreatTimeout)
	defer cancel()
	if err := a.beatOnce(ctx); err != nil {
		a.logger.Debug("the leader was not told of the stop", "error", err)
	}
	a.executor.Retreat(ctx)
}

func ignoreCancel(err error) error {
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// hasPeers says whether there is anyone to hand the leadership to.
func (a *Agent) hasPeers() bool {
	f := a.raft.Raft().GetConfiguration()
	return f.Error() == nil && len(f.Configuration().Servers) > 1
}

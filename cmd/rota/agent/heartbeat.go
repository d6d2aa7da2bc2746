package agent

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/scheduling"
	"github.com/rota-scheduler/rota/scheduling/executor"
	"github.com/rota-scheduler/rota/scheduling/executor/failpoint"
	"github.com/rota-scheduler/rota/transport"
)

// Paths of calls between nodes.
const (
	pathHeartbeat = "/v1/internal/heartbeat"
	pathReports   = "/v1/internal/reports"
	pathStats     = "/v1/internal/stats"
	pathState     = "/v1/internal/state"
)

// supervisorPatience is how long the process half may take to answer.
const supervisorPatience = time.Second

const (
	// heartbeatPatience is how many intervals a heartbeat may take: a later
	// answer would grant little.
	heartbeatPatience = 2
	// heartbeatRetries is how many tries there are in an interval when they fail.
	heartbeatRetries = 5
)

// heartbeat is what an agent says to the leader.
type heartbeat struct {
	Node    fsm.Node        `json:"node"`
	Applied uint64          `json:"applied"`
	Load    scheduling.Load `json:"measured"`
	// Stopping: the node has given its lease up and starts nothing more.
	Stopping bool `json:"stopping,omitempty"`
	// Offset is how far the node's wall clock is from cluster time.
	Offset time.Duration `json:"offset"`
}

// heartbeatAnswer is what the leader says to it.
type heartbeatAnswer struct {
	// Now is cluster time.
	Now fsm.Time      `json:"now"`
	OK  bool          `json:"ok"`
	Age time.Duration `json:"age"`
	// Floor is the index that must be applied before the lease counts.
	Floor uint64 `json:"floor"`
	// Ailing holds the nodes, by ID, that are not well by the leader's contact.
	Ailing map[string]scheduling.Health `json:"ailing,omitempty"`
}

// beat keeps this node's lease alive until ctx ends.
func (a *Agent) beat(ctx context.Context) error {
	refused := "" // what the leader said last, which is said once
	for ctx.Err() == nil {
		pause := a.timing.Heartbeat
		err := a.beatOnce(ctx)
		var answer *transport.APIError
		switch {
		case err == nil:
			refused = ""
		case errors.As(err, &answer) && answer.Status == http.StatusConflict:
			if answer.Message != refused {
				refused = answer.Message
				a.logger.Error("the leader gives this node no work", "reason", refused)
			}
		default:
			pause /= heartbeatRetries
			if ctx.Err() == nil && !errors.Is(err, transport.ErrNoLeader) {
				a.logger.Debug("heartbeat failed", "error", err)
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
	return nil
}

// beatOnce asks the leader for a lease, and passes what it grants on to the
// executor and to the process half (rule 3).
func (a *Agent) beatOnce(ctx context.Context) error {
	if err := a.askProcesses(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, heartbeatPatience*a.timing.Heartbeat)
	defer cancel()
	hb := heartbeat{Node: a.self, Applied: a.store.Index(), Load: a.meter.read(a.clock.Mono()), Stopping: a.lease.Dropped(), Offset: a.clock.WallOffset()}
	hb.Load.Weight = a.executor.Load()
	sent := a.clock.Mono()
	var answer heartbeatAnswer
	if err := a.callLeader(ctx, pathHeartbeat, hb, &answer, func() error {
		var err error
		answer, err = a.answerHeartbeat(hb)
		return err
	}); err != nil {
		return err
	}
	received := a.clock.Mono()
	a.clock.Sample(answer.Now, sent, received)
	a.ailing.Store(&ailing{nodes: answer.Ailing, at: received})
	a.saveClock()
	a.warnOfClock()
	base := a.lease.Renew(sent, executor.Grant{OK: answer.OK, Age: answer.Age, Floor: answer.Floor})
	if base == 0 {
		return nil
	}
	if err := a.processes.Contact(ctx, base); err != nil {
		return fmt.Errorf("passing contact on: %w", err)
	}
	return nil
}

// askProcesses returns an error unless the process half answers: one that is
// frozen ends nothing when contact is lost, so its node must not seem alive. A
// contact at no instant renews nothing.
func (a *Agent) askProcesses(ctx context.Context) error {
	limited, cancel := context.WithTimeout(ctx, supervisorPatience)
	defer cancel()
	err := a.processes.Contact(limited, 0)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if silent := err != nil; a.silent.Swap(silent) != silent {
		if silent {
			a.logger.Error("the supervisor does not answer; heartbeats wait for it", "error", err)
		} else {
			a.logger.Info("the supervisor answers again")
		}
	}
	return err
}

// callLeader posts to the leader, or calls local if that is this node.
func (a *Agent) callLeader(ctx context.Context, path string, in, out any, local func() error) error {
	if a.IsLeader() {
		return local()
	}
	leader, ok := a.Leader()
	if !ok || leader.ID == a.self.ID {
		return transport.ErrNoLeader
	}
	return a.caller.Call(ctx, leader.HTTP, http.MethodPost, path, in, out)
}

// sendReports hands the executor's reports to the leader.
func (a *Agent) sendReports(ctx context.Context, reports []fsm.Report) error {
	batch := fsm.ReportAttempts{Node: a.self.ID, Incarnation: a.self.Incarnation, Reports: reports}
	failpoint.Hit(failpoint.ReportDecided)
	err := a.callLeader(ctx, pathReports, batch, nil, func() error { return a.takeReports(ctx, batch) })
	failpoint.Hit(failpoint.ReportLogged)
	return err
}

// answerHeartbeat is the leader's side of a heartbeat.
func (a *Agent) answerHeartbeat(hb heartbeat) (heartbeatAnswer, error) {
	if !a.IsLeader() {
		return heartbeatAnswer{}, transport.ErrNoLeader
	}
	if err := errors.Join(a.nameIsFree(hb.Node), a.knowsLog(hb.Node)); err != nil {
		return heartbeatAnswer{}, err
	}
	a.registrar.see(hb.Node)
	a.loads.note(hb.Node.ID, hb.Load, a.clock.Mono())
	registered := uint64(0)
	if n := a.store.Read().Node(hb.Node.ID); n != nil && n.Incarnation == hb.Node.Incarnation {
		registered = n.ModifyIndex
	}
	a.leases.ObserveClock(hb.Node.ID, hb.Offset)
	if hb.Stopping {
		a.leases.Retire(hb.Node.ID, hb.Node.Incarnation)
		return heartbeatAnswer{Now: a.clock.Now()}, nil
	}
	g := a.leases.Heartbeat(hb.Node.ID, hb.Node.Incarnation, registered)
	return heartbeatAnswer{Now: a.clock.Now(), OK: g.OK, Age: g.Age, Floor: g.Floor, Ailing: a.judgeNodes()}, nil
}

// ErrNameTaken: a live node of another identity has the same name.
var ErrNameTaken = errors.New("node name is taken")

// nameIsFree refuses a node whose name a live node has: the two would retire
// each other for ever. A node that lost its disk gets its name back as soon as
// its old self has no lease any more; an election counts as contact with all.
func (a *Agent) nameIsFree(n fsm.Node) error {
	holder := a.store.Read().NodeByName(n.Name)
	if holder == nil || holder.ID == n.ID {
		return nil
	}
	answered, ok := a.leases.Contact(holder.ID)
	if !ok || a.clock.Mono()-answered < int64(a.timing.Lease+a.timing.Margin) {
		return fmt.Errorf("%w: %w: %s belongs to the node at %s: start this one with another --name", fsm.ErrConflict, ErrNameTaken, n.Name, holder.HTTPAddr)
	}
	return nil
}

// takeReports is the leader's side of reports.
func (a *Agent) takeReports(ctx context.Context, batch fsm.ReportAttempts) error {
	if !a.IsLeader() {
		return transport.ErrNoLeader
	}
	a.leases.Saw(batch.Node, batch.Incarnation)
	batch.At = a.clock.Now()
	failpoint.Hit(failpoint.ReportSent)
	_, _, err := a.proposer.Propose(ctx, fsm.OpReportAttempts, batch)
	return err
}

// warnOfClock says, once each time it begins and ends, that this machine's wall
// clock is not cluster time.
func (a *Agent) warnOfClock() {
	offset := a.clock.WallOffset()
	off := offset.Abs() > scheduling.ClockWarn
	if a.clockOff.Swap(off) == off {
		return
	}
	if off {
		a.logger.Warn("this machine's wall clock is not cluster time; see to its time synchronisation", "offset", offset)
	} else {
		a.logger.Info("this machine's wall clock is cluster time again", "offset", offset)
	}
}

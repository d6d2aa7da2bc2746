package sim

import (
	"errors"
	"fmt"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/scheduling/executor/proc"
)

// TestPowerFails: a machine is without power for a while, and has lost what was
// not synced. The others hear nothing of it; no instant is lost or doubled, and
// what ran there is not forgotten.
func TestPowerFails(t *testing.T) {
	for _, tc := range []struct{ lost, away time.Duration }{
		{0, time.Second}, {2 * time.Second, 15 * time.Second}, {time.Hour, time.Second},
	} {
		t.Run(fmt.Sprintf("%s lost, %s away", tc.lost, tc.away), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { powerFails(t, tc.lost, tc.away) })
		})
	}
}

func powerFails(t *testing.T, lost, away time.Duration) {
	const jobs = 6
	c := NewCluster(t, Options{Work: func(proc.StartRequest) Outcome { return Outcome{After: 1500 * time.Millisecond} }})
	for i := range jobs {
		c.Apply(everySecond(fmt.Sprintf("job-%d", i)))
	}
	c.Net.Latency(5 * time.Millisecond)
	c.Run(10 * time.Second)
	from := time.Now()
	for _, n := range []*Node{c.followers()[0], c.Leader()} {
		// What is due has begun, and nobody knows yet.
		c.Run(time.Until(time.Now().Truncate(time.Second).Add(time.Second + time.Millisecond)))
		n.LosePower(lost)
		c.Run(away)
		n.Boot()
		c.Run(400 * time.Millisecond)
		n.Start()
		c.Wait("the node is back", 20*time.Second, c.settled)
		c.Run(5 * time.Second)
	}
	to := time.Now()
	c.Run(45 * time.Second) // what was lost has been tried again
	for i := range jobs {
		c.Report(c.Check(fmt.Sprintf("job-%d", i), from, to, CheckOptions{Restarts: true}))
	}
	c.CheckHashes()
}

// TestNobodyIsToldOfAPowerFailure: to the others a machine without power is one
// that says nothing. Only when it is back do its kernel's answers say that nobody
// listens there.
func TestNobodyIsToldOfAPowerFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := NewCluster(t, Options{})
		c.Run(5 * time.Second)
		n, leader := c.followers()[0], c.Leader()
		refused := func() bool {
			dial := c.Net.dialer(leader.IP, nil)
			conn, err := dial(t.Context(), "tcp", n.IP+":7700")
			if err == nil {
				conn.Close()
			}
			return isRefused(err)
		}
		before := len(openTo(c.Net, leader.IP, n.IP))
		n.LosePower(0)
		c.Run(time.Second)
		if now := len(openTo(c.Net, leader.IP, n.IP)); before == 0 || now < before {
			t.Errorf("of %d streams the leader still believes in %d", before, now)
		}
		if refused() {
			t.Error("a machine without power refuses connections")
		}
		n.Boot()
		if !refused() {
			t.Error("a machine that is up, without an agent, does not refuse connections")
		}
		n.Start()
		c.Wait("the node is back", 20*time.Second, c.settled)
	})
}

// TestFrozenSupervisor: a supervisor that is frozen alone costs its node its
// heartbeats, so that nothing more is begun there. What contact's lapse condemns
// dies when it is thawed, although contact is back by then.
func TestFrozenSupervisor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := NewCluster(t, Options{Work: func(proc.StartRequest) Outcome { return Outcome{After: time.Hour} }})
		c.Apply(manualJob("long", func(task *fsm.Task) {
			task.StopAfter, task.Grace = fsm.Duration(5*time.Second), fsm.Duration(time.Second)
		}))
		c.startManual("long", "run-1")
		c.Wait("it runs", 5*time.Second, func() bool { return c.runOf("run-1").State == fsm.RunRunning })
		host := c.node(c.Record.Starts()[0].Node)
		host.super.Freeze()
		c.Run(20 * time.Second)
		starts := c.Record.Starts()
		if len(starts) != 2 || !starts[0].End.IsZero() || starts[1].Node == host.Name {
			t.Fatalf("while its supervisor is frozen: %v", starts)
		}
		host.super.Thaw()
		c.Run(time.Second)
		if first := c.Record.Starts()[0]; first.Outcome != proc.Killed || first.Due.IsZero() || first.Thawed.IsZero() {
			t.Errorf("after the thaw: %s, to be killed at %s, thawed at %s", first, first.Due, first.Thawed)
		}
		c.Wait("the node is back", 20*time.Second, c.settled)
	})
}

// openTo are the streams from one host to another that the first believes in.
func openTo(n *Network, from, to string) []*conn {
	mine, _, _ := n.of(from)
	return slices.DeleteFunc(mine, func(c *conn) bool { return c.link.to != to })
}

func isRefused(err error) bool { return errors.Is(err, syscall.ECONNREFUSED) }

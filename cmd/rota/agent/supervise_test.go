package agent

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/rota-scheduler/rota/cmd/rota/agent/raftnode"
	"github.com/rota-scheduler/rota/membership"
	"github.com/rota-scheduler/rota/scheduling"
	"github.com/rota-scheduler/rota/scheduling/executor/supervisor"
)

// TestExitStatus: what another try would meet again is marked, the rest is not.
func TestExitStatus(t *testing.T) {
	for name, c := range map[string]struct {
		err    error
		status int
	}{
		"in use":          {fmt.Errorf("opening: %w", ErrDataDirInUse), supervisor.StatusRefused},
		"lost identity":   {membership.ErrIdentityLost, supervisor.StatusRefused},
		"corrupt store":   {fmt.Errorf("%w: raft.db", raftnode.ErrCorrupt), supervisor.StatusRefused},
		"old supervisor":  {supervisor.ErrTooOld, supervisor.StatusRefused},
		"passing on":      {&supervisor.AgentError{Status: 7}, 7},
		"disk full":       {raftnode.ErrNoSpace, 0},
		"bad settings":    {ErrBadConfig, 0}, // the command line knows it
		"nothing":         {nil, 0},
		"something other": {errors.New("other"), 0},
	} {
		err := withStatus(c.err)
		status := 0
		var own interface{ ExitStatus() int }
		if errors.As(err, &own) {
			status = own.ExitStatus()
		}
		if status != c.status || !errors.Is(err, c.err) {
			t.Errorf("%s: %v has status %d, want %d", name, err, status, c.status)
		}
	}
}

// TestCheckHost: a supervisor that ends processes later than the cluster counts
// on, or that holds another node's, is refused.
func TestCheckHost(t *testing.T) {
	stopAfter := scheduling.DefaultTiming().StopAfter
	cfg := &Config{DataDir: "/var/lib/rota"}
	for name, c := range map[string]struct {
		host supervisor.Host
		want error
	}{
		"the same":    {supervisor.Host{DataDir: cfg.DataDir, StopAfter: stopAfter}, nil},
		"sooner":      {supervisor.Host{DataDir: cfg.DataDir, StopAfter: stopAfter - time.Second}, nil},
		"later":       {supervisor.Host{DataDir: cfg.DataDir, StopAfter: stopAfter + 1}, ErrOtherSupervisor},
		"another dir": {supervisor.Host{DataDir: "/elsewhere", StopAfter: stopAfter}, ErrOtherSupervisor},
	} {
		if err := checkHost(c.host, cfg); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
}

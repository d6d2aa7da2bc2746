package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/rota-scheduler/rota/cmd/rota/agent/raftnode"
	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/membership"
	"github.com/rota-scheduler/rota/scheduling"
	"github.com/rota-scheduler/rota/scheduling/executor/proc"
	"github.com/rota-scheduler/rota/scheduling/executor/supervisor"
)

// ErrOtherSupervisor: the supervisor was started for other settings than these.
var ErrOtherSupervisor = errors.New("the supervisor was started with other settings: restart it")

// orderPatience is how long an agent that was told to end by a signal waits for
// its supervisor's word: often both have got the signal.
const orderPatience = 250 * time.Millisecond

// supervise is the process that a person starts: the parent of the jobs, which
// keeps an agent proper alive beside them.
func supervise(cmd *cobra.Command, cfg Config) error {
	ctx := cmd.Context()
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	defer signal.Stop(signals)
	if cfg.Dev {
		dir, err := os.MkdirTemp("", "rota-dev-")
		if err != nil {
			return fmt.Errorf("making a temporary data dir: %w", err)
		}
		defer os.RemoveAll(dir)
		cfg.DataDir = dir
		var stop context.CancelFunc // a terminal that closes ends it
		ctx, stop = signal.NotifyContext(ctx, syscall.SIGHUP)
		defer stop()
	} else {
		signal.Notify(signals, syscall.SIGHUP)
	}
	if err := cfg.complete(); err != nil {
		return err
	}
	logger, err := cfg.logger(cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	if err := os.MkdirAll(cfg.DataDir, 0o700); err != nil {
		return fmt.Errorf("making the data dir: %w", err)
	}
	err = supervisor.Run(ctx, supervisor.Config{
		DataDir: cfg.DataDir, StopAfter: scheduling.DefaultTiming().StopAfter,
		Args: os.Args[1:], Env: os.Environ(), Stdout: os.Stdout, Stderr: os.Stderr,
		StopLimit: supervisor.DefaultStopLimit + cfg.Drain,
		Signals:   signals, HasInit: true, Logger: logger.With("component", "supervisor"),
	})
	if errors.Is(err, proc.ErrLocked) {
		err = dataDirInUse(cfg.DataDir)
	}
	return withStatus(err)
}

// runSupervised is the agent proper, the supervisor's child.
func runSupervised(cmd *cobra.Command, cfg Config, version string) error {
	defer tendGarbage()()
	signal.Ignore(syscall.SIGHUP) // it is for the supervisor
	// A Go program that panics exits with 2, which is also what bad settings do.
	// With this it ends by a signal, and is started again.
	debug.SetTraceback("crash")
	logger, err := cfg.logger(cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	client, err := supervisor.Connect(cmd.Context(), supervisor.Options{Logger: logger, OnLost: func(err error) {
		logger.Error("ending at once", "error", err)
		os.Exit(1)
	}})
	if err != nil {
		return withStatus(err)
	}
	defer client.Disconnect()
	if cfg.Dev {
		cfg.DataDir, cfg.BootstrapExpect = client.Host().DataDir, 1
	}
	if err := errors.Join(cfg.complete(), checkHost(client.Host(), &cfg)); err != nil {
		return withStatus(err)
	}
	return withStatus(serve(cmd.Context(), cfg, client, Seams{
		Version: version, Logger: logger.With("node", cfg.Name), KeepProcesses: true,
		Limits: client.Host().Limits, Isolation: client.Host().Isolation,
		Processes: func(onEnd func(proc.Result)) (Processes, error) {
			client.Deliver(onEnd)
			return client, nil
		},
	}))
}

// serve runs a node until its supervisor, a signal or a fault ends it. Only a
// stop by the supervisor ends the processes: they outlive every other end.
func serve(ctx context.Context, cfg Config, client *supervisor.Client, seams Seams) error {
	a, err := Start(ctx, cfg, seams)
	if err != nil {
		return err
	}
	final := context.WithoutCancel(ctx)
	if err := client.Ready(ctx); err != nil && ctx.Err() == nil {
		return errors.Join(err, a.Stop(final))
	}
	order := supervisor.Handover
	select {
	case cause := <-a.Fatal():
		return a.stopFailed(final, cause)
	case order = <-client.Orders():
	case <-ctx.Done():
		select {
		case order = <-client.Orders():
		case <-time.After(orderPatience):
		}
	}
	if order == supervisor.Stop {
		a.logger.Info("stopping")
		if fault := a.Drain(final, cfg.Drain); fault != nil {
			return a.stopFailed(final, fault)
		}
		return a.StopAll(final)
	}
	a.logger.Info("stopping; the processes stay for the next agent")
	return a.Stop(final)
}

// checkHost refuses a supervisor that this agent's promises do not hold under.
func checkHost(h supervisor.Host, cfg *Config) error {
	if h.DataDir != cfg.DataDir {
		return fmt.Errorf("%w: its data dir is %s, this agent's %s", ErrOtherSupervisor, h.DataDir, cfg.DataDir)
	}
	if want := scheduling.DefaultTiming().StopAfter; h.StopAfter > want {
		return fmt.Errorf("%w: it ends processes %s after the last contact, the cluster counts on %s", ErrOtherSupervisor, h.StopAfter, want)
	}
	return nil
}

// statusError is an error with the exit status that it asks for.
type statusError struct {
	error
	status int
}

// ExitStatus is what the process should end with.
func (e *statusError) ExitStatus() int { return e.status }
func (e *statusError) Unwrap() error   { return e.error }

// withStatus marks errors that another try would meet again, so that nobody
// tries in a loop.
func withStatus(err error) error {
	for _, lasting := range []error{
		ErrDataDirInUse, ErrOtherSupervisor, supervisor.ErrTooOld, proc.ErrLocked, proc.ErrUnsupported,
		membership.ErrIdentityLost, membership.ErrIdentityCorrupt,
		raftnode.ErrCorrupt, raftnode.ErrLocked, fsm.ErrUnknownOpcode,
	} {
		if errors.Is(err, lasting) {
			return &statusError{err, supervisor.StatusRefused}
		}
	}
	return err
}

func (c *Config) logger(w io.Writer) (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.LogLevel)); err != nil {
		return nil, fmt.Errorf("%w: --log-level %q: want debug, info, warn or error", ErrBadConfig, c.LogLevel)
	}
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: level})), nil
}

package supervisor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/rota-scheduler/rota/scheduling/executor/proc"
)

// Times of an agent's life.
const (
	// DefaultStopLimit is more than an agent's own steps of a stop take together.
	DefaultStopLimit = 40 * time.Second
	handoverLimit    = 20 * time.Second
	closeLimit       = 15 * time.Second
	firstPause       = 100 * time.Millisecond
	longestPause     = 5 * time.Second
	longLife         = 30 * time.Second
	lingerPause      = 100 * time.Millisecond
)

// ballastBytes are allocated and never touched, so they take address space and no
// memory. To the garbage collector they are live, and it lets as much garbage
// gather. Without them it would run every hundred attempts over a heap of a
// megabyte or two, which took a quarter of a busy supervisor's time.
const ballastBytes = 8 << 20

// Config says what to supervise. Zero fields mean the default, if there is one.
type Config struct {
	// DataDir is the node's. The journal of the attempts lies in its folder exec.
	DataDir string
	// StopAfter is how long attempts outlive the last contact.
	StopAfter time.Duration
	// Program is started as the agent; default: this program, from where it lies.
	Program string
	// Args and Env are the agent's; the way to the supervisor is added to Env.
	Args []string
	Env  []string
	// Stdout and Stderr are the agent's.
	Stdout, Stderr *os.File
	// Signals: SIGTERM or SIGINT stops, a second one stops at once, SIGHUP hands
	// over to the program on disk.
	Signals <-chan os.Signal
	// HasInit: this executable can be the init of an isolated attempt; see
	// proc.Options.
	HasInit bool
	// StopLimit bounds the agent's part of a stop.
	StopLimit time.Duration
	Logger    *slog.Logger // required
}

// supervisor is the state of Run.
type supervisor struct {
	Config
	manager *proc.Manager
	thread  *thread

	mu      sync.Mutex
	session *session // nil between two agents

	// stopping is set by a signal, the end of the context, or the agent's request
	// to end every attempt, which is the first half of a stop.
	stopping atomic.Bool
	// everReady: an agent has worked under this supervisor.
	everReady atomic.Bool
	done      <-chan struct{} // of Run's context; nil once it has been seen
	terms     int             // signals to stop
}

// Run supervises until it is told to stop, by a signal or the end of ctx, or the
// agent refuses to run (*AgentError). Every attempt has ended when it returns,
// those excepted that SIGKILL does not end, which the error names. Call it once
// in a process: it belongs to that process's children (see package proc).
func Run(ctx context.Context, c Config) error {
	if c.StopLimit == 0 {
		c.StopLimit = DefaultStopLimit
	}
	if c.StopAfter == 0 {
		c.StopAfter = proc.DefaultStopAfter
	}
	if c.Program == "" {
		var err error
		if c.Program, err = program(); err != nil {
			return err
		}
	}
	ballast := make([]byte, ballastBytes)
	defer runtime.KeepAlive(ballast)
	s := &supervisor{Config: c, done: ctx.Done()}
	var err error
	s.manager, err = proc.New(ctx, proc.Options{
		Dir: filepath.Join(c.DataDir, "exec"), StopAfter: c.StopAfter, OnEnd: s.ended, HasInit: c.HasInit, Logger: c.Logger,
	})
	if err != nil {
		return fmt.Errorf("taking over the processes: %w", err)
	}
	debug.FreeOSMemory() // what reading the journal took
	if err := s.manager.Isolation(); err != nil {
		c.Logger.Warn("tasks that ask for isolation cannot run on this node", "reason", err)
	}
	s.thread = newThread()
	err = s.keep()
	s.thread.stop()
	return errors.Join(err, s.close())
}

// ended passes a result on to the agent that is there.
func (s *supervisor) ended(r proc.Result) {
	s.mu.Lock()
	current := s.session
	s.mu.Unlock()
	if current != nil {
		current.ended(r)
	}
}

// close ends what is left. A second signal to stop cuts it short.
func (s *supervisor) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), closeLimit)
	defer cancel()
	if s.terms > 1 {
		cancel()
	}
	go func() {
		for ctx.Err() == nil {
			select {
			case <-ctx.Done():
			case sig := <-s.Signals:
				if sig != syscall.SIGHUP {
					cancel()
				}
			}
		}
	}()
	return s.manager.Close(ctx)
}

// keep starts one agent after another.
func (s *supervisor) keep() error {
	var pause time.Duration
	for {
		began := time.Now()
		end, err := s.live()
		switch {
		case s.stopping.Load():
			if end.status > 0 {
				return fmt.Errorf("the agent did not stop cleanly: %s; what it said is above", end.how)
			}
			return nil
		case err != nil:
			s.Logger.Error("no agent; trying again", "program", s.Program, "error", err)
		case end.refused && s.linger():
			pause = 0
			continue
		case end.refused:
			return &AgentError{Status: end.status}
		case end.handedOver:
			pause = 0
			continue
		default:
			s.Logger.Error("the agent has ended; starting it again", "how", end.how, "after", time.Since(began).Round(time.Millisecond))
		}
		if time.Since(began) >= longLife {
			pause = 0
		}
		if !s.rest(pause) {
			return nil
		}
		pause = min(max(2*pause, firstPause), longestPause)
	}
}

// linger leaves running jobs what time they have when an agent that took over
// from another refuses to run: somebody may see to its settings and ask for
// another try with SIGHUP, which linger returns. Without one contact lapses.
func (s *supervisor) linger() (again bool) {
	if !s.busy() {
		return false
	}
	s.Logger.Error("the agent refuses to run; jobs go on until contact lapses; SIGHUP tries again")
	tick := time.NewTicker(lingerPause)
	defer tick.Stop()
	for s.busy() {
		select {
		case <-tick.C:
		case <-s.done:
			return false
		case sig := <-s.Signals:
			if sig == syscall.SIGHUP {
				return true
			}
			s.terms++
			return false
		}
	}
	return false
}

func (s *supervisor) busy() bool {
	list, err := s.manager.List(context.Background())
	return err == nil && slices.ContainsFunc(list, func(st proc.Status) bool {
		return st.State == proc.Starting || st.State == proc.Running
	})
}

// rest waits before the next start, and says whether there is to be one.
func (s *supervisor) rest(pause time.Duration) bool {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
			return true
		case <-s.done:
			return false
		case sig := <-s.Signals:
			if sig == syscall.SIGHUP {
				return true
			}
			s.terms++
			return false
		}
	}
}

// ending is how an agent has ended.
type ending struct {
	status     int
	how        string
	refused    bool // it must not be started again
	handedOver bool // it was asked to make room for the next
}

// live runs one agent to its end.
func (s *supervisor) live() (ending, error) {
	conn, socket, err := newSockets()
	if err != nil {
		return ending{}, err
	}
	ch, err := spawn(s.thread, s.Config, socket)
	socket.Close()
	if err != nil {
		conn.Close()
		return ending{}, err
	}
	ses := &session{
		conn: conn, jobs: s.manager, log: s.Logger.With("agent_pid", ch.pid()),
		host:     s.host(),
		onEnding: func() { s.stopping.Store(true) },
		onReady: func() {
			s.everReady.Store(true)
			s.Logger.Info("the agent is ready", "agent_pid", ch.pid())
		},
	}
	ses.begin()
	s.setSession(ses)
	handedOver := s.attend(ch, ses)
	s.setSession(nil)
	ses.end()
	state := ch.reap()
	end := ending{status: state.ExitCode(), how: state.String(), handedOver: handedOver && state.Success()}
	end.refused = end.status == StatusUsage || end.status == StatusRefused || end.status > 0 && !s.everReady.Load()
	return end, nil
}

// host is what the agent is told of this supervisor.
func (s *supervisor) host() Host {
	h := Host{Version: Version, PID: os.Getpid(), DataDir: s.DataDir, StopAfter: s.StopAfter, Limits: s.manager.Capabilities().String()}
	if s.manager.Isolation() == nil {
		h.Isolation = proc.IsolationPidns
	}
	return h
}

func (s *supervisor) setSession(ses *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.session = ses
}

// attend passes orders on until the agent has ended, and says whether it was
// asked to hand over.
func (s *supervisor) attend(ch *child, ses *session) (handover bool) {
	limit := time.NewTimer(time.Hour)
	limit.Stop()
	defer limit.Stop()
	stopped := false
	stop := func() {
		if !stopped {
			s.Logger.Info("stopping")
			stopped = true
			s.stopping.Store(true)
			ses.order(noticeStop)
			limit.Reset(s.StopLimit)
		}
	}
	for {
		select {
		case <-ch.ended:
			return handover
		case <-s.done:
			s.done = nil
			stop()
		case sig := <-s.Signals:
			switch {
			case sig != syscall.SIGHUP:
				if s.terms++; s.terms > 1 {
					s.Logger.Warn("stopping at once")
					ch.kill()
				}
				stop()
			case !handover && !stopped:
				s.Logger.Info("handing over to the program on disk", "program", s.Program)
				handover = true
				ses.order(noticeHandover)
				limit.Reset(handoverLimit)
			}
		case <-limit.C:
			s.Logger.Error("the agent takes too long to end; killing it")
			ch.kill()
		}
	}
}

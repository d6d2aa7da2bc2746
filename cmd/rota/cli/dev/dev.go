package dev

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/rota-scheduler/rota/cmd/rota/cli/jobfile"
	"github.com/rota-scheduler/rota/transport/api"
)

// frameEvery is the time between frames.
const frameEvery = 250 * time.Millisecond

// errTime ends the command when --for is over.
var errTime = errors.New("the time is over")

// run is the command from the first process to the last. It returns when the
// agents have been stopped and the folder is gone.
func run(ctx context.Context, o options) (err error) {
	ctx, cancel := signal.NotifyContext(ctx, syscall.SIGHUP)
	defer cancel()
	// A pipe whose reader is gone must be an error, and not the end on the spot.
	pipe := make(chan os.Signal, 1)
	signal.Notify(pipe, syscall.SIGPIPE)
	defer signal.Stop(pipe)

	dir, err := os.MkdirTemp("", "rota-dev-")
	if err != nil {
		return fmt.Errorf("making a folder for the nodes: %w", err)
	}
	defer func() {
		if o.keep {
			fmt.Fprintf(o.stderr, "The nodes' data and logs are in %s.\n", dir)
			return
		}
		err = errors.Join(err, removeDir(dir))
	}()
	c, err := newCluster(dir, o.nodes)
	if err != nil {
		return err
	}
	c.command = func(m *member) *exec.Cmd { return c.agentCommand(o.program, m) }
	defer func() { err = errors.Join(err, c.close()) }()
	return newSession(o, c).run(ctx)
}

// session joins a cluster to a display.
type session struct {
	o       options
	cluster *cluster
	clients []*api.Client
	formed  chan struct{}
	updates chan update
	model   *model
	show    display
}

func newSession(o options, c *cluster) *session {
	s := &session{
		o: o, cluster: c, formed: make(chan struct{}), updates: make(chan update, 64), model: newModel(time.Now()),
	}
	c.formed = s.formed
	return s
}

// run returns when ctx or --for ends, or something fails. An end that was asked
// for is no error.
func (s *session) run(ctx context.Context) error {
	if err := s.connect(); err != nil {
		return err
	}
	defer s.disconnect()
	var err error
	if s.show, err = newDisplay(s.o.stdout); err != nil {
		return err
	}
	defer s.show.close() //nolint:errcheck // for a panic: it is closed below, before the agents are stopped
	stopped, stop := context.WithCancelCause(ctx)
	group, work := errgroup.WithContext(stopped)
	s.cluster.notice = func(text string) { s.send(work, update{notice: text}) }
	group.Go(func() error { return s.cluster.run(work) })
	group.Go(func() error { return s.work(work, stop) })
	shown := s.loop(work)
	stop(errTime)
	closed := s.show.close()
	ended := group.Wait()
	err = firstCause(ended, shown, closed)
	s.farewell(err)
	return err
}

// firstCause returns the first error that is not merely the end that was asked
// for, or the reader of the pipe having seen enough.
func firstCause(errs ...error) error {
	for _, err := range errs {
		if err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, errTime) && !errors.Is(err, syscall.EPIPE) {
			return err
		}
	}
	return nil
}

func (s *session) connect() error {
	for _, m := range s.cluster.members {
		client, err := api.NewClient(m.addr())
		if err != nil {
			return err
		}
		s.clients = append(s.clients, client)
	}
	return nil
}

func (s *session) disconnect() {
	for _, c := range s.clients {
		c.Close()
	}
}

func (s *session) send(ctx context.Context, u update) {
	select {
	case s.updates <- u:
	case <-ctx.Done():
	}
}

// work forms the cluster, applies the jobs and watches, until ctx ends.
func (s *session) work(ctx context.Context, stop context.CancelCauseFunc) error {
	for _, m := range s.cluster.members {
		s.send(ctx, update{notice: fmt.Sprintf("%s serves %s", m.name, m.addr())})
	}
	if err := waitLeader(ctx, s.clients); err != nil {
		if errors.Is(err, errNoLeader) {
			return s.cluster.failure(s.cluster.members[0], err.Error())
		}
		return err
	}
	close(s.formed)
	group, ctx := errgroup.WithContext(ctx)
	w := &watcher{clients: s.clients, updates: s.updates}
	group.Go(func() error { return w.watchNodes(ctx) })
	group.Go(func() error { return w.watchRuns(ctx) })
	group.Go(func() error { return s.apply(ctx, stop) })
	return group.Wait()
}

// apply applies the jobs, and then lets the time of --for run.
func (s *session) apply(ctx context.Context, stop context.CancelCauseFunc) error {
	s.send(ctx, update{notice: "export ROTA_ADDR=" + s.cluster.members[0].addr() + " makes other commands talk to this cluster."})
	if len(s.o.jobs.Jobs)+len(s.o.jobs.Pools) > 0 {
		results, err := applyJobs(ctx, s.clients, s.o.jobs)
		if err != nil {
			return err
		}
		s.send(ctx, update{notice: jobfile.Count(len(results), "job") + " applied."})
	} else {
		s.send(ctx, update{notice: "There are no jobs yet: give files to rota dev, or use rota apply."})
	}
	if s.o.until > 0 && sleep(ctx, s.o.until) {
		stop(errTime)
	}
	return nil
}

// loop owns the model and the display.
func (s *session) loop(ctx context.Context) error {
	ticker := time.NewTicker(frameEvery)
	defer ticker.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			return nil
		case u := <-s.updates:
			err = s.take(u, time.Now())
		case now := <-ticker.C:
			s.lookAtMembers()
			err = s.show.frame(s.model, now)
		}
		if err != nil {
			return err
		}
	}
}

// lookAtMembers notes which processes are alive.
func (s *session) lookAtMembers() {
	s.model.members = s.model.members[:0]
	for _, m := range s.cluster.members {
		s.model.members = append(s.model.members, memberInfo{name: m.name, pid: m.currentPID(), addr: m.addr()})
	}
}

// take puts one update into the model and shows what is news.
func (s *session) take(u update, now time.Time) error {
	switch {
	case u.run != nil:
		if row, changed := s.model.putRun(u.run.run, u.run.node); changed {
			return s.show.run(now, &row)
		}
	case u.fire != nil:
		if s.model.putFire(*u.fire) {
			return s.show.fire(now, u.fire)
		}
	case u.nodes != nil:
		return s.takeNodes(u.nodes, now)
	case u.notice != "":
		return s.say(now, u.notice)
	}
	return nil
}

// takeNodes notes the nodes, and says so when another one leads.
func (s *session) takeNodes(nodes []api.Node, now time.Time) error {
	before := s.model.leader()
	s.model.nodes = nodes
	leader := s.model.leader()
	if leader == before || leader == "" {
		return nil
	}
	s.lookAtMembers()
	// The live view shows how to kill whichever node leads at that moment; here
	// it would go stale.
	s.model.addNotice(now, leader+" leads.")
	return s.show.notice(notice{now, fmt.Sprintf("%s leads. To kill it: %s", leader, s.model.killLine())})
}

func (s *session) say(now time.Time, text string) error {
	s.model.addNotice(now, text)
	return s.show.notice(notice{now, text})
}

// farewell sums up, on stderr: stdout is for the runs.
func (s *session) farewell(err error) {
	var agent *agentError
	if errors.As(err, &agent) {
		fmt.Fprintf(s.o.stderr, "The end of the log of %s:\n%s\n\n", agent.name, agent.log)
	}
	fmt.Fprintf(s.o.stderr, "Stopped: %s.\n", strings.Join(s.model.totals(), ", "))
}

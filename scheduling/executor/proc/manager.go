package proc

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rota-scheduler/rota/scheduling/executor/proc/cgroup"
	"golang.org/x/sys/unix"
)

const (
	// tickEvery is how often dead orphans are collected and, after a suspend,
	// the latest moment at which a lapse is noticed.
	tickEvery = time.Second
	// lastResort is what Close adds to its caller's time after the SIGKILL.
	lastResort = 2 * time.Second
)

// Options configure a Manager.
type Options struct {
	// Dir holds the journal; no other Manager may use it at the same time.
	Dir string
	// StopAfter is how long attempts outlive the last contact; 0 means
	// DefaultStopAfter.
	StopAfter time.Duration
	// OnEnd is told every result once, from a goroutine that other ends wait for.
	// It may call every method but End and Close. Results that New found in the
	// journal are only listed. Nil: nobody is told.
	OnEnd func(Result)
	// HasInit: this executable calls pidns.Main where pidns.Wanted says so. Without
	// it no attempt can be isolated.
	HasInit bool
	// Logger is told what does not belong to one caller. Nil: nobody.
	Logger *slog.Logger
}

// Manager runs attempts as children of the calling process. It implements
// Processes; all methods may be called concurrently.
type Manager struct {
	stopAfter time.Duration
	onEnd     func(Result)
	log       *slog.Logger
	boot      string
	instance  string // random, so that marks are unique on the host

	journal *journal
	forkers *forkers
	orphans *orphans
	watch   *watch // of pipes
	ends    *ends
	groups  *cgroup.Tree
	null    *os.File

	reaching  chan struct{}          // programs that are being looked at
	touch     func(path, dir string) // looks at one; a test may replace it
	isolation error                  // why attempts cannot be isolated; nil: they can

	chatty  atomic.Int32   // output streams past their limit
	running sync.WaitGroup // attempts between admit and their end
	rearm   chan struct{}  // contact has become something to watch
	quit    chan struct{}
	ticker  sync.WaitGroup

	mu       sync.Mutex
	attempts map[string]*attempt
	contact  int64 // newest, Mono ns; 0: none yet
	lapse    int64 // none is earlier, Mono ns; 0: not known
	ending   bool  // no new work
	closed   bool
}

var _ Processes = (*Manager)(nil)

// New opens the journal in o.Dir, kills what a predecessor left behind (for at
// most as long as ctx allows), and is then ready for work. What the predecessor
// had started and not seen the end of is listed as Killed with
// ReasonRestarted. Errors: ErrLocked, ErrUnsupported, I/O.
func New(ctx context.Context, o Options) (*Manager, error) {
	if o.StopAfter < 0 {
		return nil, fmt.Errorf("%w: negative StopAfter %s", ErrInvalid, o.StopAfter)
	}
	m := &Manager{
		stopAfter: o.StopAfter, onEnd: o.OnEnd, log: o.Logger,
		rearm: make(chan struct{}, 1), quit: make(chan struct{}),
		reaching: make(chan struct{}, maxReaching), touch: touchProgram,
		attempts: make(map[string]*attempt), instance: rand.Text(),
	}
	if m.stopAfter == 0 {
		m.stopAfter = DefaultStopAfter
	}
	if m.log == nil {
		m.log = slog.New(slog.DiscardHandler)
	}
	if err := m.open(ctx, o.Dir); err != nil {
		m.release()
		return nil, err
	}
	m.forkers = newForkers(min(4, runtime.GOMAXPROCS(0)))
	m.isolation = errNoInit
	if o.HasInit {
		m.isolation = m.tryIsolation(ctx)
	}
	m.ticker.Add(1)
	go m.tick()
	return m, nil
}

// open acquires what New needs of the system; release undoes any part of it.
func (m *Manager) open(ctx context.Context, dir string) (err error) {
	if err := supported(); err != nil {
		return err
	}
	if m.boot, err = BootID(); err != nil {
		return err
	}
	if m.null, err = os.Open(os.DevNull); err != nil {
		return err
	}
	if m.orphans, err = newOrphans(); err != nil {
		return err
	}
	if m.watch, err = newWatch(nil); err != nil {
		return err
	}
	if m.ends, err = newEnds(m); err != nil {
		return err
	}
	var records []record
	var skipped int
	if m.journal, records, skipped, err = openJournal(ctx, dir); err != nil {
		return err
	}
	if m.groups, err = cgroup.Open(ctx, dir, m.log); err != nil {
		return err
	}
	if skipped > 0 {
		m.log.Warn("journal has unreadable records", "path", m.journal.path, "records", skipped)
	}
	return m.recover(ctx, records)
}

func (m *Manager) release() {
	if m.groups != nil {
		if err := m.groups.Close(); err != nil {
			m.log.Warn("closing the control groups", "error", err)
		}
	}
	if m.journal != nil {
		if err := m.journal.close(); err != nil {
			m.log.Warn("closing the journal", "error", err)
		}
	}
	if m.ends != nil {
		m.ends.watch.close()
	}
	if m.watch != nil {
		m.watch.close()
	}
	if m.orphans != nil {
		m.orphans.close()
	}
	if m.null != nil {
		m.null.Close()
	}
}

// supported checks once what everything else takes for granted.
func supported() error {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		return fmt.Errorf("%w: CLOCK_BOOTTIME: %w", ErrUnsupported, err)
	}
	fd, err := unix.PidfdOpen(os.Getpid(), 0)
	if err != nil {
		return fmt.Errorf("%w: needs pidfd (Linux 5.4): %w", ErrUnsupported, err)
	}
	return unix.Close(fd)
}

// Kill implements Processes.
func (m *Manager) Kill(_ context.Context, id, reason string) error {
	if reason == "" {
		return fmt.Errorf("%w: kill of %s without a reason", ErrInvalid, id)
	}
	m.mu.Lock()
	a := m.attempts[id]
	m.mu.Unlock()
	if a == nil {
		return fmt.Errorf("kill %s: %w", id, ErrUnknown)
	}
	a.kill(reason)
	return nil
}

// Decline implements Processes.
func (m *Manager) Decline(_ context.Context, id string, note []byte) error {
	if err := checkID(id); err != nil {
		return err
	}
	a := &attempt{id: id, state: Declined, note: slices.Clone(note)}
	if err := m.insert(a); err != nil {
		return fmt.Errorf("decline %s: %w", id, err)
	}
	if err := m.journal.append(record{Op: opDecline, ID: id, Note: note}); err != nil {
		m.remove(a)
		return fmt.Errorf("decline %s: %w", id, err)
	}
	return nil
}

func (m *Manager) insert(a *attempt) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.insertLocked(a)
}

func (m *Manager) insertLocked(a *attempt) error {
	if m.ending {
		return ErrClosed
	}
	if m.attempts[a.id] != nil {
		return ErrRepeated
	}
	m.attempts[a.id] = a
	if a.fenced {
		m.lapse = min(m.lapse, m.contact+int64(a.stopAfter))
	}
	return nil
}

func (m *Manager) remove(a *attempt) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.attempts, a.id)
}

// List implements Processes.
func (m *Manager) List(context.Context) ([]Status, error) {
	all := m.all()
	out := make([]Status, len(all))
	for i, a := range all {
		out[i] = a.status()
	}
	slices.SortFunc(out, func(a, b Status) int { return strings.Compare(a.ID, b.ID) })
	return out, nil
}

func (m *Manager) all() []*attempt {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := make([]*attempt, 0, len(m.attempts))
	for _, a := range m.attempts {
		out = append(out, a)
	}
	return out
}

// Forget implements Processes.
func (m *Manager) Forget(_ context.Context, ids ...string) error {
	var drop []*attempt
	var recs []record
	var err error
	m.mu.Lock()
	for _, id := range ids {
		a := m.attempts[id]
		switch {
		case a == nil:
		case a.live():
			err = errors.Join(err, fmt.Errorf("forget %s: %w", id, ErrAlive))
		default:
			drop = append(drop, a)
			recs = append(recs, record{Op: opForget, ID: id})
		}
	}
	m.mu.Unlock()
	if len(recs) == 0 {
		return err
	}
	if jerr := m.journal.append(recs...); jerr != nil {
		return errors.Join(err, fmt.Errorf("forget: %w", jerr))
	}
	for _, a := range drop {
		m.remove(a)
	}
	return err
}

// End refuses new work from now on, ends every attempt (SIGTERM, grace, SIGKILL)
// and waits; OnEnd has been told every result by then. When ctx ends first,
// everything left gets SIGKILL and two more seconds; what is there even then is
// named in the error. Lists and Forget work as before. It may be called again.
func (m *Manager) End(ctx context.Context) error {
	m.mu.Lock()
	m.ending = true
	m.mu.Unlock()
	for _, a := range m.all() {
		a.kill(ReasonClosed)
	}
	return m.await(ctx)
}

// Close is End, and lets go of the directory. Results stay in the journal for
// the next Manager.
func (m *Manager) Close(ctx context.Context) error {
	m.mu.Lock()
	if m.closed {
		m.mu.Unlock()
		return ErrClosed
	}
	m.closed = true
	m.mu.Unlock()
	err := m.End(ctx)
	close(m.quit)
	m.ticker.Wait()
	m.orphans.killAll(lastResort)
	if err != nil {
		// Attempts that cannot be killed still use the rest: it goes with the
		// process.
		return err
	}
	m.forkers.stop()
	m.release()
	return nil
}

func (m *Manager) await(ctx context.Context) error {
	gone := make(chan struct{})
	go func() {
		m.running.Wait()
		close(gone)
	}()
	select {
	case <-gone:
		return nil
	case <-ctx.Done():
	}
	for _, a := range m.all() {
		a.hurry()
	}
	t := time.NewTimer(lastResort)
	defer t.Stop()
	select {
	case <-gone:
		return nil
	case <-t.C:
	}
	var names []string
	for _, a := range m.all() {
		if a.live() {
			names = append(names, a.describe())
		}
	}
	return fmt.Errorf("still alive after SIGKILL: %s", strings.Join(names, ", "))
}

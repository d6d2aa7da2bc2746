package notifier

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"github.com/rota-scheduler/rota/fsm"
)

// Bounds of what is under way at a time, see the package documentation.
const (
	inFlight    = 64
	perHost     = 8
	perReceiver = 4
	commands    = 4
)

// How long, and how often, a notification is tried.
const (
	firstPause  = time.Second
	maxPause    = 10 * time.Minute
	giveUpAfter = 24 * time.Hour
	// execMargin is how long the end of a command is waited for after its timeout.
	execMargin = 10 * time.Second
	// recordPause is how long an outcome that could not be recorded waits.
	recordPause = 50 * time.Millisecond
)

// Command is what an exec notification runs.
type Command struct {
	// ID names the try: a repeat of it is refused by the node that ran it.
	ID      string
	Argv    []string
	Env     []string
	User    string
	Timeout time.Duration
}

// Config is what a Notifier needs. All fields but Dial are required.
type Config struct {
	Store *fsm.Store
	// Propose puts a command into the log and returns what applying it answered.
	Propose func(ctx context.Context, op fsm.Opcode, command any) (value any, index uint64, err error)
	// Now is cluster time, Wall the machine's clock.
	Now  func() fsm.Time
	Wall func() time.Time
	// Exec runs a command on this node and waits for its end. It returns an error
	// unless it has exited with 0. It ends the command after its timeout, also if
	// this process is gone by then.
	Exec   func(ctx context.Context, c Command) error
	Dial   DialFunc
	Logger *slog.Logger
}

// Notifier delivers notifications while its node leads.
type Notifier struct {
	cfg     Config
	client  *http.Client
	secrets *secrets
}

// New returns a Notifier that does nothing before Run.
func New(cfg Config) *Notifier {
	return &Notifier{cfg: cfg, client: newClient(cfg.Dial), secrets: newSecrets()}
}

// outcome is what a try came to.
type outcome struct {
	n   *fsm.Notification
	err error
}

// courier is the state of one Run. Only its goroutine touches it; the tries send
// their outcomes.
type courier struct {
	*Notifier
	busy      map[uint64]bool
	hosts     map[string]int
	receivers map[string]*receiver
	running   int // commands
	outcomes  chan outcome
	tries     sync.WaitGroup
}

// Run delivers until ctx ends. Tries under way are then cut off: the next leader
// makes them again.
func (n *Notifier) Run(ctx context.Context) error {
	c := &courier{
		Notifier: n, busy: map[uint64]bool{}, hosts: map[string]int{}, receivers: map[string]*receiver{},
		outcomes: make(chan outcome, inFlight), // each try has a place
	}
	defer n.client.CloseIdleConnections()
	defer c.tries.Wait()
	for ctx.Err() == nil {
		v := n.cfg.Store.Watch()
		wake := c.begin(ctx, v)
		if ended := c.wait(ctx, v, wake); len(ended) > 0 {
			c.record(ctx, ended)
		}
	}
	return nil
}

// begin starts the tries that are due and have room, and returns when the next is
// due; unset if none is.
func (c *courier) begin(ctx context.Context, v *fsm.View) (wake fsm.Time) {
	if v.Settings().CheckFormat(fsm.OpRecordDeliveries) != nil {
		return 0 // nothing could be recorded yet; the settings are watched
	}
	now, addresses := c.cfg.Now(), newAddresses(v)
	for n := range v.DueNotifications() {
		if n.NextAt > now {
			return earliest(wake, n.NextAt)
		}
		if len(c.busy) == inFlight {
			return 0
		}
		if c.busy[n.Seq] {
			continue
		}
		n = addresses.of(n)
		if until := c.restsUntil(n, now); until != 0 {
			wake = earliest(wake, until)
			continue
		}
		if !c.hasRoom(n) {
			continue
		}
		c.take(n, 1)
		c.busy[n.Seq] = true
		c.tries.Go(func() { c.outcomes <- outcome{n, c.try(ctx, n)} })
	}
	return wake
}

func (c *courier) try(ctx context.Context, n *fsm.Notification) error {
	limit := time.Duration(n.Target.Limit())
	if n.Kind == fsm.NotifyExec {
		limit += execMargin
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if n.Kind != fsm.NotifyExec {
		return c.post(ctx, n)
	}
	command, err := commandOf(n)
	if err != nil {
		return err
	}
	return c.cfg.Exec(ctx, command)
}

// wait returns when the queue has changed, a try is due, or ctx has ended, and
// the tries that have ended by then.
func (c *courier) wait(ctx context.Context, v *fsm.View, wake fsm.Time) []outcome {
	if wake != 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, max(wake.Sub(c.cfg.Now()), 0))
		defer cancel()
	}
	changed := make(chan struct{})
	watch, stop := context.WithCancel(ctx)
	defer func() { stop(); <-changed }()
	go func() {
		defer close(changed)
		_ = v.Changed().WatchCtx(watch) // its error only says which of them it was
	}()
	var ended []outcome
	select {
	case <-changed:
	case o := <-c.outcomes:
		ended = append(ended, o)
	}
	for {
		select {
		case o := <-c.outcomes:
			ended = append(ended, o)
		default:
			return ended
		}
	}
}

// record says in the log what tries came to, and only then gives their places
// back: what is delivered and not recorded is bounded.
func (c *courier) record(ctx context.Context, ended []outcome) {
	cmd := fsm.RecordDeliveries{At: c.cfg.Now()}
	for _, o := range ended {
		cmd.Deliveries = append(cmd.Deliveries, c.deliveryOf(o, cmd.At))
	}
	for ctx.Err() == nil {
		_, _, err := c.cfg.Propose(ctx, fsm.OpRecordDeliveries, cmd)
		if err == nil {
			break
		}
		if ctx.Err() == nil {
			c.cfg.Logger.Warn("deliveries were not recorded; trying again", "deliveries", len(ended), "error", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(recordPause):
		}
	}
	for _, o := range ended {
		delete(c.busy, o.n.Seq)
		c.take(o.n, -1)
		r := c.receivers[receiverOf(o.n)]
		if r.failed = o.err != nil; r.busy == 0 && !r.failed && r.rests <= cmd.At {
			delete(c.receivers, receiverOf(o.n))
		}
	}
	c.forget()
}

// deliveryOf decides what follows from a try.
func (c *courier) deliveryOf(o outcome, now fsm.Time) fsm.Delivery {
	d := fsm.Delivery{Seq: o.n.Seq, Try: o.n.Tries + 1}
	if o.err == nil {
		return d
	}
	d.Error = o.err.Error()
	log := c.cfg.Logger.With("job", o.n.JobKey(), "event", o.n.Name, "id", o.n.ID, "to", o.n.To, "try", d.Try, "error", o.err)
	pause := pauseAfter(d.Try, rand.Float64())
	if busy, ok := errors.AsType[*busyError](o.err); ok {
		asked := min(busy.after, maxPause)
		r := c.receivers[receiverOf(o.n)]
		r.rests = max(r.rests, now.Add(fsm.Duration(asked)))
		pause = max(pause, asked)
	}
	next := now.Add(fsm.Duration(pause))
	if next > o.n.OccurredAt.Add(fsm.Duration(giveUpAfter)) {
		log.Error("a notification could not be delivered; giving up")
		return d
	}
	level := slog.LevelWarn
	if r := c.receivers[receiverOf(o.n)]; r != nil && r.failed {
		level = slog.LevelDebug // that of the first is enough for people
	}
	log.Log(context.Background(), level, "a notification was not delivered; trying again", "at", next)
	d.Next = next
	return d
}

// pauseAfter is the pause after the n-th try that failed: a second, doubled with
// each, at most ten minutes, less up to a quarter by jitter (0 to 1).
func pauseAfter(n int, jitter float64) time.Duration {
	d := firstPause
	for range n - 1 {
		if d >= maxPause {
			break
		}
		d *= 2
	}
	d = min(d, maxPause)
	return d - time.Duration(float64(d)/4*jitter)
}

// commandOf is the command of an exec notification, with what happened in its
// environment.
func commandOf(n *fsm.Notification) (Command, error) {
	body, err := Encode(&n.Event)
	if err != nil {
		return Command{}, err
	}
	return Command{
		ID:   fmt.Sprintf("notify:%s:%d:%d", n.ID, n.Block, n.Tries+1),
		Argv: append([]string{n.Target.Command}, n.Target.Args...), Env: environment(n, body),
		User: n.Target.User, Timeout: time.Duration(n.Target.Limit()),
	}, nil
}

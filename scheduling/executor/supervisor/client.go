package supervisor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strconv"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/rota-scheduler/rota/scheduling/executor/failpoint"
	"github.com/rota-scheduler/rota/scheduling/executor/proc"
)

// maxOthers bounds the requests, starts excepted, that wait to be written: a
// supervisor that is stopped must not fill its agent's memory.
const maxOthers = 64

// Options configure a Client.
type Options struct {
	// OnLost is called once when the socket closes and Disconnect was not called:
	// the supervisor is dead, or dying. It should end the process. Pending calls
	// fail after it returns. Required.
	OnLost func(error)
	Logger *slog.Logger // required
}

// Client is an agent's way to its supervisor. All methods may be called
// concurrently. It implements proc.Processes with the errors of package proc.
type Client struct {
	o    Options
	conn net.Conn
	host Host

	out    *outbox
	starts chan struct{} // starts that are not answered yet
	others chan struct{} // other requests that are not written yet
	orders chan Order
	missed chan struct{} // of one
	lost   chan struct{} // closed with the socket
	pumps  sync.WaitGroup

	mu      sync.Mutex
	last    uint64
	calls   map[uint64]*call
	deliver func(proc.Result)
	leaving bool
}

type call struct {
	list   []proc.Status
	answer chan reply // of one
}

var _ proc.Processes = (*Client)(nil)

// Supervised says whether a supervisor has started this process.
func Supervised() bool { return os.Getenv(fdVariable) != "" }

// Connect greets the supervisor that has started this process. Errors:
// ErrTooOld, ErrGone. The caller must call Disconnect.
func Connect(ctx context.Context, o Options) (*Client, error) {
	fd, err := strconv.Atoi(os.Getenv(fdVariable))
	if err != nil {
		return nil, fmt.Errorf("%s=%q: want the number of a file descriptor", fdVariable, os.Getenv(fdVariable))
	}
	if err := os.Unsetenv(fdVariable); err != nil { // it is nobody else's
		return nil, err
	}
	unix.CloseOnExec(fd)
	f := os.NewFile(uintptr(fd), "supervisor")
	defer f.Close()
	conn, err := net.FileConn(f)
	if err != nil {
		return nil, fmt.Errorf("%s=%d is no socket of a supervisor; unset it: %w", fdVariable, fd, err)
	}
	return NewClient(ctx, conn, o)
}

// NewClient greets the supervisor at the other end of conn, which it then owns.
func NewClient(ctx context.Context, conn net.Conn, o Options) (*Client, error) {
	c := &Client{
		o: o, conn: conn, out: newOutbox(), calls: make(map[uint64]*call),
		starts: make(chan struct{}, maxStarts), others: make(chan struct{}, maxOthers),
		orders: make(chan Order, 2), missed: make(chan struct{}, 1), lost: make(chan struct{}),
	}
	c.pumps.Go(c.read)
	c.pumps.Go(func() {
		if err := c.out.run(conn); err != nil {
			conn.Close() // which ends the reader
		}
	})
	c.pumps.Go(c.catchUp)
	if err := c.greet(ctx); err != nil {
		c.Disconnect()
		return nil, err
	}
	return c, nil
}

func (c *Client) greet(ctx context.Context) error {
	r, err := c.call(ctx, request{Op: opHello, Version: Version})
	if errors.Is(err, ErrUnsupported) || err == nil && (r.Host == nil || r.Host.Version < oldestSupervisor) {
		return fmt.Errorf("%w: it speaks an earlier protocol than %d", ErrTooOld, oldestSupervisor)
	}
	if err != nil {
		return fmt.Errorf("greeting the supervisor: %w", err)
	}
	c.host = *r.Host
	return nil
}

// Host returns what the supervisor has said of itself.
func (c *Client) Host() Host { return c.host }

// Orders is where the supervisor's orders arrive. Stop may follow Handover.
func (c *Client) Orders() <-chan Order { return c.orders }

// Deliver names who is told results from now on; what has ended before is in the
// list. f must not block for long and must not call the Client.
func (c *Client) Deliver(f func(proc.Result)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.deliver = f
}

// Disconnect closes the socket and returns when nothing of the Client runs. The
// attempts stay as they are.
func (c *Client) Disconnect() {
	c.mu.Lock()
	c.leaving = true
	c.mu.Unlock()
	c.conn.Close()
	c.pumps.Wait()
}

// read takes replies until the socket closes.
func (c *Client) read() {
	defer c.out.close()
	frames := newFrameReader(c.conn, maxReply)
	for {
		var r reply
		if err := frames.read(&r); err != nil {
			c.conn.Close()
			c.lose(err)
			return
		}
		if r.ID == 0 {
			c.notice(r)
		} else {
			c.answer(r)
		}
	}
}

func (c *Client) lose(err error) {
	c.mu.Lock()
	leaving := c.leaving
	c.mu.Unlock()
	if !leaving {
		c.o.OnLost(fmt.Errorf("%w: %w", ErrGone, err))
	}
	close(c.lost)
}

func (c *Client) notice(r reply) {
	switch r.Notice {
	case noticeEnded:
		if r.Result != nil {
			failpoint.Hit(failpoint.Ended)
			c.tell(*r.Result)
		}
	case noticeMissed:
		select {
		case c.missed <- struct{}{}:
		default:
		}
	case noticeStop:
		c.order(Stop)
	case noticeHandover:
		c.order(Handover)
	}
}

// order passes an order on. What finds no room repeats one that is there.
func (c *Client) order(o Order) {
	select {
	case c.orders <- o:
	default:
	}
}

func (c *Client) tell(r proc.Result) {
	c.mu.Lock()
	deliver := c.deliver
	c.mu.Unlock()
	if deliver != nil {
		deliver(r)
	}
}

// catchUp tells again what has ended, whenever the supervisor has left some out.
func (c *Client) catchUp() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	for {
		select {
		case <-c.lost:
			return
		case <-c.missed:
		}
		list, err := c.List(ctx)
		if err != nil {
			c.o.Logger.Warn("cannot list what has ended", "error", err)
		}
		for _, st := range list {
			if st.Result != nil {
				c.tell(*st.Result)
			}
		}
	}
}

func (c *Client) answer(r reply) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.calls[r.ID]
	if p == nil {
		return // its caller has gone
	}
	p.list = append(p.list, r.List...)
	if !r.More {
		r.List = p.list
		delete(c.calls, r.ID)
		p.answer <- r
	}
}

package supervisor

import (
	"context"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/rota-scheduler/rota/scheduling/executor/failpoint"
	"github.com/rota-scheduler/rota/scheduling/executor/proc"
)

// endSlack is what an answer to "end" may take longer than the end itself, whose
// last resort takes two seconds more than its limit.
const endSlack = 3 * time.Second

// Start implements proc.Processes. When ctx ends the start is called back, and
// the answer says whether that was in time.
func (c *Client) Start(ctx context.Context, req proc.StartRequest) error {
	if err := errors.Join(checkText(req), c.checkKnown(req)); err != nil {
		return err
	}
	select {
	case c.starts <- struct{}{}:
		defer func() { <-c.starts }()
	case <-ctx.Done():
		return ctx.Err()
	}
	failpoint.Hit(failpoint.StartDecided)
	id, p, err := c.send(request{Op: opStart, Start: &req}, func() { failpoint.Hit(failpoint.StartSent) })
	if err != nil {
		return err
	}
	done := ctx.Done()
	for {
		select {
		case r := <-p.answer:
			failpoint.Hit(failpoint.StartAnswered)
			return errorOf(r.Code, r.Text)
		case <-c.lost:
			return fmt.Errorf("start %s: %w", req.ID, ErrGone)
		case <-done:
			done = nil
			c.callBack(id)
		}
	}
}

// checkText refuses what JSON would change on the way.
func checkText(req proc.StartRequest) error {
	for _, list := range [][]string{{req.ID, req.Dir, req.OutputDir}, req.Argv, req.Env} {
		for _, text := range list {
			if !utf8.ValidString(text) {
				return fmt.Errorf("%w: attempt %q: %q is not UTF-8", proc.ErrInvalid, req.ID, text)
			}
		}
	}
	return nil
}

// isolationVersion is the first that does not pass over a request for isolation.
const isolationVersion = 2

// checkKnown refuses what this supervisor would leave out.
func (c *Client) checkKnown(req proc.StartRequest) error {
	if req.Isolation != "" && c.host.Version < isolationVersion {
		return fmt.Errorf("%w: attempt %s: the supervisor is older than this agent and cannot isolate: restart the service", proc.ErrInvalid, req.ID)
	}
	return nil
}

// callBack cancels a start. It takes no slot: there is one for each start.
func (c *Client) callBack(id uint64) {
	frame, err := encodeFrame(request{ID: id, Op: opCancel}, maxRequest)
	if err == nil { // it is short, and cannot fail
		c.out.put(outFrame{bytes: frame})
	}
}

// Kill implements proc.Processes.
func (c *Client) Kill(ctx context.Context, id, reason string) error {
	_, err := c.call(ctx, request{Op: opKill, Attempt: id, Reason: reason})
	return err
}

// Contact implements proc.Processes. A base of 0 renews nothing, and shows
// whether the supervisor answers.
func (c *Client) Contact(ctx context.Context, base int64) error {
	_, err := c.call(ctx, request{Op: opContact, Base: base})
	return err
}

// Decline implements proc.Processes.
func (c *Client) Decline(ctx context.Context, id string, note []byte) error {
	_, err := c.call(ctx, request{Op: opDecline, Attempt: id, Note: note})
	failpoint.Hit(failpoint.Declined)
	return err
}

// List implements proc.Processes.
func (c *Client) List(ctx context.Context) ([]proc.Status, error) {
	r, err := c.call(ctx, request{Op: opList})
	return r.List, err
}

// Forget implements proc.Processes.
func (c *Client) Forget(ctx context.Context, ids ...string) error {
	failpoint.Hit(failpoint.ForgetDecided)
	_, err := c.call(ctx, request{Op: opForget, Attempts: ids})
	failpoint.Hit(failpoint.Forgotten)
	return err
}

// Ready tells the supervisor that this agent works.
func (c *Client) Ready(ctx context.Context) error {
	_, err := c.call(ctx, request{Op: opReady})
	if errors.Is(err, ErrUnsupported) {
		return nil // an older one does not care
	}
	return err
}

// Close has the supervisor end every attempt, waits for it, and makes it refuse
// new ones; the supervisor will then not start another agent. All results have
// been delivered when it returns. ctx ends the attempts' grace, as in
// proc.Manager.End. The Client stays usable: Disconnect is another thing.
func (c *Client) Close(ctx context.Context) error {
	limit := defaultEndLimit
	if deadline, ok := ctx.Deadline(); ok {
		limit = max(time.Until(deadline), time.Millisecond)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit+endSlack)
	defer cancel()
	_, err := c.call(ctx, request{Op: opEnd, Limit: limit})
	return err
}

// call sends a request and waits for its answer.
func (c *Client) call(ctx context.Context, req request) (reply, error) {
	select {
	case c.others <- struct{}{}:
	case <-ctx.Done():
		return reply{}, fmt.Errorf("supervisor: %s: %w", req.Op, ctx.Err())
	case <-c.lost:
		return reply{}, fmt.Errorf("supervisor: %s: %w", req.Op, ErrGone)
	}
	id, p, err := c.send(req, func() {
		<-c.others
		if req.Op == opDecline {
			failpoint.Hit(failpoint.DeclineSent)
		}
	})
	if err != nil {
		<-c.others
		return reply{}, err
	}
	select {
	case r := <-p.answer:
		return r, errorOf(r.Code, r.Text)
	case <-c.lost:
		return reply{}, fmt.Errorf("supervisor: %s: %w", req.Op, ErrGone)
	case <-ctx.Done():
		c.mu.Lock()
		delete(c.calls, id)
		c.mu.Unlock()
		return reply{}, fmt.Errorf("supervisor: %s: no answer: %w", req.Op, ctx.Err())
	}
}

// send puts a request on its way. An error means that it was not sent, and that
// written is never called.
func (c *Client) send(req request, written func()) (uint64, *call, error) {
	p := &call{answer: make(chan reply, 1)}
	c.mu.Lock()
	c.last++
	req.ID = c.last
	c.mu.Unlock()
	frame, err := encodeFrame(req, maxRequest)
	if err != nil {
		return 0, nil, fmt.Errorf("%w: %w", proc.ErrInvalid, err)
	}
	c.mu.Lock()
	c.calls[req.ID] = p
	c.mu.Unlock()
	c.out.put(outFrame{bytes: frame, written: written})
	return req.ID, p, nil
}

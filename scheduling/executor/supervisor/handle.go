package supervisor

import (
	"context"
	"time"

	"github.com/rota-scheduler/rota/scheduling/executor/proc"
)

// defaultEndLimit bounds the end of every attempt if the agent names no bound.
const defaultEndLimit = 15 * time.Second

// operations says how requests are handled, starts excepted. What never blocks is
// answered at once, by the reader; the rest on a goroutine of its own.
var operations = map[string]struct {
	quick bool
	do    func(s *session, ctx context.Context, req request) (reply, error)
}{
	opHello:   {true, (*session).hello},
	opReady:   {true, (*session).ready},
	opContact: {true, (*session).contact},
	opKill:    {true, (*session).kill},
	opUsage:   {true, (*session).usage},
	opDecline: {false, (*session).decline},
	opList:    {false, (*session).list},
	opForget:  {false, (*session).forget},
	opEnd:     {false, (*session).endAll},
}

// handle answers a request, for which the caller holds a slot.
func (s *session) handle(req request) {
	op, known := operations[req.Op]
	switch {
	case req.Op == opStart:
		s.start(req)
	case !known:
		s.answer(req.ID, reply{}, ErrUnsupported)
	case op.quick:
		r, err := op.do(s, s.ctx, req)
		s.answer(req.ID, r, err)
	default:
		s.handled.Go(func() {
			r, err := op.do(s, s.ctx, req)
			s.answer(req.ID, r, err)
		})
	}
}

// start is answered by whoever forks, or by whoever gives up first. Its goroutine is
// there only for what may hang before that.
func (s *session) start(req request) {
	if req.Start == nil {
		s.answer(req.ID, reply{}, proc.ErrInvalid)
		return
	}
	ctx, cancel := context.WithCancel(s.ctx)
	s.mu.Lock()
	s.starts[req.ID] = cancel
	s.mu.Unlock()
	s.handled.Add(1)
	go s.jobs.Launch(ctx, *req.Start, func(err error) {
		defer s.handled.Done()
		s.mu.Lock()
		delete(s.starts, req.ID)
		s.mu.Unlock()
		cancel()
		s.answer(req.ID, reply{}, err)
	})
}

// answer sends the last frame for a request, and frees its slot when it is out.
func (s *session) answer(id uint64, r reply, err error) {
	r.ID = id
	if err != nil {
		r.Code, r.Text = codeOf(err), err.Error()
	}
	s.send(r, func() { <-s.slots })
}

func (s *session) hello(_ context.Context, req request) (reply, error) {
	s.mu.Lock()
	s.greeted = true
	s.mu.Unlock()
	s.log.Debug("agent connected", "agent_protocol", req.Version)
	host := s.host
	return reply{Host: &host}, nil
}

func (s *session) ready(context.Context, request) (reply, error) {
	s.onReady()
	return reply{}, nil
}

func (s *session) contact(ctx context.Context, req request) (reply, error) {
	return reply{}, s.jobs.Contact(ctx, req.Base)
}

func (s *session) kill(ctx context.Context, req request) (reply, error) {
	return reply{}, s.jobs.Kill(ctx, req.Attempt, req.Reason)
}

func (s *session) decline(ctx context.Context, req request) (reply, error) {
	return reply{}, s.jobs.Decline(ctx, req.Attempt, req.Note)
}

func (s *session) forget(ctx context.Context, req request) (reply, error) {
	return reply{}, s.jobs.Forget(ctx, req.Attempts...)
}

// endAll goes on even if the agent that asked for it does not live to see it.
func (s *session) endAll(ctx context.Context, req request) (reply, error) {
	s.onEnding()
	limit := req.Limit
	if limit <= 0 {
		limit = defaultEndLimit
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
	defer cancel()
	return reply{}, s.jobs.End(ctx)
}

// list sends all but the last part itself, each when the one before is out.
func (s *session) list(ctx context.Context, req request) (reply, error) {
	all, err := s.jobs.List(ctx)
	if err != nil {
		return reply{}, err
	}
	for {
		n, size := 0, 0
		for n < len(all) && size < listFrameSize {
			size += statusSize(all[n])
			n++
		}
		part := reply{ID: req.ID, List: all[:n], More: n < len(all)}
		if !part.More {
			return part, nil
		}
		all = all[n:]
		written := make(chan struct{})
		s.send(part, func() { close(written) })
		<-written // or thrown away, with the socket
	}
}

// statusSize is about how many bytes a status takes in a frame.
func statusSize(st proc.Status) int {
	n := 256 + len(st.ID) + len(st.OutputDir) + 4*len(st.Note)/3
	if r := st.Result; r != nil {
		n += 256 + len(r.ID) + len(r.Error) + len(r.OutputError) + 4*len(r.Tail)/3
	}
	return n
}

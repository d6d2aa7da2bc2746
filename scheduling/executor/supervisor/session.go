package supervisor

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/rota-scheduler/rota/scheduling/executor/proc"
)

// drainPatience is how long requests that are being handled may take to finish
// once their agent is gone. Only a fork or a disk that hangs takes longer.
const drainPatience = 2 * time.Second

// jobs is what a session needs of the Manager.
type jobs interface {
	proc.Processes
	Launch(ctx context.Context, req proc.StartRequest, done func(error))
	End(ctx context.Context) error
}

// session is the supervisor's side of one agent's socket.
type session struct {
	conn     net.Conn
	host     Host
	jobs     jobs
	log      *slog.Logger
	onReady  func() // the agent works
	onEnding func() // the agent has asked for the end of every attempt

	out     *outbox
	slots   chan struct{} // requests that are not answered yet
	quit    chan struct{} // end was called
	pumps   sync.WaitGroup
	handled sync.WaitGroup

	ctx    context.Context // of the requests; outlives the socket by drainPatience
	cancel context.CancelFunc

	mu      sync.Mutex
	greeted bool
	notices int  // results that are not written yet
	missed  bool // some found no room
	starts  map[uint64]context.CancelFunc
}

// begin starts to serve. The caller must call end.
func (s *session) begin() {
	s.out, s.slots, s.quit = newOutbox(), make(chan struct{}, maxHandled), make(chan struct{})
	s.starts = make(map[uint64]context.CancelFunc)
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.pumps.Go(s.read)
	s.pumps.Go(func() {
		if err := s.out.run(s.conn); err != nil {
			s.conn.Close() // which ends the reader, who closes the outbox
		}
	})
}

// end throws away what is unread and returns when nothing of this agent is being
// handled any more. What still hangs after a while is told to give up.
func (s *session) end() {
	close(s.quit)
	s.conn.Close()
	s.pumps.Wait()
	if !waitFor(&s.handled, drainPatience) {
		s.cancel()
		if !waitFor(&s.handled, drainPatience) {
			s.log.Error("requests of an agent that has ended hang; going on without them")
		}
	}
	s.cancel()
}

func waitFor(wg *sync.WaitGroup, limit time.Duration) bool {
	done := make(chan struct{})
	go func() {
		wg.Wait()
		close(done)
	}()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-done:
		return true
	case <-timer.C:
		return false
	}
}

// read hands requests to their handlers until the socket closes.
func (s *session) read() {
	defer s.out.close()
	defer s.conn.Close()
	frames := newFrameReader(s.conn, maxRequest)
	for {
		var req request
		if err := frames.read(&req); err != nil {
			if errors.Is(err, ErrProtocol) {
				s.log.Error("the agent sends what is no request; giving it up", "error", err)
			} else if !errors.Is(err, io.EOF) && !errors.Is(err, net.ErrClosed) {
				s.log.Debug("the agent's socket has closed", "error", err)
			}
			return
		}
		if req.Op == opCancel {
			s.cancelStart(req.ID)
			continue
		}
		select {
		case s.slots <- struct{}{}:
		case <-s.quit:
			return
		}
		select {
		case <-s.quit: // both were ready
			return
		default:
			s.handle(req)
		}
	}
}

func (s *session) cancelStart(id uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if cancel := s.starts[id]; cancel != nil {
		cancel()
	}
}

// order tells the agent what it is to do.
func (s *session) order(notice string) { s.send(reply{Notice: notice}, nil) }

// ended tells the agent of a result, if there is room for it. It does not block.
func (s *session) ended(r proc.Result) {
	s.mu.Lock()
	room := s.notices < maxNotices
	s.missed = s.missed || s.greeted && !room
	if !s.greeted || !room {
		s.mu.Unlock() // it lists what has ended once it is ready for it
		return
	}
	s.notices++
	s.mu.Unlock()
	s.send(reply{Notice: noticeEnded, Result: &r}, s.noticeWritten)
}

func (s *session) noticeWritten() {
	s.mu.Lock()
	s.notices--
	tell := s.missed && s.notices < maxNotices/2
	if tell {
		s.missed = false
		s.notices++
	}
	s.mu.Unlock()
	if tell {
		s.send(reply{Notice: noticeMissed}, s.noticeWritten)
	}
}

// send puts a reply on its way.
func (s *session) send(r reply, written func()) {
	frame, err := encodeFrame(r, maxReply)
	if err != nil {
		s.log.Error("cannot encode a reply", "error", err)
		r = reply{ID: r.ID, Code: codeFailed, Text: err.Error()}
		if r.ID == 0 {
			r = reply{Notice: noticeMissed}
		}
		if frame, err = encodeFrame(r, maxReply); err != nil {
			frame = nil // not reached: this one is short
		}
	}
	s.out.put(outFrame{bytes: frame, written: written})
}

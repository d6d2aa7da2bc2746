package raftnode

import (
	"errors"
	"log/slog"
	"maps"
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

// announcer tells followers at once what has been committed.
//
// Raft itself tells them with the next entries, or when Timings.Commit has passed
// without any. A short one is most of what an idle cluster does; a long one keeps
// a follower from work that the log holds for it. So it is long, and what is
// missing goes out as an append of nothing: behind entry index of the term, which
// the follower must hold, everything up to index is committed. That is true for
// ever once this node has committed it in that term, whoever leads meanwhile, and
// a follower that does not hold the entry refuses. An announcement that is lost
// costs the wait for the next append.
type announcer struct {
	raft      *raft.Raft
	transport raft.Transport
	self      raft.RPCHeader
	logger    *slog.Logger

	mu     sync.Mutex
	next   committed
	busy   map[raft.ServerID]bool      // an announcement to it is under way
	behind map[raft.ServerID]time.Time // it lacks entries: left alone until then

	wake chan struct{} // of one
	quit chan struct{}
	done sync.WaitGroup
}

type committed struct{ index, term uint64 }

const (
	// soonPause is how long a follower that lacks the entry is given to store it: as
	// a rule it is a moment slower than the others. It doubles with each refusal.
	soonPause = 4 * time.Millisecond
	// behindPause is how long a follower is left alone that went on lacking it, or
	// did not answer.
	behindPause = time.Second
)

func newAnnouncer(r *raft.Raft, id raft.ServerID, transport raft.Transport, logger *slog.Logger) *announcer {
	a := &announcer{
		raft: r, transport: transport, logger: logger,
		self: raft.RPCHeader{
			ProtocolVersion: raft.ProtocolVersionMax,
			ID:              []byte(id), Addr: transport.EncodePeer(id, transport.LocalAddr()),
		},
		busy: map[raft.ServerID]bool{}, behind: map[raft.ServerID]time.Time{},
		wake: make(chan struct{}, 1), quit: make(chan struct{}),
	}
	a.done.Go(a.run)
	return a
}

// committed notes an entry that this node has appended, as leader of the term,
// and has seen committed. It does not block.
func (a *announcer) committed(index, term uint64) {
	a.mu.Lock()
	if index > a.next.index {
		a.next = committed{index, term}
	}
	a.mu.Unlock()
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

// close returns when nothing is under way any more. The transport must have been
// closed, or be about to time out.
func (a *announcer) close() {
	close(a.quit)
	a.done.Wait()
}

func (a *announcer) run() {
	for {
		select {
		case <-a.quit:
			return
		case <-a.wake:
		}
		a.mu.Lock()
		c := a.next
		a.mu.Unlock()
		// Newer entries are on their way and say it as well.
		if a.raft.LastIndex() == c.index {
			a.announce(c)
		}
	}
}

func (a *announcer) announce(c committed) {
	a.forgetBehind(time.Now())
	for _, s := range a.raft.GetConfiguration().Configuration().Servers {
		if s.ID != raft.ServerID(a.self.ID) && a.claim(s.ID) {
			a.done.Go(func() { a.tell(s, c) })
		}
	}
}

// claim says whether a follower may be told now. What it misses because another
// announcement hangs it learns with the next append.
func (a *announcer) claim(id raft.ServerID) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, behind := a.behind[id]; behind || a.busy[id] {
		return false
	}
	a.busy[id] = true
	return true
}

// forgetBehind drops the pauses that are over, those of servers that have left
// included.
func (a *announcer) forgetBehind(now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	maps.DeleteFunc(a.behind, func(_ raft.ServerID, until time.Time) bool { return !now.Before(until) })
}

// tell tells one follower of a commit until it knows, newer entries are on their
// way, or it proves to be behind. Who leads no more stops: to a follower that seeks
// votes, each word of a leader is a reason not to.
func (a *announcer) tell(s raft.Server, c committed) {
	err := a.send(s, c)
	for pause := soonPause; errors.Is(err, errLacksEntry) && pause < behindPause; pause *= 2 {
		select {
		case <-a.quit:
		case <-time.After(pause):
		}
		if a.closed() || a.raft.State() != raft.Leader || a.raft.LastIndex() != c.index {
			err = nil
			break
		}
		err = a.send(s, c)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.busy, s.ID)
	if err != nil {
		a.behind[s.ID] = time.Now().Add(behindPause)
		a.logger.Debug("a follower was not told of a commit", "peer", s.ID, "index", c.index, "error", err)
		return
	}
	a.againIfNewer(c)
}

// errLacksEntry: the follower does not hold the entry yet.
var errLacksEntry = errors.New("it lacks the entry")

func (a *announcer) send(s raft.Server, c committed) error {
	var resp raft.AppendEntriesResponse
	err := a.transport.AppendEntries(s.ID, s.Address, &raft.AppendEntriesRequest{
		RPCHeader: a.self, Term: c.term,
		PrevLogEntry: c.index, PrevLogTerm: c.term, LeaderCommitIndex: c.index,
	}, &resp)
	if err == nil && !resp.Success {
		err = errLacksEntry
	}
	return err
}

func (a *announcer) closed() bool {
	select {
	case <-a.quit:
		return true
	default:
		return false
	}
}

// againIfNewer: what was committed while the announcement was under way found
// the follower busy.
func (a *announcer) againIfNewer(c committed) {
	if a.next.index == c.index {
		return
	}
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

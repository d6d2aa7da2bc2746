package raftnode

import (
	"context"
	"sync"
)

// Term is one gain of leadership.
type Term struct {
	// Epoch grows strictly with every gain on this node, across restarts too:
	// it is at least raft's own term.
	Epoch uint64
	// Ctx ends when the leadership ends, or the node.
	Ctx context.Context
}

// leadership turns raft's notifications into terms. Raft blocks until each is
// taken, so none is lost, and run takes them at once, so raft never waits for a
// reader of terms.
type leadership struct {
	notify chan bool
	terms  chan Term // holds the newest unread term, if it still lasts
	stop   chan struct{}
	done   chan struct{}
	once   sync.Once

	epoch  uint64
	cancel context.CancelFunc // of the term that lasts, or nil
}

func newLeadership() *leadership {
	return &leadership{
		notify: make(chan bool),
		terms:  make(chan Term, 1),
		stop:   make(chan struct{}),
		done:   make(chan struct{}),
	}
}

// run owns all fields below terms. It ends, and closes terms, after close. Before
// a term begins, and after it has ended, it calls leads.
func (l *leadership) run(raftTerm func() uint64, leads func(bool)) {
	defer close(l.done)
	defer close(l.terms)
	defer l.end()
	for {
		select {
		case <-l.stop:
			return
		case gained := <-l.notify:
			l.end()
			leads(gained)
			if gained {
				l.begin(raftTerm())
			}
		}
	}
}

// begin starts a term. The number may be read a moment late and be that of a
// successor; what counts is that it grows.
func (l *leadership) begin(raftTerm uint64) {
	l.epoch = max(l.epoch+1, raftTerm)
	ctx, cancel := context.WithCancel(context.Background())
	l.cancel = cancel
	l.terms <- Term{Epoch: l.epoch, Ctx: ctx} // never blocks: end emptied it
}

// end cancels the term that lasts and takes it back if nobody has read it.
func (l *leadership) end() {
	if l.cancel != nil {
		l.cancel()
		l.cancel = nil
	}
	select {
	case <-l.terms:
	default:
	}
}

func (l *leadership) close() {
	l.once.Do(func() { close(l.stop) })
	<-l.done
}

package raftnode

import (
	"sync"
	"time"
)

// raft reports a peer that is out of reach several times a second, for as long
// as it is. One line now and then says as much and leaves the log readable.
const (
	repeatWindow = 10 * time.Second
	// maxRepeats bounds what is remembered; past it, the memory starts anew.
	maxRepeats = 256
)

// repeats holds back warnings that say the same again.
type repeats struct {
	mu   sync.Mutex
	seen map[string]*repeat
}

type repeat struct {
	last time.Time
	held int
}

func newRepeats() *repeats { return &repeats{seen: map[string]*repeat{}} }

// pass says whether a message of that key may be logged, and how many like it
// were held back since the last one.
func (r *repeats) pass(key string, now time.Time) (held int, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s := r.seen[key]; s != nil {
		if now.Sub(s.last) < repeatWindow {
			s.held++
			return 0, false
		}
		held, s.held, s.last = s.held, 0, now
		return held, true
	}
	if len(r.seen) >= maxRepeats {
		clear(r.seen)
	}
	r.seen[key] = &repeat{last: now}
	return 0, true
}

// repeatKey tells messages apart: the text, and the peer that it is about.
func repeatKey(msg string, args []any) string {
	for i := 0; i+1 < len(args); i += 2 {
		if name, _ := args[i].(string); name == "peer" || name == "server-id" {
			if peer, ok := args[i+1].(string); ok {
				return msg + "\x00" + peer
			}
		}
	}
	return msg
}

package raftnode

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"
)

var errAway = errors.New("away")

func always(raft.ServerID) bool { return true }

// TestPatience: a call that fails returns once a heartbeat is answered, however
// long that takes; so raft counts one failure, and comes back at once.
func TestPatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPatience(always)
		go func() {
			_ = p.call("other", true, func() error { return nil })
			for range 600 {
				_ = p.call("peer", true, func() error { return errAway })
				<-time.After(100 * time.Millisecond)
			}
			_ = p.call("peer", true, func() error { return nil })
		}()
		began := time.Now()
		err := p.call("peer", false, func() error { return errAway })
		if took := time.Since(began); !errors.Is(err, errAway) || took < time.Minute || took > time.Minute+2*waitPoll {
			t.Errorf("got %v after %s, want %v after a minute", err, took, errAway)
		}
	})
}

// TestPatienceEnds: on a node that no longer leads the peer nothing is held back.
func TestPatienceEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		p := newPatience(func(raft.ServerID) bool { return time.Since(began) < 2*time.Second })
		_ = p.call("peer", false, func() error { return errAway })
		if took := time.Since(began); took < 2*time.Second || took > 2*time.Second+2*waitPoll {
			t.Errorf("returned after %s, want soon after the end of the term", took)
		}
	})
}

// TestPatienceLeavesSuccess: what succeeds is not held up.
func TestPatienceLeavesSuccess(t *testing.T) {
	p := newPatience(always)
	if err := p.call("peer", false, func() error { return nil }); err != nil {
		t.Error(err)
	}
}

func TestIsHeartbeat(t *testing.T) {
	if !isHeartbeat(&raft.AppendEntriesRequest{Term: 3}) {
		t.Error("a heartbeat is not known")
	}
	for _, r := range []raft.AppendEntriesRequest{{Entries: []*raft.Log{{}}}, {PrevLogEntry: 1}, {LeaderCommitIndex: 1}} {
		if isHeartbeat(&r) {
			t.Errorf("%+v is taken for a heartbeat", r)
		}
	}
}

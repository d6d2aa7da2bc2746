package raftnode

import (
	"testing"
	"time"
)

func TestRepeatsHoldBackWhatSaysTheSame(t *testing.T) {
	r := newRepeats()
	start := time.Unix(1000, 0)
	key := repeatKey("failed to heartbeat to", []any{"peer", "127.0.0.1:7701", "backoff", "1s"})
	if _, ok := r.pass(key, start); !ok {
		t.Fatal("the first message was held back")
	}
	for i := range 5 {
		if _, ok := r.pass(key, start.Add(time.Duration(i)*time.Second)); ok {
			t.Fatalf("message %d within the window passed", i)
		}
	}
	other := repeatKey("failed to heartbeat to", []any{"peer", "127.0.0.2:7701"})
	if _, ok := r.pass(other, start); !ok {
		t.Error("a message about another peer was held back")
	}
	held, ok := r.pass(key, start.Add(repeatWindow))
	if !ok || held != 5 {
		t.Errorf("after the window: passed %v with %d held back, want true and 5", ok, held)
	}
}

func TestRepeatsAreBounded(t *testing.T) {
	r := newRepeats()
	for i := range 10 * maxRepeats {
		r.pass(string(rune(i)), time.Unix(int64(i), 0))
	}
	if n := len(r.seen); n > maxRepeats {
		t.Errorf("%d keys are remembered, at most %d", n, maxRepeats)
	}
}

package proc

import (
	"context"
	"errors"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// An exec that hangs must not hang the others.
func TestForkersGrowAroundAHang(t *testing.T) {
	f := newForkers(1)
	defer f.stop()
	hang, held := make(chan struct{}), make(chan forkReply, maxForkers)
	refuse := errors.New("refused")
	for range maxForkers - 1 {
		started := make(chan struct{})
		go func() {
			held <- f.do(ctx, 0, forkJob{check: func() error { close(started); <-hang; return refuse }})
		}()
		<-started
	}
	onFirst := false
	r := f.do(ctx, 0, forkJob{check: func() error { onFirst = unix.Gettid() == unix.Getpid(); return refuse }})
	if r.refused != refuse || onFirst {
		t.Errorf("reply %+v, on the first thread: %v", r, onFirst)
	}
	close(hang)
	for range maxForkers - 1 {
		<-held
	}
}

func TestForkersAreBounded(t *testing.T) {
	f := newForkers(1)
	defer f.stop()
	for range 2 * maxForkers {
		f.grow()
	}
	if n := f.size.Load(); n != maxForkers {
		t.Errorf("%d threads, want %d", n, maxForkers)
	}
	over, cancel := context.WithCancel(ctx)
	cancel()
	hang, busy := make(chan struct{}), make(chan struct{})
	defer close(hang)
	for range maxForkers {
		go f.do(ctx, 0, forkJob{check: func() error { busy <- struct{}{}; <-hang; return context.Canceled }})
		<-busy
	}
	if r := f.do(over, 0, forkJob{}); !errors.Is(r.refused, context.Canceled) {
		t.Errorf("reply %+v, want canceled", r)
	}
}

func TestRoomToForkIsWaitedFor(t *testing.T) {
	f := newForkers(1)
	defer f.stop()
	for range maxForkers {
		if err := f.enter(t.Context(), 0); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.enter(t.Context(), Mono()+int64(time.Millisecond)); !errors.Is(err, ErrExpired) {
		t.Errorf("full until the expiry: %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := f.enter(ended, 0); !errors.Is(err, context.Canceled) {
		t.Errorf("full until the caller gave up: %v", err)
	}
	entered := make(chan error)
	go func() { entered <- f.enter(t.Context(), Mono()+int64(time.Hour)) }()
	f.leave()
	if err := <-entered; err != nil {
		t.Errorf("room again: %v", err)
	}
}

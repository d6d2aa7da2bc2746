package memnet

import (
	"errors"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	addrA = "10.0.0.1:7702"
	addrB = "10.0.0.2:7702"
)

func attach(t *testing.T, n *Network, addr string) *Transport {
	t.Helper()
	tr, err := n.Transport(addr)
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

// arrives reports whether a packet from one node reaches the other.
func arrives(t *testing.T, from, to *Transport) bool {
	t.Helper()
	if _, err := from.WriteTo([]byte("hello"), to.at.String()); err != nil {
		t.Fatal(err)
	}
	select {
	case p := <-to.PacketCh():
		if string(p.Buf) != "hello" || p.From.String() != from.at.String() {
			t.Errorf("packet %q from %s", p.Buf, p.From)
		}
		return true
	default:
		return false
	}
}

func TestPacketsAndCuts(t *testing.T) {
	n := New()
	a, b := attach(t, n, addrA), attach(t, n, addrB)
	both := func(wantAB, wantBA bool) {
		t.Helper()
		if ab, ba := arrives(t, a, b), arrives(t, b, a); ab != wantAB || ba != wantBA {
			t.Errorf("a->b %v, b->a %v; want %v, %v", ab, ba, wantAB, wantBA)
		}
	}
	both(true, true)
	n.CutOneWay("10.0.0.1", "10.0.0.2")
	both(false, true)
	n.Cut(addrA, addrB)
	both(false, false)
	n.Heal()
	both(true, true)
	for range packetQueue + 10 {
		if _, err := a.WriteTo([]byte("flood"), addrB); err != nil {
			t.Fatal(err)
		}
	}
	if len(b.packets) != packetQueue {
		t.Errorf("%d packets queued, the bound is %d", len(b.packets), packetQueue)
	}
	if err := b.Shutdown(); err != nil {
		t.Fatal(err)
	}
	if _, err := b.WriteTo([]byte("x"), addrA); err == nil {
		t.Error("a stopped node sent a packet")
	}
	if _, err := a.WriteTo([]byte("x"), addrB); err != nil {
		t.Errorf("a packet to a stopped node: %v, want it lost silently", err)
	}
}

func TestStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := New()
		a, b := attach(t, n, addrA), attach(t, n, addrB)
		dial := func() (near, far net.Conn) {
			t.Helper()
			near, err := a.DialTimeout(addrB, time.Second)
			if err != nil {
				t.Fatal(err)
			}
			return near, <-b.StreamCh()
		}
		near, far := dial()
		go func() { _, _ = near.Write([]byte("hi")) }()
		buf := make([]byte, 2)
		if _, err := far.Read(buf); err != nil || string(buf) != "hi" {
			t.Fatalf("read %q, %v", buf, err)
		}
		if far.RemoteAddr().String() != addrA || near.RemoteAddr().String() != addrB {
			t.Errorf("addresses %s, %s", far.RemoteAddr(), near.RemoteAddr())
		}

		n.CutOneWay("10.0.0.2", "10.0.0.1")
		if _, err := far.Read(buf); err == nil {
			t.Error("the stream outlived the cut")
		}
		began := time.Now()
		_, err := a.DialTimeout(addrB, 3*time.Second)
		var timeout net.Error
		if !errors.As(err, &timeout) || !timeout.Timeout() || time.Since(began) != 3*time.Second {
			t.Errorf("dial across the cut: %v after %s", err, time.Since(began))
		}

		n.Heal()
		near, _ = dial()
		if err := b.Shutdown(); err != nil {
			t.Fatal(err)
		}
		if _, err := near.Read(buf); err == nil {
			t.Error("the stream outlived the node")
		}
		if _, err := a.DialTimeout(addrB, time.Second); !errors.Is(err, errRefused) {
			t.Errorf("dial to a stopped node: %v, want %v", err, errRefused)
		}
		if len(n.pipes) != 0 {
			t.Errorf("%d streams are still tracked", len(n.pipes))
		}
	})
}

func TestAddressIsTakenUntilShutdown(t *testing.T) {
	n := New()
	a := attach(t, n, addrA)
	if _, err := n.Transport(addrA); !errors.Is(err, ErrAddressInUse) {
		t.Fatalf("error = %v, want %v", err, ErrAddressInUse)
	}
	for range 2 {
		if err := a.Shutdown(); err != nil {
			t.Fatal(err)
		}
	}
	attach(t, n, addrA)
	if _, err := n.Transport("a:b"); err == nil {
		t.Error("a bad address was taken")
	}
}

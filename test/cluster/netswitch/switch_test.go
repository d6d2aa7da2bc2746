package netswitch

import (
	"encoding/binary"
	"io"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

var (
	alice = netip.MustParseAddr("10.0.0.1")
	bob   = netip.MustParseAddr("10.0.0.2")
)

// device is a machine's end: what is put in it goes to the switch.
type device struct {
	out    chan []byte
	in     chan arrival
	closed chan struct{}
}

// arrival is the number that a packet carries, and when it came.
type arrival struct {
	Number byte
	After  time.Duration
}

var epoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) // where synctest's clock begins

func newDevice() *device {
	return &device{out: make(chan []byte), in: make(chan arrival, 10_000), closed: make(chan struct{})}
}

func (d *device) Read(p []byte) (int, error) {
	select {
	case b := <-d.out:
		return copy(p, b), nil
	case <-d.closed:
		return 0, io.EOF
	}
}

func (d *device) Write(p []byte) (int, error) {
	d.in <- arrival{p[headerSize], time.Since(epoch)}
	return len(p), nil
}

func (d *device) Close() error {
	close(d.closed)
	return nil
}

// arrivals returns what has come so far.
func (d *device) arrivals() []arrival {
	var all []arrival
	for {
		select {
		case a := <-d.in:
			all = append(all, a)
		default:
			return all
		}
	}
}

func packet(from, to netip.Addr, number byte, size int) []byte {
	p := make([]byte, size)
	p[0] = 0x45
	binary.BigEndian.PutUint16(p[2:], uint16(size))
	copy(p[12:], from.AsSlice())
	copy(p[16:], to.AsSlice())
	p[headerSize] = number
	return p
}

// world is a switch with two machines, in virtual time.
type world struct {
	*Switch
	a, b *device
}

func inWorld(t *testing.T, play func(w world)) {
	t.Helper()
	synctest.Test(t, func(*testing.T) {
		w := world{New(1), newDevice(), newDevice()}
		w.Join(alice, w.a)
		w.Join(bob, w.b)
		play(w)
		w.Close()
	})
}

// send sends n numbered packets of a hundred bytes from alice to bob.
func (w world) send(n int) {
	for i := range n {
		w.a.out <- packet(alice, bob, byte(i), 100)
	}
	synctest.Wait()
}

func check(t *testing.T, got, want []arrival) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("arrivals (-want +got):\n%s", diff)
	}
}

func TestPassesAtOnce(t *testing.T) {
	inWorld(t, func(w world) {
		w.send(2)
		check(t, w.b.arrivals(), []arrival{{0, 0}, {1, 0}})
		w.a.out <- packet(alice, netip.MustParseAddr("10.0.0.9"), 0, 100)
		w.a.out <- []byte{0x60, 0, 0}
		synctest.Wait()
		check(t, w.b.arrivals(), nil)
	})
}

func TestDelayAndRate(t *testing.T) {
	inWorld(t, func(w world) {
		w.Set(alice, bob, Link{Delay: 50 * time.Millisecond, Rate: 10_000}) // 10 ms a packet
		w.send(3)
		<-time.After(time.Second)
		check(t, w.b.arrivals(), []arrival{{0, 60 * time.Millisecond}, {1, 70 * time.Millisecond}, {2, 80 * time.Millisecond}})
	})
}

func TestJitterKeepsOrder(t *testing.T) {
	inWorld(t, func(w world) {
		w.Set(alice, bob, Link{Delay: 50 * time.Millisecond, Jitter: 40 * time.Millisecond})
		w.send(100)
		<-time.After(time.Second)
		got := w.b.arrivals()
		if len(got) != 100 {
			t.Fatalf("%d of 100 packets arrived", len(got))
		}
		for i, a := range got {
			if int(a.Number) != i || a.After < 10*time.Millisecond || a.After > 90*time.Millisecond {
				t.Errorf("packet %d is number %d, after %s", i, a.Number, a.After)
			}
		}
		if got[0].After == got[99].After {
			t.Error("the delay does not vary")
		}
	})
}

func TestReorderAndLoss(t *testing.T) {
	inWorld(t, func(w world) {
		w.Set(alice, bob, Link{Delay: 10 * time.Millisecond, Reorder: 0.25, Loss: 0.1})
		w.send(200)
		<-time.After(time.Second)
		early := 0
		got := w.b.arrivals()
		for _, a := range got {
			if a.After == 0 {
				early++
			}
		}
		if len(got) < 160 || len(got) > 195 || early < 25 || early > 70 {
			t.Errorf("%d of 200 arrived, %d of them at once", len(got), early)
		}
		if c := w.Counters(alice, bob); int(c.Lost)+len(got) != 200 || int(c.Delivered) != len(got) {
			t.Errorf("counted %+v, %d arrived", c, len(got))
		}
	})
}

// TestCutIsDirected: one direction is cut, with what is under way; the other
// stays as it is.
func TestCutIsDirected(t *testing.T) {
	inWorld(t, func(w world) {
		w.Set(alice, bob, Link{Delay: 10 * time.Millisecond})
		w.send(1)
		w.Cut(alice, bob)
		w.send(1)
		w.b.out <- packet(bob, alice, 7, 100)
		<-time.After(time.Second)
		check(t, w.b.arrivals(), nil)
		check(t, w.a.arrivals(), []arrival{{7, 0}})
		if c := w.Counters(alice, bob); c.Cut != 2 {
			t.Errorf("counted %+v, want two cut", c)
		}
		w.Mend(alice, bob)
		w.send(1)
		<-time.After(time.Second)
		check(t, w.b.arrivals(), []arrival{{0, time.Second + 10*time.Millisecond}})
	})
}

func TestQueueIsBounded(t *testing.T) {
	inWorld(t, func(w world) {
		w.Set(alice, bob, Link{Delay: time.Second})
		w.send(maxQueued + 3)
		<-time.After(2 * time.Second)
		if got := len(w.b.arrivals()); got != maxQueued {
			t.Errorf("%d arrived, want %d", got, maxQueued)
		}
		if c := w.Counters(alice, bob); c.Overflow != 3 {
			t.Errorf("counted %+v, want an overflow of three", c)
		}
	})
}

// TestDeviceThatEnds: a machine that is gone does not stop the others.
func TestDeviceThatEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(1)
		gone, a, b := newDevice(), newDevice(), newDevice()
		s.Join(netip.MustParseAddr("10.0.0.3"), &onceClosed{device: gone})
		s.Join(alice, a)
		s.Join(bob, b)
		gone.Close()
		world{s, a, b}.send(1)
		check(t, b.arrivals(), []arrival{{0, 0}})
		s.Close()
		s.Join(alice, newDevice()) // too late: closed at once
	})
}

// onceClosed is a device that has been closed already when the switch does so.
type onceClosed struct{ *device }

func (*onceClosed) Close() error { return nil }

package netswitch

import (
	"container/heap"
	"encoding/binary"
	"io"
	"math/rand/v2"
	"net/netip"
	"sync"
	"time"
)

// maxPacket is the largest IPv4 packet.
const maxPacket = 1 << 16

// headerSize is that of IPv4 without options.
const headerSize = 20

// Switch carries packets between the devices that have joined it.
type Switch struct {
	mu      sync.Mutex
	random  *rand.Rand
	devices map[netip.Addr]io.ReadWriteCloser
	links   map[pair]*link
	queue   packets
	closed  bool

	wake    chan struct{} // the head of the queue has changed
	done    chan struct{}
	workers sync.WaitGroup
}

type pair struct{ from, to netip.Addr }

// New starts a switch. The seed decides over loss, jitter and order.
func New(seed uint64) *Switch {
	s := &Switch{
		random:  rand.New(rand.NewPCG(seed, seed)),
		devices: map[netip.Addr]io.ReadWriteCloser{},
		links:   map[pair]*link{},
		wake:    make(chan struct{}, 1),
		done:    make(chan struct{}),
	}
	s.workers.Go(s.deliverLate)
	return s
}

// Join connects a device, whose reads and writes are whole IPv4 packets, as the
// machine at addr. The switch closes it.
func (s *Switch) Join(addr netip.Addr, device io.ReadWriteCloser) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		device.Close()
		return
	}
	s.devices[addr] = device
	s.workers.Go(func() { s.read(device) })
}

// Set changes one direction. Packets that are under way stay as they are.
func (s *Switch) Set(from, to netip.Addr, l Link) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.link(from, to).Link = l
}

// Cut lets nothing through in one direction until Mend.
func (s *Switch) Cut(from, to netip.Addr) { s.setCut(from, to, true) }

// Mend ends a Cut.
func (s *Switch) Mend(from, to netip.Addr) { s.setCut(from, to, false) }

func (s *Switch) setCut(from, to netip.Addr, cut bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.link(from, to).cut = cut
}

// Counters returns what became of the packets of one direction so far.
func (s *Switch) Counters(from, to netip.Addr) Counters {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.link(from, to).Counters
}

// link returns the state of a direction; the lock is held.
func (s *Switch) link(from, to netip.Addr) *link {
	key := pair{from, to}
	l := s.links[key]
	if l == nil {
		l = &link{}
		s.links[key] = l
	}
	return l
}

// Close closes the devices and returns when nothing of the switch runs any more.
func (s *Switch) Close() {
	s.mu.Lock()
	if !s.closed {
		s.closed = true
		close(s.done)
		for _, device := range s.devices {
			device.Close()
		}
	}
	s.mu.Unlock()
	s.workers.Wait()
}

// read takes what a machine sends, until its device fails.
func (s *Switch) read(device io.ReadWriteCloser) {
	buf := make([]byte, maxPacket)
	for {
		n, err := device.Read(buf)
		if err != nil {
			return // closed, or its namespace is gone
		}
		if from, to, ok := addresses(buf[:n]); ok {
			s.pass(from, to, buf[:n])
		}
	}
}

// addresses reads the header; ok is false for what is not IPv4.
func addresses(packet []byte) (from, to netip.Addr, ok bool) {
	if len(packet) < headerSize || packet[0]>>4 != 4 || int(binary.BigEndian.Uint16(packet[2:])) > len(packet) {
		return from, to, false
	}
	return netip.AddrFrom4([4]byte(packet[12:16])), netip.AddrFrom4([4]byte(packet[16:20])), true
}

// pass delivers a packet now, or puts a copy of it in the queue.
func (s *Switch) pass(from, to netip.Addr, packet []byte) {
	s.mu.Lock()
	device := s.devices[to]
	if device == nil || s.closed {
		s.mu.Unlock()
		return
	}
	l := s.link(from, to)
	now := time.Now()
	at, ok := l.admit(now, len(packet), s.random)
	if ok && at.After(now) {
		s.enqueue(&delayed{at: at, link: l, device: device, bytes: append([]byte(nil), packet...)})
		ok = false
	}
	if ok {
		l.Delivered++
	}
	s.mu.Unlock()
	if ok {
		_, _ = device.Write(packet) // a device that fails is one whose machine is gone
	}
}

// enqueue adds a packet; the lock is held.
func (s *Switch) enqueue(p *delayed) {
	p.link.queued++
	heap.Push(&s.queue, p)
	if s.queue.list[0] == p {
		select {
		case s.wake <- struct{}{}:
		default:
		}
	}
}

// deliverLate hands delayed packets over when their time has come.
func (s *Switch) deliverLate() {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		due, next := s.due(time.Now())
		for _, p := range due {
			_, _ = p.device.Write(p.bytes) // as in pass
		}
		timer.Reset(next)
		select {
		case <-s.done:
			return
		case <-s.wake:
		case <-timer.C:
		}
	}
}

// due takes what has to be delivered by now, and says when to look again.
func (s *Switch) due(now time.Time) (all []*delayed, next time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.queue.Len() > 0 && !s.queue.list[0].at.After(now) {
		p := heap.Pop(&s.queue).(*delayed)
		p.link.queued--
		if p.link.cut {
			p.link.Cut++
			continue
		}
		p.link.Delivered++
		all = append(all, p)
	}
	if s.queue.Len() == 0 {
		return all, time.Hour
	}
	return all, s.queue.list[0].at.Sub(now)
}

package supervisor

import (
	"bufio"
	"io"
	"runtime"
	"sync"
)

// outbox holds frames until the one goroutine that runs it has written them, in
// the order of their arrival. Its callers bound what is in it. What piles up
// while a write is under way, or while others run that are ready to, goes out with
// the next one.
type outbox struct {
	mu     sync.Mutex
	queue  []outFrame
	frames uint64 // put so far
	closed bool
	wake   chan struct{} // of one
}

type outFrame struct {
	bytes []byte
	// written is called once the frame has been handed to the kernel, or never
	// will be. It must not block.
	written func()
}

func newOutbox() *outbox { return &outbox{wake: make(chan struct{}, 1)} }

// put adds a frame, and says whether the outbox was still open.
func (o *outbox) put(f outFrame) bool {
	o.mu.Lock()
	open := !o.closed
	if open {
		o.queue = append(o.queue, f)
		o.frames++
	}
	o.mu.Unlock()
	if !open {
		f.done()
		return false
	}
	o.poke()
	return true
}

// sent returns how many frames were put.
func (o *outbox) sent() uint64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.frames
}

func (o *outbox) poke() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// close makes run return; what is not written yet never will be.
func (o *outbox) close() {
	o.mu.Lock()
	o.closed = true
	left := o.queue
	o.queue = nil
	o.mu.Unlock()
	o.poke()
	for _, f := range left {
		f.done()
	}
}

func (o *outbox) take() (batch []outFrame, closed bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	batch, o.queue = o.queue, nil
	return batch, o.closed
}

// run writes until the outbox is closed or a write fails.
func (o *outbox) run(w io.Writer) error {
	b := bufio.NewWriterSize(w, bufferBytes)
	for range o.wake {
		runtime.Gosched() // whoever is about to put something else: one write costs more than a frame
		batch, closed := o.take()
		if closed {
			return nil
		}
		err := writeAll(b, batch)
		for _, f := range batch {
			f.done()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func writeAll(b *bufio.Writer, batch []outFrame) error {
	for _, f := range batch {
		if _, err := b.Write(f.bytes); err != nil {
			return err
		}
	}
	return b.Flush()
}

func (f *outFrame) done() {
	if f.written != nil {
		f.written()
	}
}

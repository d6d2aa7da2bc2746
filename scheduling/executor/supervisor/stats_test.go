package supervisor

import (
	"runtime"
	"testing"
	"time"
)

// TestUsage: what the supervisor says of itself grows with what it does. Both ends
// are this process here, so the figures are its own.
func TestUsage(t *testing.T) {
	p := newPair(t, time.Hour)
	before, err := p.Usage(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	sent := p.Sent()
	const calls = 10
	for range calls {
		if err := p.Contact(t.Context(), 0); err != nil {
			t.Fatal(err)
		}
	}
	wasted := make([]byte, 1<<20)
	runtime.GC()
	runtime.KeepAlive(wasted)
	after, err := p.Usage(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got := after.Frames - before.Frames; got != calls+1 { // the first answer is one of them
		t.Errorf("%d frames were sent in answer to %d calls", got, calls)
	}
	if got := p.Sent() - sent; got != calls+1 { // the second question is one of them
		t.Errorf("%d frames were sent for %d calls", got, calls)
	}
	if after.Bytes < before.Bytes+1<<20 || after.Objects <= before.Objects || after.Collections <= before.Collections || after.CPU < before.CPU || after.CPU == 0 {
		t.Errorf("from %+v to %+v with a megabyte allocated and a collection between", before, after)
	}
}

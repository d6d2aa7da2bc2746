package fsm

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"runtime"
	"slices"
	"testing"

	"github.com/hashicorp/raft"
)

// samples are well-formed entries of every opcode: filled ones, and those that
// fit the state of fuzzScene.
func samples(f *testing.F) [][]byte {
	var out [][]byte
	for _, op := range slices.Sorted(maps.Keys(commandTypes)) {
		fresh := commandTypes[op]
		out = append(out, Encode(op, filled(fresh())), Encode(op, fresh()))
	}
	a := newAuthor(newLab(f), 7)
	for range 60 {
		op, command := a.step()
		out = append(out, Encode(op, command))
		a.apply(op, command)
	}
	return out
}

// FuzzApply: whatever stands in an entry, Apply neither panics nor breaks an
// invariant. What is no command stops the replica by its fatal hook, once.
func FuzzApply(f *testing.F) {
	for _, s := range samples(f) {
		f.Add(s)
	}
	f.Add([]byte{})
	f.Add([]byte{envelopeMagic, 1, 0, 0, 0, 99})
	f.Add([]byte{envelopeMagic, 1, flagIgnorable, 0, 0, 99})
	snap, err := busy(f).store.Snapshot()
	if err != nil {
		f.Fatal(err)
	}
	state := snapshotBytes(f, snap)
	f.Fuzz(func(t *testing.T, data []byte) {
		l := restored(t, state)
		before := l.hash()
		var answer any
		boundedMemory(t, len(data), func() { answer = l.entry(data) })
		var fault error
		results, ok := answer.(BatchResult)
		if !ok {
			results = BatchResult{answer.(Result)}
		}
		for _, r := range results {
			if errors.Is(r.Err, ErrMalformed) || errors.Is(r.Err, ErrUnknownOpcode) {
				fault = r.Err
			}
		}
		if (fault != nil) != (len(l.faults) == 1) || len(l.faults) > 1 {
			t.Errorf("answer %v, faults %v", fault, l.faults)
		}
		if !ok && results[0].Err != nil && l.hash() != before {
			t.Errorf("refused with %v, yet the state changed", results[0].Err)
		}
		checkInvariants(t, l.view())
		if fault == nil {
			roundTrip(t, l)
		}
	})
}

// boundedMemory fails if work on n bytes takes memory out of all proportion.
func boundedMemory(t *testing.T, n int, work func()) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	work()
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; used > 64<<20+uint64(n)*1000 {
		t.Errorf("%d bytes took %d bytes of memory", n, used)
	}
}

func roundTrip(t *testing.T, l *lab) {
	t.Helper()
	snap, err := l.store.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	if restored(t, snapshotBytes(t, snap)).hash() != l.hash() {
		t.Error("a snapshot of the state restores to another one")
	}
}

// FuzzRestore: whatever stands in a snapshot, Restore neither panics nor takes
// memory out of proportion, and a refused one leaves the state alone.
func FuzzRestore(f *testing.F) {
	snap, err := busy(f).store.Snapshot()
	if err != nil {
		f.Fatal(err)
	}
	whole := snapshotBytes(f, snap)
	f.Add(whole)
	f.Add(whole[:len(whole)/2])
	f.Add([]byte{})
	f.Add([]byte{0x05, 0xdd, 0xff, 0xff, 0xff, 0xff}) // an array of four billion
	f.Fuzz(func(t *testing.T, data []byte) {
		l := newLab(t)
		empty := l.hash()
		var err error
		boundedMemory(t, len(data), func() { err = l.store.Restore(io.NopCloser(bytes.NewReader(data))) })
		if err != nil && l.hash() != empty {
			t.Errorf("refused with %v, yet the state changed", err)
		}
		if err == nil {
			roundTrip(t, l)
		}
	})
}

// TestFaultStopsTheReplica: after an entry that cannot be applied nothing more
// is, and no snapshot hides it.
func TestFaultStopsTheReplica(t *testing.T) {
	put := Encode(OpPutJobs, PutJobs{At: start, Jobs: []PutJob{{Spec: spec("x", 0)}}})
	newer := bytes.Clone(put)
	newer[1] = commandVersion + 1
	newerBatch := Encode(OpBatch, Batch{[][]byte{put}})
	newerBatch[1] = commandVersion + 1
	for name, c := range map[string]struct {
		entry []byte
		want  error
	}{
		"empty":                  {nil, ErrMalformed},
		"no envelope":            {[]byte("put jobs please"), ErrMalformed},
		"cut":                    {put[:len(put)-3], ErrMalformed},
		"another type":           {Encode(OpPutJobs, 7), ErrMalformed},
		"unknown opcode":         {Encode(9999, struct{}{}), ErrUnknownOpcode},
		"newer version":          {newer, ErrUnknownOpcode},
		"newer batch":            {newerBatch, ErrUnknownOpcode},
		"batch of rubbish":       {Encode(OpBatch, Batch{[][]byte{[]byte("x"), put}}), ErrMalformed},
		"batch in a batch":       {Encode(OpBatch, Batch{[][]byte{Encode(OpBatch, Batch{})}}), ErrUnknownOpcode},
		"batch that is no batch": {Encode(OpBatch, "x"), ErrMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			before, index := l.hash(), l.store.Index()
			l.entry(c.entry)
			if len(l.faults) != 1 || !errors.Is(l.faults[0], c.want) {
				t.Fatalf("faults %v, want %v", l.faults, c.want)
			}
			if r := l.entry(put).(Result); !errors.Is(r.Err, c.want) {
				t.Errorf("the next entry: %v", r.Err)
			}
			if _, err := l.store.Snapshot(); !errors.Is(err, c.want) {
				t.Errorf("a snapshot: %v", err)
			}
			if l.hash() != before || l.store.Index() != index || len(l.faults) != 1 {
				t.Error("the replica went on")
			}
		})
	}
}

// TestIgnorable: a newer command that says so is passed over, and nothing else is.
func TestIgnorable(t *testing.T) {
	l := newLab(t)
	before := l.hash()
	entry := Encode(9999, struct{}{})
	entry[2] |= flagIgnorable
	if r := l.entry(entry).(Result); r.Err != nil || len(l.faults) != 0 {
		t.Errorf("answer %v, faults %v", r.Err, l.faults)
	}
	if got := l.store.Apply(&raft.Log{Index: l.index + 1, Type: raft.LogNoop}); got != nil {
		t.Errorf("an entry that is no command answers %v", got)
	}
	if l.hash() != before || l.store.Index() != l.index {
		t.Errorf("the state changed, or stands at %d instead of %d", l.store.Index(), l.index)
	}
}

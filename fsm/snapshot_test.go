package fsm

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync"
	"testing"
)

// busy makes a state with rows in every table.
func busy(t testing.TB) *lab {
	l := newLab(t)
	l.node("n1", 1)
	l.node("n2", 1)
	l.must(OpRaiseFormat, RaiseFormat{Format: 2})
	for i := range 5 {
		name := fmt.Sprint("job-", i)
		l.put(telling(spec(name, 1, task("a"), task("b", "a"))))
		run := l.fired(name, on("n1"))
		if i > 0 {
			l.took(l.report(l.gate(run), ReportStarted, ""))
		}
		if i > 1 {
			l.took(l.report(l.gate(run), ReportEnded, AttemptSucceeded))
		}
		if i > 2 {
			l.took(l.displace(l.armed(run.ID, "b", "n2"), DisplaceLose))
		}
	}
	l.must(OpApplyFile, ApplyFile{Pools: []PutPool{{"db", 3}}})
	l.must(OpStartScaling, StartScaling{Event: ScaleEvent{Kind: ScaleUp, Steps: make([]ScaleStep, 1)}})
	follower := spec("follower", 0)
	follower.After = []string{"job-1"}
	l.put(follower)
	return l
}

func (l *lab) armed(run, task, node string) *Shard {
	l.took(l.arm(l.view().shard(run, task, 0), node))
	return l.view().shard(run, task, 0)
}

func TestSnapshotRoundTrip(t *testing.T) {
	l := busy(t)
	snap, err := l.store.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	copied := restored(t, snapshotBytes(t, snap))
	if i, want := copied.store.Index(), l.store.Index(); i != want {
		t.Errorf("index %d after the restore, %d before", i, want)
	}
	if copied.hash() != l.hash() {
		t.Error("the restored state hashes differently")
	}
	checkInvariants(t, copied.view())
	for _, row := range rowTypes {
		it, err := l.view().txn.Get(row.table, indexID)
		if err != nil || it.Next() == nil {
			t.Errorf("the test has no row in %s (%v)", row.table, err)
		}
	}
}

// TestSnapshotIsOfItsMoment: what is applied after Snapshot and before or during
// Persist is not in it.
func TestSnapshotIsOfItsMoment(t *testing.T) {
	l := busy(t)
	want, index := l.hash(), l.index
	snap, err := l.store.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	step := func(i int) {
		l.put(spec(fmt.Sprint("new-", i), 1))
		run := l.fired(fmt.Sprint("new-", i), on("n1"))
		l.took(l.report(l.gate(run), ReportEnded, AttemptSucceeded))
	}
	step(0)
	var data []byte
	var wait sync.WaitGroup
	wait.Go(func() { data = snapshotBytes(t, snap) })
	for i := range 200 {
		step(i + 1)
	}
	wait.Wait()
	copied := restored(t, data)
	if got := copied.hash(); got != want || copied.index != index {
		t.Errorf("the snapshot of index %d holds index %d, its hash is %s, want %s", index, copied.index, got, want)
	}
	if l.hash() == want {
		t.Error("the test applied nothing")
	}
}

// TestHashWhileApplying: a digest always belongs to the index beside it.
func TestHashWhileApplying(t *testing.T) {
	const jobs = 200
	want := map[uint64]string{}
	ref := newLab(t)
	entry := func(i int) []byte {
		one := func(name string) []byte {
			return Encode(OpPutJobs, PutJobs{At: start, Jobs: []PutJob{{Spec: spec(name, 0)}}})
		}
		return Encode(OpBatch, Batch{[][]byte{one(fmt.Sprint("a", i)), one(fmt.Sprint("b", i))}})
	}
	for i := range jobs {
		ref.entry(entry(i))
		want[ref.index] = ref.hash()
	}
	want[0] = newLab(t).hash()
	l := newLab(t)
	done := make(chan struct{})
	var wait sync.WaitGroup
	wait.Go(func() {
		defer close(done)
		for i := range jobs {
			l.entry(entry(i))
		}
	})
	for over := false; !over; {
		select {
		case <-done:
			over = true
		default:
		}
		if index, digest := l.store.Hash(); digest != want[index] {
			t.Errorf("at index %d the digest is %s, want %s", index, digest, want[index])
		}
	}
	wait.Wait()
}

func TestPersistReportsAFullDisk(t *testing.T) {
	l := busy(t)
	snap, err := l.store.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	full := errors.New("no space left")
	sink := &memorySink{fail: full}
	if err := snap.Persist(sink); !errors.Is(err, full) {
		t.Errorf("Persist returned %v", err)
	}
	if !sink.cancelled || sink.closed {
		t.Error("a snapshot that could not be written was not cancelled")
	}
}

// TestRestoreRefuses: a broken snapshot is an error, and the state is as it was.
func TestRestoreRefuses(t *testing.T) {
	l := busy(t)
	snap, err := l.store.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	whole := snapshotBytes(t, snap)
	framed := func(v any, more ...byte) []byte {
		b := encode(v)
		return append(append([]byte{byte(len(b))}, b...), more...)
	}
	header := framed(snapshotHeader{snapshotVersion, 7})
	with := func(more ...byte) []byte { return append(bytes.Clone(header), more...) }
	cases := map[string][]byte{
		"empty":         nil,
		"half":          whole[:len(whole)/2],
		"without end":   whole[:len(whole)-1],
		"newer":         framed(snapshotHeader{snapshotVersion + 1, 7}, 0),
		"no version":    framed(snapshotHeader{0, 7}, 0),
		"unknown table": with(append([]byte{99}, framed(Job{}, 0)...)...),
		"row of text":   with(append([]byte{3}, framed("job", 0)...)...),
		"a huge row":    with(3, 0xff, 0xff, 0xff, 0xff, 0x7f),
		"a cut row":     with(3, 100, 0x80),
		"a long number": with(bytes.Repeat([]byte{0xff}, 20)...),
	}
	before := l.hash()
	for name, data := range cases {
		t.Run(name, func(t *testing.T) {
			if err := l.store.Restore(io.NopCloser(bytes.NewReader(data))); err == nil {
				t.Error("restored")
			}
			if l.hash() != before {
				t.Error("the state changed")
			}
		})
	}
}

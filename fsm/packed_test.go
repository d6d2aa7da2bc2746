package fsm

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestSpecsArePacked: the store holds a spec as bytes, hands it out decoded, and
// keeps only so many of them decoded, whoever asks and from wherever.
func TestSpecsArePacked(t *testing.T) {
	const jobs = len(recentSpecs.ring) + 500
	l := newLab(t)
	put := PutJobs{At: l.now}
	for i := range jobs {
		s := spec(fmt.Sprintf("job-%04d", i), 0)
		s.History.Runs = 1 + i
		put.Jobs = append(put.Jobs, PutJob{Spec: s})
	}
	l.must(OpPutJobs, put)
	open := func() (n int) {
		for v := range scan[JobVersion](l.view(), tableVersions, indexID, nil) {
			if v.Content.open.Load() != nil {
				n++
			}
		}
		return n
	}
	if n := open(); n != 0 {
		t.Errorf("%d specs are decoded and nobody has asked for one", n)
	}
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			v := l.store.Read()
			for i := range put.Jobs {
				want := &put.Jobs[i].Spec
				got := v.Version(want.Key(), 1)
				if diff := cmp.Diff(want, got.Spec()); diff != "" || got.History() != want.History {
					t.Errorf("%s keeps %+v (-put +kept):\n%s", want.Name, got.History(), diff)
				}
			}
		})
	}
	readers.Wait()
	if n := open(); n == 0 || n > len(recentSpecs.ring) {
		t.Errorf("%d specs stay decoded, at most %d should", n, len(recentSpecs.ring))
	}
}

// TestSpecOfSnapshotIsChecked: a spec that cannot be read is found when the
// snapshot is, not when somebody asks for it.
func TestSpecOfSnapshotIsChecked(t *testing.T) {
	l := newLab(t)
	l.put(spec("a", 0))
	snap, err := l.store.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	data := snapshotBytes(t, snap)
	key := append([]byte{0xa1}, 't', 0x91) // the spec's list of one task
	at := bytes.LastIndex(data, key)
	if at < 0 {
		t.Fatal("the snapshot names no tasks")
	}
	data[at+2] = 0xc3 // true
	if err := newLab(t).store.Restore(io.NopCloser(bytes.NewReader(data))); !errors.Is(err, ErrMalformed) {
		t.Errorf("restored with %v", err)
	}
}

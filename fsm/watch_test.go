package fsm

import (
	"bytes"
	"io"
	"iter"
	"testing"
)

// changed says whether what the view has read has changed since.
func changed(v *View) bool {
	for ch := range v.Changed() {
		select {
		case <-ch:
			return true
		default:
		}
	}
	return false
}

func drain[T any](seq iter.Seq[T]) {
	for range seq {
	}
}

// TestWatch: a watching view learns of changes to what it read, and of nothing
// else.
func TestWatch(t *testing.T) {
	for _, c := range []struct {
		name   string
		read   func(*View)
		change func(*lab)
		want   bool
	}{
		{"a job, changed", func(v *View) { v.Job(key("j")) }, func(l *lab) { l.pause("j", true) }, true},
		{"a job, another changed", func(v *View) { v.Job(key("j")) }, func(l *lab) { l.pause("k", true) }, false},
		{"a job that is not there, made", func(v *View) { v.Job(key("new")) }, func(l *lab) { l.put(spec("new", 1)) }, true},
		{"all jobs, one made", func(v *View) { drain(v.Jobs(JobKey{})) }, func(l *lab) { l.put(spec("new", 1)) }, true},
		{"jobs from a page on, one made", func(v *View) { drain(v.Jobs(key("j"))) }, func(l *lab) { l.put(spec("z", 1)) }, true},
		{"all jobs, a node changed", func(v *View) { drain(v.Jobs(JobKey{})) }, func(l *lab) { l.node("n1", 2) }, false},
		{"all runs, one made", func(v *View) { drain(v.AllRuns("")) }, func(l *lab) { l.fired("j", nil) }, true},
		{"due, decided", func(v *View) { drain(v.Due()) }, func(l *lab) { l.fired("j", nil) }, true},
		{"pending, made", func(v *View) { drain(v.Pending()) }, func(l *lab) { l.fired("j", nil) }, true},
		{"pending, armed at once", func(v *View) { drain(v.HeldBy("n1")) }, func(l *lab) { l.fired("j", on("n1")) }, true},
		{"held by one, armed on another", func(v *View) { drain(v.HeldBy("n1")) }, func(l *lab) { l.fired("j", on("n2")) }, false},
		{"fires of a job", func(v *View) { drain(v.Fires(key("j"))) }, func(l *lab) { l.fired("j", nil) }, true},
		{"fires of a job, another's", func(v *View) { drain(v.Fires(key("j"))) }, func(l *lab) { l.fired("k", nil) }, false},
		{"a refused command", func(v *View) { drain(v.Jobs(JobKey{})); drain(v.AllRuns("")) },
			func(l *lab) { l.apply(OpCancelRun, CancelRun{At: l.now, ID: "nobody"}) }, false},
		{"the same job again", func(v *View) { v.Job(key("j")); drain(v.Cursors(key("j"))) }, func(l *lab) { l.put(spec("j", 1)) }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLab(t)
			l.node("n1", 1)
			l.node("n2", 1)
			l.put(spec("j", 1))
			l.put(spec("k", 1))
			// One row of each, so that every part of the index that is watched exists:
			// watching a part that is empty wakes for its neighbours.
			l.fired("j", nil)
			l.fired("k", nil)
			l.put(spec("other", 1))
			l.fired("other", on("n1"))
			l.fired("other", on("n2"))
			v := l.store.Watch()
			c.read(v)
			if changed(v) {
				t.Fatal("changed before anything happened")
			}
			c.change(l)
			if changed(v) != c.want {
				t.Errorf("changed is %v, want %v", !c.want, c.want)
			}
		})
	}
}

func TestRestoreWakesEveryWatcher(t *testing.T) {
	l := busy(t)
	snap, err := l.store.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	data := snapshotBytes(t, snap)
	idle, reading := l.store.Watch(), l.store.Watch()
	reading.Job(key("job-1"))
	if err := l.store.Restore(io.NopCloser(bytes.NewReader(data))); err != nil {
		t.Fatal(err)
	}
	if !changed(idle) || !changed(reading) {
		t.Error("a watcher of the state before the restore sleeps on")
	}
	if v := l.store.Watch(); v.Job(key("job-1")) == nil || changed(v) {
		t.Error("the restored state does not serve new watchers")
	}
	if l.store.Read().Changed() != nil {
		t.Error("a view that does not watch has channels")
	}
}

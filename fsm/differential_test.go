package fsm

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/raft"
)

// logEntry is one index of a random log, with all the commands applied at it.
type logEntry struct {
	index    uint64
	commands [][]byte
}

// history watches what may never change from one state to the next.
type history struct {
	t        *testing.T
	outcomes map[string]string
	attempts map[string]string
	last     map[string]Attempt
	ends     map[string]RunState
	events   map[string]uint64
	used     map[string]int // of each pool
}

func newHistory(t *testing.T) *history {
	return &history{t, map[string]string{}, map[string]string{}, map[string]Attempt{}, map[string]RunState{}, map[string]uint64{}, map[string]int{}}
}

func (h *history) see(v *View) {
	h.t.Helper()
	for f := range scan[Fire](v, tableFires, indexID, nil) {
		job := v.Job(JobKey{f.Namespace, f.Job})
		if job == nil || f.Outcome == "" {
			continue
		}
		k := fmt.Sprint(f.Job, job.CreateIndex, f.ScheduledAt)
		outcome := fmt.Sprint(f.Outcome, f.Reason, f.RunID)
		if old := h.outcomes[k]; old != "" && old != outcome {
			h.t.Errorf("index %d: fire %s of %s was %s and is now %s", v.index, f.ScheduledAt, f.Job, old, outcome)
		}
		h.outcomes[k] = outcome
	}
	for s := range scan[Shard](v, tableShards, indexID, nil) {
		h.shard(v, s)
	}
	for n := range v.Notifications(0) {
		event := fmt.Sprint(n.ID, "/", n.Block)
		if seq, known := h.events[event]; known && seq != n.Seq {
			h.t.Errorf("index %d: event %s (%s) was told by notification %d and again by %d", v.index, event, n.Name, seq, n.Seq)
		}
		h.events[event] = n.Seq
	}
	for p := range v.Pools() {
		if p.Used > p.Limit && p.Used > h.used[p.Name] {
			h.t.Errorf("index %d: pool %s went from %d to %d, its limit is %d", v.index, p.Name, h.used[p.Name], p.Used, p.Limit)
		}
		h.used[p.Name] = p.Used
	}
	for r := range v.AllRuns("") {
		id := fmt.Sprint(r.CreateIndex, r.ID, "/", r.Retries)
		if old := h.ends[id]; old.Ended() && old != r.State {
			h.t.Errorf("index %d: run %s was %s and is now %s", v.index, r.ID, old, r.State)
		}
		h.ends[id] = r.State
	}
}

// shard: an attempt's number belongs to one node and fence for ever; numbers and
// fences only grow.
func (h *history) shard(v *View, s *Shard) {
	h.t.Helper()
	// A manual run's ID may come again once its first run is forgotten.
	id := fmt.Sprintf("%d/%s/%s/%d", v.Run(s.RunID).CreateIndex, s.RunID, s.Task, s.Index)
	a := s.Current
	old := h.last[id]
	if a.Number < old.Number {
		h.t.Errorf("index %d: %s went from attempt %d to %d", v.index, id, old.Number, a.Number)
	}
	if a.Node == "" {
		h.last[id] = Attempt{Number: a.Number, Fence: old.Fence}
		return
	}
	if a.Number > old.Number && a.Fence <= old.Fence {
		h.t.Errorf("index %d: %s has fence %d after %d", v.index, id, a.Fence, old.Fence)
	}
	h.last[id] = a
	made := fmt.Sprint(a.Node, a.Incarnation, a.Fence)
	attempt := fmt.Sprintf("%s/%d", id, a.Number)
	if was := h.attempts[attempt]; was != "" && was != made {
		h.t.Errorf("index %d: attempt %s was made on %s and is now %s", v.index, s.Ref(), was, made)
	}
	h.attempts[attempt] = made
}

// coverage counts what the log did to shards, over all seeds.
type coverage struct {
	ops    map[Opcode]int
	events map[string]int
}

// writeLog makes a random log, and checks every state that it goes through.
func writeLog(t *testing.T, seed uint64, steps int, cover *coverage) ([]logEntry, *lab) {
	l := newLab(t)
	var entries []logEntry
	write := func(op Opcode, command any) {
		l.index++ // the log begins with the nodes
		data := Encode(op, command)
		entries = append(entries, logEntry{l.index, [][]byte{data}})
		l.store.Apply(&raft.Log{Index: l.index, Type: raft.LogCommand, Data: data})
	}
	for _, n := range authorNodes {
		write(OpRegisterNode, RegisterNode{l.now, Node{ID: n, Name: n, Incarnation: 1, Capacity: 100}})
	}
	a := &author{lab: l, rng: newAuthor(newLab(t), seed).rng, counts: cover.events}
	h := newHistory(t)
	frozen, digest := l.view(), l.hash()
	for i := range steps {
		op, command := a.step()
		cover.ops[op]++
		if last := &entries[len(entries)-1]; a.rng.IntN(3) == 0 && len(last.commands) < 8 {
			data := Encode(op, command) // one more at the same index
			last.commands = append(last.commands, data)
			l.store.Apply(&raft.Log{Index: last.index, Type: raft.LogCommand, Data: data})
		} else {
			write(op, command)
		}
		v := l.view()
		h.see(v)
		if i%4 == 0 { // what is wrong stays wrong for a while
			checkInvariants(t, v)
		}
		if i%50 == 0 { // an older view stays as it was
			if got := digestOf(t, frozen); got != digest {
				t.Errorf("index %d: the view of index %d has changed since", l.index, frozen.index)
			}
			frozen, digest = v, l.hash()
		}
		if t.Failed() {
			t.Fatalf("seed %d, step %d: %d %+v", seed, i, op, command)
		}
	}
	if len(l.faults) > 0 {
		t.Fatal(l.faults)
	}
	return entries, l
}

// digestOf returns the digest of what a view shows now.
func digestOf(t testing.TB, v *View) string {
	t.Helper()
	var b strings.Builder
	if err := writeState(&b, v, 0); err != nil {
		t.Fatal(err)
	}
	l := restored(t, []byte(b.String()))
	return l.hash()
}

// asBatch is one entry with all the commands of an index.
func (e *logEntry) asBatch() *raft.Log {
	data := e.commands[0]
	if len(e.commands) > 1 {
		data = Encode(OpBatch, Batch{e.commands})
	}
	return &raft.Log{Index: e.index, Type: raft.LogCommand, Data: data}
}

// TestDifferential applies one random log in different ways: the states must be
// equal. One store takes the commands one by one, one takes them in batches, one
// is restored from a snapshot that was taken in the middle and persisted while
// more was applied, and goes on from there.
func TestDifferential(t *testing.T) {
	seeds, steps := 4, 3500
	if testing.Short() || slow {
		seeds, steps = 1, 1500
	}
	cover := &coverage{map[Opcode]int{OpBatch: 1}, map[string]int{}}
	for seed := range seeds {
		entries, straight := writeLog(t, uint64(seed), steps, cover)
		batched := newLab(t)
		var snap raft.FSMSnapshot
		var resumed *lab
		var rest []logEntry
		middle := len(entries) / 2
		persisted := make(chan []byte, 1)
		for i, e := range entries {
			batched.store.Apply(e.asBatch())
			if i == middle {
				var err error
				if snap, err = batched.store.Snapshot(); err != nil {
					t.Fatal(err)
				}
				rest = entries[i+1:]
			}
			if i == middle+1 {
				go func() { persisted <- snapshotBytes(t, snap) }()
			}
		}
		resumed = restored(t, <-persisted)
		if resumed.store.Index() != entries[middle].index {
			t.Errorf("seed %d: the snapshot is of index %d, not %d", seed, resumed.store.Index(), entries[middle].index)
		}
		for _, e := range rest {
			resumed.store.Apply(e.asBatch())
		}
		for name, l := range map[string]*lab{"batched": batched, "resumed": resumed} {
			if l.hash() != straight.hash() || l.store.Index() != straight.store.Index() {
				t.Errorf("seed %d: the %s store differs from the straight one", seed, name)
			}
			checkInvariants(t, l.view())
		}
	}
	checkCoverage(t, cover)
}

// checkCoverage: the random logs did everything to shards in every state, or
// they prove little.
func checkCoverage(t *testing.T, cover *coverage) {
	t.Helper()
	for op := range dispatch {
		if cover.ops[op] == 0 {
			t.Errorf("no command of opcode %d was drawn", op)
		}
	}
	if testing.Short() || slow {
		return
	}
	var missing []string
	for _, state := range []string{
		"pending", "pending_maybe", "pending_retry", "pending_manual",
		"armed", "armed_maybe",
		"retracting_pause", "retracting_version", "retracting_cancel",
		"running", "running_cancel", "succeeded", "failed", "cancelled",
	} {
		for _, event := range allEvents {
			if cover.events[state+"/"+event] == 0 {
				missing = append(missing, state+"/"+event)
			}
		}
	}
	for _, state := range []string{"armed_retry", "retracting_manual", "retracting_pause_maybe", "retracting_cancel_maybe", "retracting_cancel_retry", "retracting_replace", "running_drain"} {
		if !slices.ContainsFunc(allEvents, func(e string) bool { return cover.events[state+"/"+e] > 0 }) {
			missing = append(missing, state)
		}
	}
	if len(missing) > 0 {
		t.Errorf("%d pairs of state and event were never drawn: %v", len(missing), missing)
	}
}

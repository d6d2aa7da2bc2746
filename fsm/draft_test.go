package fsm

import (
	"bytes"
	"fmt"
	"iter"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// draftModel holds what the runs of a state should be.
type draftModel struct {
	st      *state
	c       *change
	now     map[string]*Run // as the command at work sees it
	settled map[string]*Run // without what that command wrote
}

func newDraftModel() *draftModel {
	m := &draftModel{st: newState(), now: map[string]*Run{}, settled: map[string]*Run{}}
	m.begin()
	return m
}

func (m *draftModel) begin() {
	m.st.draft.begin(m.st.db.Txn(false))
	m.c = &change{View{txn: m.st.draft.base, index: 1, draft: m.st.draft}, nil}
}

// drawRun draws one of a few runs, so that most are written more than once, in a
// state that moves it in and out of indexes. Two jobs share a namespace.
func drawRun(t *rapid.T) *Run {
	n := rapid.IntRange(0, 9).Draw(t, "run")
	return &Run{
		ID: fmt.Sprint("r", n), Namespace: "ns", Job: fmt.Sprint("job", n%2), CreateIndex: uint64(9 - n),
		State:    rapid.SampledFrom([]RunState{RunPending, RunRunning, RunSucceeded}).Draw(t, "state"),
		Deadline: Time(rapid.IntRange(0, 3).Draw(t, "deadline")),
		Reason:   rapid.StringN(0, 3, 3).Draw(t, "reason"),
	}
}

// TestDraft: whatever is written, undone and committed, every read of the draft, and
// of the database after the entry, sees the same as a plain map.
func TestDraft(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newDraftModel()
		t.Repeat(map[string]func(*rapid.T){
			"put": func(t *rapid.T) {
				r := drawRun(t)
				m.c.put(tableRuns, r)
				m.now[r.ID] = r
			},
			"remove": func(t *rapid.T) {
				r := drawRun(t)
				m.c.remove(tableRuns, r)
				delete(m.now, r.ID)
			},
			"take": func(*rapid.T) {
				m.st.draft.keep()
				m.settled = maps.Clone(m.now)
			},
			"refuse": func(*rapid.T) {
				m.st.draft.drop()
				m.now = maps.Clone(m.settled)
			},
			"commit": func(t *rapid.T) {
				m.st.draft.drop()
				m.now = maps.Clone(m.settled)
				m.st.draft.commit(m.st.db)
				m.check(t, &View{txn: m.st.db.Txn(false)})
				m.begin()
			},
			"": func(t *rapid.T) { m.check(t, &m.c.View) },
		})
	})
}

func (m *draftModel) check(t *rapid.T, v *View) {
	t.Helper()
	for n := range 10 {
		id := fmt.Sprint("r", n)
		if got := v.run(id); got != m.now[id] {
			t.Fatalf("run %s is %+v, want %+v", id, got, m.now[id])
		}
	}
	for _, s := range []struct {
		name   string
		got    iter.Seq[*Run]
		index  string
		prefix []byte
	}{
		{"all", v.AllRuns(""), indexID, nil},
		{"after", v.AllRuns("r4"), indexID, nil},
		{"active", v.AllActiveRuns(), byActive, nil},
		{"deadlines", v.Deadlines(), byDeadline, nil},
		{"job0", v.runsOf(JobKey{"ns", "job0"}), byJob, jobKey(JobKey{"ns", "job0"})},
		{"job1", v.runsOf(JobKey{"ns", "job1"}), byJob, jobKey(JobKey{"ns", "job1"})},
		{"active of job1", v.activeRuns(JobKey{"ns", "job1"}), byActive, jobKey(JobKey{"ns", "job1"})},
	} {
		want := m.scan(s.index, s.prefix)
		if s.name == "after" {
			want = slices.DeleteFunc(want, func(r *Run) bool { return r.ID <= "r4" })
		}
		if got := slices.Collect(s.got); !slices.Equal(want, got) {
			t.Fatalf("%s (-want +got):\n%s", s.name, cmp.Diff(want, got))
		}
	}
}

// scan returns what an index should yield.
func (m *draftModel) scan(index string, prefix []byte) []*Run {
	runs := m.st.draft.tables[tableRuns]
	var found []keyed
	for _, r := range m.now {
		if key := runs.key(index, r); key != nil && bytes.HasPrefix(key, prefix) {
			found = append(found, keyed{key, r})
		}
	}
	slices.SortFunc(found, func(a, b keyed) int { return bytes.Compare(a.key, b.key) })
	var out []*Run
	for _, f := range found {
		out = append(out, f.obj.(*Run))
	}
	return out
}

// TestScanSeesItsBeginning: what is written while a scan runs does not change what
// it yields, be it of the database or of the draft.
func TestScanSeesItsBeginning(t *testing.T) {
	m := newDraftModel()
	run := func(n int, state RunState) *Run {
		return &Run{ID: fmt.Sprint("r", n), Namespace: "ns", Job: "j", CreateIndex: uint64(n), State: state}
	}
	for n := range 6 {
		m.c.put(tableRuns, run(n, RunRunning))
	}
	m.st.draft.keep()
	m.st.draft.commit(m.st.db)
	m.begin()
	m.c.put(tableRuns, run(1, RunPending))
	var seen []string
	for r := range m.c.activeRuns(JobKey{"ns", "j"}) {
		seen = append(seen, r.ID+" "+string(r.State))
		for n := range 8 {
			m.c.put(tableRuns, run(n, RunSucceeded))
		}
	}
	want := []string{"r0 running", "r1 pending", "r2 running", "r3 running", "r4 running", "r5 running"}
	if diff := cmp.Diff(want, seen); diff != "" {
		t.Errorf("the scan saw (-want +got):\n%s", diff)
	}
	if m.c.hasActiveRuns(JobKey{"ns", "j"}) {
		t.Error("a scan that begins afterwards does not see what was written")
	}
}

// TestFamiliesLeadTheirIndexes: a scan of a family finds what was written to it only
// if the keys of its indexes begin with the family.
func TestFamiliesLeadTheirIndexes(t *testing.T) {
	objects := map[string]any{
		tableVersions: &JobVersion{Namespace: "ns", Name: "j", Version: 3},
		tableCursors:  &Cursor{Namespace: "ns", Job: "j", Schedule: 2},
		tableFires:    &Fire{Namespace: "ns", Job: "j", ScheduledAt: 5},
		tableRuns:     &Run{ID: "r", Namespace: "ns", Job: "j", CreateIndex: 4},
		tableTasks:    &RunTask{RunID: "r", Name: "t"},
		tableShards:   &Shard{RunID: "r", Task: "t", Index: 1},
		tableFollows:  &Follow{Namespace: "ns", Upstream: "u", Job: "j"},
		tableNotifications: &Notification{
			Event: Event{Namespace: "ns", Job: "j"}, Seq: 7, Status: NotificationPending,
		},
	}
	for _, l := range layouts {
		obj := objects[l.Name]
		if l.family == nil {
			continue
		}
		if obj == nil {
			t.Errorf("table %s has families: add an object of it here", l.Name)
			continue
		}
		for _, index := range l.byFamily {
			if got := l.familyIn(index, l.key(index, obj)); !bytes.Equal(got, l.family(obj)) {
				t.Errorf("index %s of %s: a scan looks in the family %q, what is written stands in %q", index, l.Name, got, l.family(obj))
			}
		}
	}
}

// TestScansOverlap: a scan that ends does not let writes into the rows of another that
// began after such a write.
func TestScansOverlap(t *testing.T) {
	m := newDraftModel()
	put := func(n int, state RunState) {
		m.c.put(tableRuns, &Run{ID: fmt.Sprint("r", n), Namespace: "ns", Job: "j", CreateIndex: uint64(n), State: state})
	}
	for n := range 4 {
		put(n, RunRunning)
	}
	nextFirst, endFirst := iter.Pull(m.c.activeRuns(JobKey{"ns", "j"}))
	nextFirst()
	put(0, RunSucceeded)
	next, end := iter.Pull(m.c.activeRuns(JobKey{"ns", "j"}))
	defer end()
	r, _ := next()
	got := []*Run{r}
	endFirst()
	put(1, RunSucceeded)
	put(2, RunSucceeded)
	for r, more := next(); more; r, more = next() {
		got = append(got, r)
	}
	if len(got) != 3 || got[1].State != RunRunning {
		t.Fatalf("the second scan found %v, want the three that were active when it began", got)
	}
}

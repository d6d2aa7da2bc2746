package fsm

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestNamesThatWouldBreakKeys(t *testing.T) {
	l := newLab(t)
	l.put(spec("j", 0))
	for _, name := range []string{"", "a\x00b", "../../etc", "a b", strings.Repeat("x", MaxNameLength+1)} {
		if err := l.start("j", name); !errors.Is(err, ErrInvalid) {
			t.Errorf("run ID %.20q: %v", name, err)
		}
		if r := l.apply(OpRegisterNode, RegisterNode{l.now, Node{ID: name, Name: "n"}}); !errors.Is(r.Err, ErrInvalid) {
			t.Errorf("node ID %.20q: %v", name, r.Err)
		}
		if r := l.apply(OpRegisterNode, RegisterNode{l.now, Node{ID: "n", Name: name}}); !errors.Is(r.Err, ErrInvalid) {
			t.Errorf("node name %.20q: %v", name, r.Err)
		}
		s := spec(name, 0)
		if r := l.apply(OpPutJobs, PutJobs{l.now, []PutJob{{Spec: s}}}); !errors.Is(r.Err, ErrInvalid) {
			t.Errorf("job %.20q: %v", name, r.Err)
		}
	}
}

// TestFencesGrow: also when one entry arms a shard twice.
func TestFencesGrow(t *testing.T) {
	l := newLab(t)
	l.node("n1", 1)
	l.put(spec("j", 1))
	run := l.fired("j", nil)
	ref := AttemptRef{run.ID, run.Gate, 0, 0}
	var commands [][]byte
	for range 3 {
		commands = append(commands, Encode(OpArmShards, ArmShards{l.now, []Placement{{AttemptRef: ref, Node: "n1", Incarnation: 1}}}))
		ref.Attempt++
		commands = append(commands, Encode(OpDisplaceShards, DisplaceShards{l.now, DisplaceMove, []AttemptRef{ref}, ""}))
	}
	for i, r := range l.entry(Encode(OpBatch, Batch{commands})).(BatchResult) {
		if errs := r.Value.([]error); r.Err != nil || errs[0] != nil {
			t.Fatalf("command %d: %v %v", i, r.Err, errs)
		}
	}
	last := uint64(0)
	for _, a := range l.gate(run).Past {
		if a.Fence <= last {
			t.Errorf("attempt %d has fence %d after %d", a.Number, a.Fence, last)
		}
		last = a.Fence
	}
}

// TestRefusalLeavesNothing: a command that writes before it refuses is undone.
func TestRefusalLeavesNothing(t *testing.T) {
	const op = 9998
	dispatch[op] = def(op, "test", func(c *change, cmd *StartRun) (any, error) {
		c.putSettings(&Settings{Format: 77})
		return nil, ErrConflict
	})
	defer delete(dispatch, op)
	l := newLab(t)
	before := l.hash()
	if r := l.apply(op, StartRun{}); !errors.Is(r.Err, ErrConflict) {
		t.Fatalf("answer %v", r.Err)
	}
	if l.hash() != before {
		t.Error("the state changed")
	}
}

// TestNodes: registration, retirement of a name's earlier holder, and statuses.
func TestNodes(t *testing.T) {
	l := newLab(t)
	l.node("n1", 3)
	if r := l.apply(OpRegisterNode, RegisterNode{l.now, Node{ID: "n1", Name: "n1", Incarnation: 2}}); !errors.Is(r.Err, ErrStale) {
		t.Errorf("an earlier life of the node: %v", r.Err)
	}
	l.must(OpSetNodeStatus, SetNodeStatus{At: l.now, ID: "n1", Status: NodeDraining, By: "ann"})
	l.node("n1", 4)
	if n := l.view().Node("n1"); n.Status != NodeDraining || n.StatusSetBy != "ann" {
		t.Errorf("an operator's word is lost with a restart: %+v", n)
	}
	l.must(OpSetNodeStatus, SetNodeStatus{At: l.now, ID: "n1", Status: NodeDown, By: "leader"})
	l.node("n1", 5)
	if n := l.view().Node("n1"); n.Status != NodeReady || n.StatusSetBy != "" {
		t.Errorf("a node that is back is %s, said %q", n.Status, n.StatusSetBy)
	}
	l.must(OpRegisterNode, RegisterNode{l.now, Node{ID: "n2", Name: "n1", Incarnation: 1}})
	if old := l.view().Node("n1"); old.Status != NodeLeft || old.Name == "n1" {
		t.Errorf("the earlier holder of the name is %+v", old)
	}
	if r := l.apply(OpSetNodeStatus, SetNodeStatus{At: l.now, ID: "n1", Status: "tired", By: ""}); !errors.Is(r.Err, ErrInvalid) {
		t.Errorf("unknown status: %v", r.Err)
	}
	if r := l.apply(OpSetNodeStatus, SetNodeStatus{At: l.now, ID: "n9", Status: NodeReady, By: ""}); !errors.Is(r.Err, ErrNotFound) {
		t.Errorf("unknown node: %v", r.Err)
	}
}

// TestHistory: what is kept is bounded, and what is still needed is kept.
func TestHistory(t *testing.T) {
	l := newLab(t)
	l.node("n1", 1)
	s := spec("j", 1)
	s.Schedules[0].Overlap = OverlapAllow
	s.History.Runs = 3
	l.put(s)
	long := l.fired("j", on("n1"))
	l.took(l.report(l.gate(long), ReportStarted, ""))
	for i := range 100 {
		run := l.fired("j", on("n1"))
		l.now = run.ScheduledAt
		l.took(l.report(l.gate(run), ReportEnded, AttemptSucceeded))
		if i%5 == 0 {
			s.Description = fmt.Sprint(i)
			l.put(s)
		}
		checkInvariants(t, l.view())
	}
	v := l.view()
	if n := len(slices.Collect(v.Runs(key("j")))); n != 3+1 {
		t.Errorf("%d runs are kept, want 3 and the active one", n)
	}
	if n := len(slices.Collect(v.Fires(key("j")))); n != 30 && n != 31 {
		t.Errorf("%d fires are kept", n)
	}
	if v.Fire(key("j"), long.ScheduledAt) == nil {
		t.Error("the fire of the active run is gone")
	}
	if v.Spec(long) == nil {
		t.Error("the version of the active run is gone")
	}
	if n := len(slices.Collect(v.Versions(key("j")))); n != keptVersion+1 {
		t.Errorf("%d versions are kept, want %d and the active run's", n, keptVersion)
	}
	l.took(l.report(l.gate(long), ReportEnded, AttemptSucceeded))
	l.must(OpPruneHistory, PruneHistory{At: l.now + 1000*second + Time(DefaultHistoryAge), Jobs: []JobKey{key("j"), key("nobody")}})
	if n := len(slices.Collect(l.view().Runs(key("j")))); n != 0 {
		t.Errorf("%d runs outlive their age", n)
	}
	checkInvariants(t, l.view())
}

// TestSpecOfAPrunedVersion: a kept run may outlive its version's content.
func TestSpecOfAPrunedVersion(t *testing.T) {
	l := newLab(t)
	l.node("n1", 1)
	s := spec("j", 1)
	l.put(s)
	run := l.fired("j", on("n1"))
	l.took(l.report(l.gate(run), ReportEnded, AttemptSucceeded))
	for i := range 2 * keptVersion {
		s.Description = fmt.Sprint(i)
		l.put(s)
	}
	v := l.view()
	if v.Run(run.ID) == nil {
		t.Fatal("the run is gone")
	}
	if got := v.Spec(v.Run(run.ID)); got != nil {
		t.Errorf("the pruned version's content is %+v", got)
	}
}

// TestDeleteAndMakeAgain: nothing of the old job is left to mix with the new.
func TestDeleteAndMakeAgain(t *testing.T) {
	s := newScene(t, true)
	old := s.shard()
	s.then(deletes)
	if r := s.apply(OpPutJobs, PutJobs{s.now, []PutJob{{Spec: spec("j", 0)}}}); !errors.Is(r.Err, ErrDeleting) {
		t.Errorf("made again while the old one may start: %v", r.Err)
	}
	s.then(reports(ReportNever, ""))
	if s.view().Job(key("j")) != nil {
		t.Fatal("the job is still there")
	}
	checkInvariants(t, s.view())
	s.put(spec("j", 1))
	run := s.fired("j", on("n1"))
	if run.ScheduledAt != s.run.ScheduledAt {
		t.Fatal("the test needs the same instant")
	}
	if err := s.report(old, ReportNever, ""); !errors.Is(err, ErrStale) {
		t.Errorf("a report on the old job's attempt: %v", err)
	}
}

// TestLossesEnd: a shard that loses its process again and again fails at last.
func TestLossesEnd(t *testing.T) {
	s := newScene(t, true)
	n := 0
	for s.shard().State.Held() {
		s.then(displaces(DisplaceLose))
		if s.shard().State == ShardPending {
			s.then(arms)
		}
		n++
	}
	if n != maxLosses+1 || s.shard().State != ShardFailed || len(s.shard().Past) > maxPastAttempts {
		t.Errorf("%d losses, then %s with %d past attempts", n, s.shard().State, len(s.shard().Past))
	}
	checkInvariants(t, s.view())
}

// TestReportsAreBounded: what a node says is cut to its bounds.
func TestReportsAreBounded(t *testing.T) {
	s := newScene(t, true)
	big := strings.Repeat("x", 1<<20)
	s.took(s.one(OpReportAttempts, ReportAttempts{s.now, "n1", 1, []Report{{
		AttemptRef: s.shard().Ref(), Kind: ReportEnded, Outcome: AttemptStartFailed, Error: big, Signal: big,
		Tail: []byte(big[:MaxTail] + "end"),
	}}}))
	a := s.shard().Current
	if len(a.Error) != maxErrorText || len(a.Signal) != maxErrorText || len(a.Tail) != MaxTail || cap(a.Tail) > 2*MaxTail {
		t.Errorf("kept %d bytes of error, %d of signal, %d (%d) of tail", len(a.Error), len(a.Signal), len(a.Tail), cap(a.Tail))
	}
	if !strings.HasSuffix(string(a.Tail), "end") {
		t.Error("the tail is not the end")
	}
}

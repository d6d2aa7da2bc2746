package fsm

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestOneRunPerFire: however often and by whatever way an instant is decided, it
// makes one run.
func TestOneRunPerFire(t *testing.T) {
	l := newLab(t)
	l.node("n1", 1)
	l.put(spec("j", 2)) // both schedules are due at the same instants
	cur := l.view().cursor(key("j"), 0)
	decision := FireDecision{Job: key("j"), Version: 1, Instant: cur.Next, Next: cur.Next + second, Arm: on("n1")}
	l.took(l.one(OpDecideFires, DecideFires{l.now, []FireDecision{decision}}))
	if err := l.one(OpDecideFires, DecideFires{l.now, []FireDecision{decision}}); !errors.Is(err, ErrStale) {
		t.Errorf("the same decision again: %v", err)
	}
	decision.Schedule = 1
	l.took(l.one(OpDecideFires, DecideFires{l.now, []FireDecision{decision}}))
	runs := slices.Collect(l.view().Runs(key("j")))
	if len(runs) != 1 {
		t.Errorf("%d runs of one instant", len(runs))
	}
	if got := l.view().cursor(key("j"), 1).Next; got != cur.Next+second {
		t.Errorf("the second schedule stands at %s", got)
	}
}

// TestDecisionsRefused: a decision that does not fit leaves nothing behind.
func TestDecisionsRefused(t *testing.T) {
	good := func(l *lab) FireDecision {
		next := l.view().cursor(key("j"), 0).Next
		return FireDecision{Job: key("j"), Version: 1, Instant: next, Next: next + second}
	}
	for _, c := range []struct {
		name   string
		change func(*FireDecision)
		want   error
	}{
		{"another job", func(d *FireDecision) { d.Job.Name = "k" }, ErrStale},
		{"zero bytes in the name", func(d *FireDecision) { d.Job.Name = "j\x00" }, ErrStale},
		{"an older version", func(d *FireDecision) { d.Version = 0 }, ErrStale},
		{"a newer version", func(d *FireDecision) { d.Version = 2 }, ErrStale},
		{"no such schedule", func(d *FireDecision) { d.Schedule = 1 }, ErrStale},
		{"a negative schedule", func(d *FireDecision) { d.Schedule = -1 }, ErrStale},
		{"an instant before", func(d *FireDecision) { d.Instant -= second }, ErrStale},
		{"an instant after", func(d *FireDecision) { d.Instant += second }, ErrStale},
		{"no instant", func(d *FireDecision) { d.Instant = 0 }, ErrStale},
		{"time that stands still", func(d *FireDecision) { d.Next = d.Instant }, ErrInvalid},
		{"a next one within the summary", func(d *FireDecision) { d.Until = d.Next + second }, ErrInvalid},
		{"a negative count", func(d *FireDecision) { d.Count = -1 }, ErrInvalid},
		{"an unknown reason", func(d *FireDecision) { d.Skip = "boredom" }, ErrInvalid},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLab(t)
			l.put(spec("j", 1))
			d := good(l)
			c.change(&d)
			before := l.hash()
			if err := l.one(OpDecideFires, DecideFires{l.now, []FireDecision{d}}); !errors.Is(err, c.want) {
				t.Errorf("answer %v, want %v", err, c.want)
			}
			if l.hash() != before {
				t.Error("the state changed")
			}
		})
	}
}

// TestExhaustedScheduleDecidesNothing: an unset next instant is not an instant.
func TestExhaustedScheduleDecidesNothing(t *testing.T) {
	l := newLab(t)
	l.now = -5
	l.must(OpPutJobs, PutJobs{l.now, []PutJob{{Spec: spec("j", 1), Next: []Time{0}}}})
	err := l.one(OpDecideFires, DecideFires{l.now, []FireDecision{{Job: key("j"), Version: 1}}})
	if !errors.Is(err, ErrStale) {
		t.Errorf("answer %v", err)
	}
}

// TestStaleReports: only the current attempt's node, in its incarnation or a
// later one, is heard.
func TestStaleReports(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*ReportAttempts)
		want   error
	}{
		{"as it should be", func(*ReportAttempts) {}, nil},
		{"a newer incarnation", func(r *ReportAttempts) { r.Incarnation++ }, nil},
		{"an older incarnation", func(r *ReportAttempts) { r.Incarnation-- }, ErrStale},
		{"another node", func(r *ReportAttempts) { r.Node = "n1" }, ErrStale},
		{"an earlier attempt", func(r *ReportAttempts) { r.Reports[0].Attempt-- }, ErrStale},
		{"a later attempt", func(r *ReportAttempts) { r.Reports[0].Attempt++ }, ErrStale},
		{"another shard", func(r *ReportAttempts) { r.Reports[0].Shard++ }, ErrStale},
		{"a negative shard", func(r *ReportAttempts) { r.Reports[0].Shard = -1 }, ErrStale},
		{"another task", func(r *ReportAttempts) { r.Reports[0].Task = "then" }, ErrStale},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newScene(t, true).then(displaces(DisplaceMove), arms)
			r := ReportAttempts{At: s.now, Node: "n2", Incarnation: 1, Reports: []Report{
				{AttemptRef: s.shard().Ref(), Kind: ReportStarted, StartedAt: s.now}}}
			c.change(&r)
			before := s.hash()
			if err := s.one(OpReportAttempts, r); !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
				t.Errorf("answer %v, want %v", err, c.want)
			}
			if c.want != nil && s.hash() != before {
				t.Error("the state changed")
			}
		})
	}
}

// TestStalePlacements: a plan made of an older state is refused.
func TestStalePlacements(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*scene, *Placement)
		want   error
	}{
		{"as it should be", func(*scene, *Placement) {}, nil},
		{"an earlier attempt", func(_ *scene, p *Placement) { p.Attempt-- }, ErrStale},
		{"no such node", func(_ *scene, p *Placement) { p.Node = "n9" }, ErrStale},
		{"an older incarnation", func(_ *scene, p *Placement) { p.Incarnation = 0 }, ErrStale},
		{"a newer incarnation", func(_ *scene, p *Placement) { p.Incarnation = 2 }, ErrStale},
		{"no such run", func(_ *scene, p *Placement) { p.RunID = "x" }, ErrStale},
		{"a node that drains", func(s *scene, _ *Placement) {
			s.must(OpSetNodeStatus, SetNodeStatus{s.now, "n2", NodeDraining, "test"})
		}, ErrStale},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newScene(t, true).then(displaces(DisplaceMove))
			p := Placement{AttemptRef: s.shard().Ref(), Node: "n2", Incarnation: 1}
			c.change(s, &p)
			before := s.hash()
			if err := s.one(OpArmShards, ArmShards{s.now, []Placement{p}}); !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
				t.Errorf("answer %v, want %v", err, c.want)
			}
			if c.want != nil && s.hash() != before {
				t.Error("the state changed")
			}
		})
	}
}

// TestFireTakenBackAndDecidedAnew: the run of the new version is another run, so
// that what is still said of the old attempt does not touch it.
func TestFireTakenBackAndDecidedAnew(t *testing.T) {
	s := newScene(t, true)
	old := s.shard()
	s.then(renews, reports(ReportNever, ""))
	run := s.fired("j", on("n1"))
	if run.ScheduledAt != s.run.ScheduledAt || run.Version != 2 {
		t.Fatalf("decided %+v", run)
	}
	before := s.hash()
	for _, kind := range []ReportKind{ReportNever, ReportStarted, ReportEnded, ReportSkipped} {
		if err := s.report(old, kind, ""); !errors.Is(err, ErrStale) {
			t.Errorf("late report %q on the old attempt: %v", kind, err)
		}
	}
	if s.hash() != before {
		t.Error("late reports changed the state")
	}
}

// TestNewVersionWaitsForTheOldFire: until the node has given the old fire back,
// the new version does not decide the instant.
func TestNewVersionWaitsForTheOldFire(t *testing.T) {
	s := newScene(t, true).then(renews)
	if _, err := s.decide("j", nil); !errors.Is(err, ErrConflict) {
		t.Errorf("decided while the old fire may still start: %v", err)
	}
	s.then(reports(ReportStarted, ""))
	if _, err := s.decide("j", nil); err != nil {
		t.Errorf("the instant that the old version ran: %v", err)
	}
	if n := len(slices.Collect(s.view().Runs(key("j")))); n != 1 {
		t.Errorf("%d runs of one instant", n)
	}
}

// TestNoFireVanishes: a fire that is due keeps an outcome through new versions.
func TestNoFireVanishes(t *testing.T) {
	t.Run("due and pending stays", func(t *testing.T) {
		s := newScene(t, false).then(renewsLate)
		if s.shard().State != ShardPending {
			t.Errorf("gate is %s", s.shard().State)
		}
	})
	t.Run("asked back by one version, overtaken by the next", func(t *testing.T) {
		s := newScene(t, true).then(renews, renewsLate, reports(ReportNever, ""))
		if got := s.describe(); got != "gate gone; run gone; fire skipped superseded" {
			t.Error(got)
		}
	})
	t.Run("due and never decided", func(t *testing.T) {
		l := newLab(t)
		l.put(spec("j", 1))
		due := l.view().cursor(key("j"), 0).Next
		l.now = due + second
		changed := spec("j", 1)
		changed.Description = "new"
		l.put(changed)
		f := l.view().Fire(key("j"), due)
		if f == nil || f.Outcome != OutcomeSkipped || f.Reason != ReasonSuperseded || f.Until != l.now {
			t.Errorf("the fire is %+v", f)
		}
		checkInvariants(t, l.view())
	})
}

func TestPause(t *testing.T) {
	t.Run("instants of the pause are skipped, also when decided later", func(t *testing.T) {
		l := newLab(t)
		l.node("n1", 1)
		l.put(spec("j", 1))
		l.now += 5 * second
		l.pause("j", true)
		l.now += 20 * second
		l.pause("j", false)
		var got []string
		for range 3 {
			cur := l.view().cursor(key("j"), 0)
			if _, err := l.decide("j", nil); err != nil {
				t.Fatal(err)
			}
			f := l.view().Fire(key("j"), cur.Next)
			got = append(got, f.Outcome+f.Reason)
		}
		if diff := cmp.Diff([]string{"skippedpaused", "skippedpaused", ""}, got); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("a waiting manual run ends", func(t *testing.T) {
		s := newScene(t, true).then(starts, pauses)
		if m := s.view().Run("manual"); m.State != RunCancelled || m.Reason != ReasonPaused {
			t.Errorf("manual run %s: %s", m.State, m.Reason)
		}
	})
	t.Run("again changes nothing", func(t *testing.T) {
		s := newScene(t, true).then(pauses)
		before := s.hash()
		s.then(pauses)
		if s.hash() != before {
			t.Error("the state changed")
		}
	})
}

// TestManualRunAgainstFires: rule 26 with several fires in different states.
func TestManualRunAgainstFires(t *testing.T) {
	type world struct {
		*lab
		a, b, pending *Run
	}
	setup := func(t *testing.T) *world {
		l := newLab(t)
		l.node("n1", 1)
		l.put(spec("j", 1))
		w := &world{l, l.fired("j", on("n1")), l.fired("j", on("n1")), l.fired("j", nil)}
		l.took(l.start("j", "m"))
		m := l.view().Run("m")
		if !slices.Equal(m.WaitsFor, []string{w.a.ID, w.b.ID}) || l.gate(m) != nil {
			t.Fatalf("the manual run waits for %v, gate %v", m.WaitsFor, l.gate(m))
		}
		if got := l.view().Run(w.pending.ID).Condition; !slices.Contains(got, "m") {
			t.Fatalf("the pending fire's condition is %v", got)
		}
		return w
	}
	t.Run("all given back", func(t *testing.T) {
		w := setup(t)
		earlier, before := w.view(), w.hash()
		w.took(w.report(w.gate(w.a), ReportNever, ""))
		if w.gate(w.view().Run("m")) != nil {
			t.Fatal("placed before the last fire was given back")
		}
		if digestOf(t, earlier) != before {
			t.Error("an older view has changed")
		}
		w.took(w.displace(w.gate(w.b), DisplaceMove))
		m := w.view().Run("m")
		if len(m.WaitsFor) != 0 || w.gate(m).State != ShardPending {
			t.Fatalf("the manual run waits for %v", m.WaitsFor)
		}
		for _, r := range []*Run{w.a, w.b} {
			if got := w.view().Run(r.ID).Condition; !slices.Contains(got, "m") {
				t.Errorf("fire %s is not behind the manual run: %v", r.ID, got)
			}
		}
		checkInvariants(t, w.view())
	})
	t.Run("one had started", func(t *testing.T) {
		w := setup(t)
		w.took(w.report(w.gate(w.a), ReportNever, ""))
		w.took(w.report(w.gate(w.b), ReportStarted, ""))
		if m := w.view().Run("m"); m.State != RunCancelled || m.Reason != ReasonOverlap {
			t.Errorf("the manual run is %s: %s", m.State, m.Reason)
		}
		checkInvariants(t, w.view())
	})
	t.Run("a new version takes the fires", func(t *testing.T) {
		w := setup(t)
		changed := spec("j", 1)
		changed.Description = "new"
		w.put(changed)
		w.took(w.report(w.gate(w.a), ReportNever, ""))
		w.took(w.report(w.gate(w.b), ReportStarted, ""))
		if m := w.view().Run("m"); !m.State.Ended() {
			t.Errorf("the manual run is %s and waits for %v", m.State, m.WaitsFor)
		}
		checkInvariants(t, w.view())
	})
	t.Run("cancelled", func(t *testing.T) {
		w := setup(t)
		w.must(OpCancelRun, CancelRun{w.now, "m"})
		w.took(w.report(w.gate(w.a), ReportNever, ""))
		w.took(w.report(w.gate(w.b), ReportNever, ""))
		if s := w.gate(w.a); s.State != ShardPending {
			t.Errorf("the fire given back is %s", s.State)
		}
		checkInvariants(t, w.view())
	})
	t.Run("again with the same ID", func(t *testing.T) {
		w := setup(t)
		before := w.hash()
		w.took(w.start("j", "m"))
		if w.hash() != before {
			t.Error("the state changed")
		}
	})
	t.Run("a second one", func(t *testing.T) {
		if err := setup(t).start("j", "m2"); !errors.Is(err, ErrOverlap) {
			t.Errorf("answer %v", err)
		}
	})
}

// TestManualRunsOfAJobThatAllowsThem run side by side, every root at once.
func TestManualRunsOfAJobThatAllowsThem(t *testing.T) {
	l := newLab(t)
	l.node("n1", 1)
	l.put(spec("j", 0, task("a"), task("b"), task("c", "a", "b")))
	for _, id := range []string{"m1", "m2"} {
		l.took(l.start("j", id))
		if n := len(slices.Collect(l.view().Shards(id))); n != 2 {
			t.Errorf("run %s has %d shards, want its two roots", id, n)
		}
	}
}

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
	l.must(OpSetNodeStatus, SetNodeStatus{l.now, "n1", NodeDraining, "ann"})
	l.node("n1", 4)
	if n := l.view().Node("n1"); n.Status != NodeDraining || n.StatusSetBy != "ann" {
		t.Errorf("an operator's word is lost with a restart: %+v", n)
	}
	l.must(OpSetNodeStatus, SetNodeStatus{l.now, "n1", NodeDown, "leader"})
	l.node("n1", 5)
	if n := l.view().Node("n1"); n.Status != NodeReady || n.StatusSetBy != "" {
		t.Errorf("a node that is back is %s, said %q", n.Status, n.StatusSetBy)
	}
	l.must(OpRegisterNode, RegisterNode{l.now, Node{ID: "n2", Name: "n1", Incarnation: 1}})
	if old := l.view().Node("n1"); old.Status != NodeLeft || old.Name == "n1" {
		t.Errorf("the earlier holder of the name is %+v", old)
	}
	if r := l.apply(OpSetNodeStatus, SetNodeStatus{l.now, "n1", "tired", ""}); !errors.Is(r.Err, ErrInvalid) {
		t.Errorf("unknown status: %v", r.Err)
	}
	if r := l.apply(OpSetNodeStatus, SetNodeStatus{l.now, "n9", NodeReady, ""}); !errors.Is(r.Err, ErrNotFound) {
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

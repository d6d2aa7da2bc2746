package fsm

import (
	"errors"
	"slices"
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
			s.must(OpSetNodeStatus, SetNodeStatus{At: s.now, ID: "n2", Status: NodeDraining, By: "test"})
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
	t.Run("due, and held up by an older version's fire", func(t *testing.T) {
		l := newLab(t)
		l.node("n1", 1)
		l.put(spec("j", 1))
		if _, err := l.decide("j", &Placement{Node: "n1", Incarnation: 1}); err != nil {
			t.Fatal(err)
		}
		newer, newest := spec("j", 1), spec("j", 1)
		newer.Description, newest.Description = "second", "third"
		l.put(newer) // asks the fire back; its node does not answer
		held := l.view().cursor(key("j"), 0).Next
		l.now = held + 10*second
		l.put(newest)
		f := l.view().Fire(key("j"), held+1)
		if f == nil || f.Outcome != OutcomeSkipped || f.Reason != ReasonSuperseded || f.Until != l.now {
			t.Errorf("what was due after the held fire is %+v", f)
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

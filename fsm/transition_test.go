package fsm

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// scene is a job "j" with one fire, brought to some state. Its second task waits
// for the gate.
type scene struct {
	*lab
	run *Run
}

func newScene(t testing.TB, arm bool) *scene {
	l := newLab(t)
	l.node("n1", 1)
	l.node("n2", 1)
	l.put(spec("j", 1, task("main"), task("then", "main")))
	if arm {
		return &scene{l, l.fired("j", on("n1"))}
	}
	return &scene{l, l.fired("j", nil)}
}

func (s *scene) shard() *Shard { return s.gate(s.run) }

// then applies steps that have to be taken.
func (s *scene) then(steps ...func(*scene) error) *scene {
	s.t.Helper()
	for i, step := range steps {
		if err := step(s); err != nil {
			s.t.Fatalf("step %d: %v", i, err)
		}
	}
	return s
}

func reports(kind ReportKind, outcome string) func(*scene) error {
	return func(s *scene) error { return s.report(s.shardOrGhost(), kind, outcome) }
}

func displaces(kind DisplaceKind) func(*scene) error {
	return func(s *scene) error { return s.displace(s.shardOrGhost(), kind) }
}

// shardOrGhost is the gate, or its name with attempt 1 if the run is gone.
func (s *scene) shardOrGhost() *Shard {
	if sh := s.shard(); sh != nil {
		return sh
	}
	return &Shard{RunID: s.run.ID, Task: s.run.Gate, Current: Attempt{Number: 1, Node: "n1", Incarnation: 1}}
}

func arms(s *scene) error { return s.arm(s.shardOrGhost(), "n2") }

func pauses(s *scene) error { return s.apply(OpSetPaused, SetPaused{s.now, key("j"), true}).Err }

func renews(s *scene) error {
	sp := spec("j", 1, task("main"), task("then", "main"))
	sp.Description = fmt.Sprint("version at index ", s.index)
	return s.apply(OpPutJobs, PutJobs{s.now, []PutJob{{Spec: sp, Next: []Time{s.run.ScheduledAt}}}}).Err
}

// renewsLate is a new version once the fire is due.
func renewsLate(s *scene) error {
	s.now = s.run.ScheduledAt + second
	sp := spec("j", 1, task("main"), task("then", "main"))
	sp.Description = "late"
	return s.apply(OpPutJobs, PutJobs{s.now, []PutJob{{Spec: sp, Next: []Time{s.now + second}}}}).Err
}

func starts(s *scene) error { return s.start("j", "manual") }

func cancels(s *scene) error {
	return s.apply(OpCancelRun, CancelRun{s.now, s.run.ID}).Err
}

func evicts(s *scene) error {
	return s.one(OpEvictShards, EvictShards{s.now, []AttemptRef{s.shardOrGhost().Ref()}})
}

func deletes(s *scene) error { return s.apply(OpDeleteJob, DeleteJob{s.now, key("j")}).Err }

// origins brings a scene to each state that a gate can be in.
func origins() []struct {
	name string
	make func(testing.TB) *scene
} {
	type origin = struct {
		name string
		make func(testing.TB) *scene
	}
	from := func(name string, steps ...func(*scene) error) origin {
		return origin{name, func(t testing.TB) *scene { return newScene(t, true).then(steps...) }}
	}
	started, lost := reports(ReportStarted, ""), displaces(DisplaceLose)
	return []origin{
		{"pending", func(t testing.TB) *scene { return newScene(t, false) }},
		from("pending_again", displaces(DisplaceMove)),
		from("pending_maybe", lost),
		from("pending_retry", started, lost),
		from("armed"),
		from("armed_maybe", lost, arms),
		from("armed_retry", started, lost, arms),
		from("retracting_pause", pauses),
		from("retracting_manual", starts),
		from("retracting_version", renews),
		from("retracting_cancel", cancels),
		from("retracting_delete", deletes),
		from("retracting_maybe_pause", lost, arms, pauses),
		from("running", started),
		from("running_cancelling", started, cancels),
		from("running_paused", started, pauses),
		from("running_drain", started, evicts),
		from("succeeded", started, reports(ReportEnded, AttemptSucceeded)),
		from("failed", started, reports(ReportEnded, AttemptFailed)),
		from("cancelled", started, cancels, reports(ReportEnded, AttemptCancelled)),
		from("skipped", reports(ReportSkipped, "")),
	}
}

var events = []struct {
	name string
	do   func(*scene) error
}{
	{"arm", arms},
	{"report_started", reports(ReportStarted, "")},
	{"report_succeeded", reports(ReportEnded, AttemptSucceeded)},
	{"report_failed", reports(ReportEnded, AttemptFailed)},
	{"report_cancelled", reports(ReportEnded, AttemptCancelled)},
	{"report_killed", reports(ReportKilled, "")},
	{"report_never", reports(ReportNever, "")},
	{"report_skipped", reports(ReportSkipped, "")},
	{"report_missed", reports(ReportMissed, "")},
	{"report_unknown_kind", reports("dreamt", "")},
	{"displace_move", displaces(DisplaceMove)},
	{"displace_lose", displaces(DisplaceLose)},
	{"displace_skip", displaces(DisplaceSkip)},
	{"displace_miss", displaces(DisplaceMiss)},
	{"displace_unknown", displaces("beam")},
	{"evict", evicts},
	{"pause", pauses},
	{"new_version", renews},
	{"new_version_after_due", renewsLate},
	{"manual_run", starts},
	{"cancel", cancels},
	{"delete", deletes},
}

// TestTransitions pins what every event does to a gate in every state.
func TestTransitions(t *testing.T) {
	var out strings.Builder
	for _, o := range origins() {
		fmt.Fprintf(&out, "%s: %s\n", o.name, o.make(t).describe())
		refused := map[string][]string{}
		for _, e := range events {
			s := o.make(t)
			earlier, before := s.view(), s.hash()
			if err := e.do(s); err == nil {
				fmt.Fprintf(&out, "  %-22s %s\n", e.name, s.describe())
			} else {
				refused[sentinel(err)] = append(refused[sentinel(err)], e.name)
				if s.hash() != before {
					t.Errorf("%s, %s: refused (%v), yet the state changed", o.name, e.name, err)
				}
			}
			checkInvariants(t, s.view())
			if digestOf(t, earlier) != before {
				t.Errorf("%s, %s: changed objects in place", o.name, e.name)
			}
		}
		for _, answer := range slices.Sorted(maps.Keys(refused)) {
			fmt.Fprintf(&out, "  %s: %s\n", answer, strings.Join(refused[answer], " "))
		}
	}
	golden(t, "transitions", out.String())
}

// describe says in one line where the scene's fire, run and gate stand.
func (s *scene) describe() string {
	v := s.view()
	if v.job(key("j")) == nil {
		return "job gone"
	}
	parts := []string{"gate gone", "run gone", "fire gone"}
	if sh := s.shard(); sh != nil {
		parts[0] = fmt.Sprintf("gate %s", sh.State)
		for _, flag := range []struct {
			on   bool
			name string
		}{{sh.Why != "", "for " + sh.Why}, {sh.Known, "known"}, {sh.Maybe, "maybe"}, {true, fmt.Sprint("#", sh.Current.Number)}} {
			if flag.on {
				parts[0] += " " + flag.name
			}
		}
	}
	if r := v.run(s.run.ID); r != nil {
		parts[1] = fmt.Sprintf("run %s", r.State)
		if r.Cancelling {
			parts[1] += " cancelling"
		}
		if len(r.Condition) > 0 {
			parts[1] += " behind " + strings.Join(r.Condition, ",")
		}
		parts[1] += fmt.Sprintf(" %d/%d", r.TasksDone, r.TasksTotal)
	}
	if f := v.fire(key("j"), s.run.ScheduledAt); f != nil {
		parts[2] = "fire undecided"
		if f.Outcome != "" {
			parts[2] = strings.TrimSpace("fire " + f.Outcome + " " + f.Reason)
		}
	}
	if m := v.run("manual"); m != nil {
		parts = append(parts, strings.TrimSpace(fmt.Sprintf("manual %s %s", m.State, m.Reason)))
		if len(m.WaitsFor) > 0 {
			parts[3] += " waits"
		}
	}
	return strings.Join(parts, "; ")
}

package scheduling

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/scheduling/cron"
)

// epoch is a round instant that schedules of these tests count from.
const epoch = fsm.Time(946_684_800e9) // 2000-01-01

func compiled(t interface{ Fatal(...any) }, s *fsm.Schedule) *cron.Schedule {
	c, err := CompileSchedule(key("a"), s)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// verdict is what a decision says, without the plumbing.
type verdict struct {
	Skip      string
	NotBefore fsm.Time
}

// naive decides every missed instant by reading the rules one after the other.
func naive(s *fsm.Schedule, c *cron.Schedule, instants []fsm.Time, now fsm.Time) map[fsm.Time]verdict {
	limit := map[string]int{fsm.MisfireSkip: 0, fsm.MisfireLast: 1, "": 1, fsm.MisfireAll: s.MisfireLimit}[s.Misfire]
	if s.Misfire == fsm.MisfireAll && limit == 0 {
		limit = 10
	}
	out := map[fsm.Time]verdict{}
	var run []fsm.Time
	for _, at := range instants {
		_, black := c.Blackout(at.Time())
		switch {
		case black:
			out[at] = verdict{Skip: fsm.ReasonBlackout}
		case s.StartDeadline > 0 && now > at.Add(s.StartDeadline):
			out[at] = verdict{Skip: fsm.ReasonMissed}
		default:
			run = append(run, at)
		}
	}
	for i, at := range run {
		switch made := i - (len(run) - min(limit, len(run))); {
		case made >= 0:
			out[at] = verdict{NotBefore: now.Add(fsm.Duration(made) * 1e9)}
		case s.Misfire == fsm.MisfireSkip:
			out[at] = verdict{Skip: fsm.ReasonMissed}
		default:
			out[at] = verdict{Skip: fsm.ReasonSuperseded}
		}
	}
	return out
}

// checkChain checks that each decision leads to the next, and the last one out
// of what was missed.
func checkChain(t *rapid.T, c *cron.Schedule, first fsm.Time, decided []due) {
	if decided[0].instant != first {
		t.Fatalf("begins at %s, the cursor stands at %s", decided[0].instant, first)
	}
	for i, d := range decided {
		next, err := nextInstant(c, max(d.instant, d.until))
		if err != nil {
			t.Fatal(err)
		}
		if d.next != next {
			t.Fatalf("%s leads to %s, the schedule says %s", d.instant, d.next, next)
		}
		if i > 0 && decided[i-1].next != d.instant {
			t.Fatalf("%s leads to %s, then comes %s", decided[i-1].instant, decided[i-1].next, d.instant)
		}
	}
}

func TestMisfireAgainstNaiveEnumeration(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := &fsm.Schedule{
			Every:   fsm.Duration(rapid.IntRange(1, 90).Draw(t, "every")) * 1e9,
			Misfire: rapid.SampledFrom([]string{"", fsm.MisfireSkip, fsm.MisfireLast, fsm.MisfireAll}).Draw(t, "misfire"),
		}
		if s.Misfire == fsm.MisfireAll {
			s.MisfireLimit = rapid.IntRange(0, 30).Draw(t, "limit")
		}
		if rapid.Bool().Draw(t, "has a deadline") {
			s.StartDeadline = fsm.Duration(rapid.IntRange(1, 3600).Draw(t, "deadline")) * 1e9
		}
		if rapid.Bool().Draw(t, "has a blackout") {
			from := epoch + fsm.Time(rapid.IntRange(0, 3600).Draw(t, "blackout"))*1e9
			s.Blackout = []fsm.Blackout{{From: from, To: from.Add(600e9)}}
		}
		c := compiled(t, s)
		first, err := nextInstant(c, epoch+fsm.Time(rapid.IntRange(0, 100).Draw(t, "begin"))*1e9)
		if err != nil {
			t.Fatal(err)
		}
		late := time.Duration(rapid.IntRange(0, 50_000).Draw(t, "late")) * time.Second
		now := first.Add(fsm.Duration(late) + fsm.Duration(rapid.IntRange(-1, 1).Draw(t, "ns")))
		decided, err := decideInstant(s, c, &fsm.Cursor{Next: first}, now, DefaultTiming())
		if err != nil {
			t.Fatal(err)
		}
		checkChain(t, c, first, decided)
		if now.Sub(first) <= DefaultTiming().Misfire {
			want := due{instant: first, next: decided[0].next, skip: blackout(c, first)}
			if len(decided) != 1 || decided[0] != want {
				t.Fatalf("decided %+v in time, want %+v", decided, want)
			}
			return
		}
		checkMissed(t, s, c, first, now, decided)
	})
}

func checkMissed(t *rapid.T, s *fsm.Schedule, c *cron.Schedule, first, now fsm.Time, decided []due) {
	var instants []fsm.Time
	for at := first; at != 0 && at <= now; {
		instants = append(instants, at)
		at, _ = nextInstant(c, at)
	}
	if extra := len(instants) - maxMissedRows; extra > 0 {
		row := due{instant: first, until: instants[extra-1], next: instants[extra], skip: fsm.ReasonMissed, count: extra}
		if decided[0] != row {
			t.Fatalf("summary %+v, want %+v", decided[0], row)
		}
		decided, instants = decided[1:], instants[extra:]
	}
	got := map[fsm.Time]verdict{}
	for _, d := range decided {
		got[d.instant] = verdict{d.skip, d.notBefore}
	}
	if diff := cmp.Diff(naive(s, c, instants, now), got); diff != "" {
		t.Fatalf("-naive +got: %s", diff)
	}
}

func TestMisfireOfAYearOfSeconds(t *testing.T) {
	s := &fsm.Schedule{Every: 1e9}
	c := compiled(t, s)
	const year = 366 * 86_400
	decided, err := decideInstant(s, c, &fsm.Cursor{Next: epoch}, epoch+(year-1)*1e9, DefaultTiming())
	if err != nil {
		t.Fatal(err)
	}
	total := 0
	for _, d := range decided {
		total += max(d.count, 1)
	}
	if total != year || len(decided) != maxMissedRows+1 {
		t.Errorf("%d instants in %d rows, want %d in %d", total, len(decided), year, maxMissedRows+1)
	}
}

// The rules of a zone change between two versions of the program, and the
// instant that the cursor stands on is none any more: it is decided all the same.
func TestMisfireOfAnInstantThatIsNoneAnyMore(t *testing.T) {
	s := &fsm.Schedule{Cron: "0 * * * *"}
	c := compiled(t, s)
	odd := epoch + 90e9
	for _, late := range []fsm.Duration{600e9, 2 * 3600e9, 2000 * 3600e9} {
		decided, err := decideInstant(s, c, &fsm.Cursor{Next: odd}, odd.Add(late), DefaultTiming())
		if err != nil {
			t.Fatal(err)
		}
		if len(decided) == 0 || decided[0].instant != odd {
			t.Fatalf("late by %s: decided %+v", late, decided)
		}
		if next := decided[0].next; next <= odd {
			t.Errorf("late by %s: leads to %s", late, next)
		}
	}
}

func TestMisfireOfAScheduleThatHasEnded(t *testing.T) {
	s := &fsm.Schedule{At: []fsm.Time{epoch, epoch + 60e9}}
	c := compiled(t, s)
	decided, err := decideInstant(s, c, &fsm.Cursor{Next: epoch}, epoch+3600e9, DefaultTiming())
	if err != nil {
		t.Fatal(err)
	}
	want := []due{
		{instant: epoch, next: epoch + 60e9, skip: fsm.ReasonSuperseded},
		{instant: epoch + 60e9, notBefore: epoch + 3600e9},
	}
	if diff := cmp.Diff(want, decided, cmp.AllowUnexported(due{})); diff != "" {
		t.Error(diff)
	}
}

// An outage in the middle of everything: every instant has its outcome, and the
// latest of each job runs.
func TestFiringAfterAnOutage(t *testing.T) {
	bubble(t, func(w *world) {
		defer w.nodes()()
		jobs := []fsm.JobSpec{specOf("last", every(30*time.Second)), specOf("all", every(time.Minute)), specOf("many", every(3*time.Second))}
		jobs[1].Schedules[0].Misfire = fsm.MisfireAll
		w.put(jobs...)
		began := w.now()
		stop := w.firing()
		w.after(time.Hour)
		stop()
		w.after(time.Hour)
		back := w.now()
		stop = w.firing()
		w.after(time.Minute)
		stop()
		until := w.now()
		w.checkFires(&jobs[0], began, until)
		w.checkFires(&jobs[1], began, until)
		spread := 0
		for r := range w.store.Read().Runs(jobs[1].Key()) {
			if r.NotBefore >= back && r.ScheduledAt < back && r.StartedAt >= r.NotBefore {
				spread++
			}
		}
		if spread < defaultMisfireLimit-1 {
			t.Errorf("%d missed runs were made up for", spread)
		}
		stats := w.store.Read().Stats(jobs[2].Key())
		if total := stats.Ran + stats.Skipped[fsm.ReasonMissed] + stats.Skipped[fsm.ReasonSuperseded]; total < 2420 || total > 2422 {
			t.Errorf("%d outcomes for 2420 instants: %+v", total, stats)
		}
	})
}

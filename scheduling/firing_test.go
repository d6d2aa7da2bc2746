package scheduling

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/rota-scheduler/rota/fsm"
)

const day = 24 * time.Hour

// mixed are jobs with schedules of every kind.
func mixed(w *world) []fsm.JobSpec {
	allow := fsm.OverlapAllow
	start := w.now()
	return []fsm.JobSpec{
		specOf("every-minute", every(time.Minute)),
		specOf("cron", fsm.Schedule{Cron: "*/15 * * * *", Overlap: allow}),
		specOf("seconds", fsm.Schedule{Cron: "30 */10 * * * *", Overlap: allow}),
		specOf("zoned", fsm.Schedule{Cron: "30 2 * * *", Timezone: "Europe/Berlin", Overlap: allow}),
		specOf("jitter", fsm.Schedule{Cron: "0 * * * *", Jitter: fsm.Duration(5 * time.Minute), Overlap: allow}),
		specOf("once", fsm.Schedule{At: []fsm.Time{start.Add(fsm.Duration(time.Hour)), start.Add(fsm.Duration(30 * time.Hour))}, Overlap: allow}),
		specOf("bounded", fsm.Schedule{Every: fsm.Duration(time.Hour), NotBefore: start.Add(fsm.Duration(5 * time.Hour)), NotAfter: start.Add(fsm.Duration(9 * time.Hour)), Overlap: allow}),
		specOf("blackout", fsm.Schedule{Cron: "*/30 * * * *", Overlap: allow, Blackout: []fsm.Blackout{{Cron: "0 3 * * *", Duration: fsm.Duration(2 * time.Hour)}}}),
		specOf("two", fsm.Schedule{Cron: "0 */2 * * *", Overlap: allow}, fsm.Schedule{Cron: "0 */3 * * *", Overlap: allow}),
	}
}

// firing runs what a leader needs for firing, with two nodes that never fall
// silent.
func (w *world) firing() (stop func()) {
	w.timing.Lease = 1000 * day
	w.leases = NewLeases(w.mono, w.timing)
	w.open("n1", "n2")
	w.clock.Lead()
	l := w.leader()
	end := w.lead(l.fire, l.place)
	return func() { end(); w.clock.Follow() }
}

func (w *world) nodes() (stop func()) {
	w.register("n1", 1, 100)
	w.register("n2", 1, 100)
	return w.lead(w.node("n1"), w.node("n2"))
}

func TestEveryInstantFiresOnceAHorizonAhead(t *testing.T) {
	bubble(t, func(w *world) {
		defer w.nodes()()
		jobs := mixed(w)
		w.put(jobs...)
		began := w.now()
		stop := w.firing()
		w.after(2*day + time.Second)
		stop()
		total := 0
		for i := range jobs {
			total += w.checkFires(&jobs[i], began, began.Add(fsm.Duration(2*day)))
			w.checkAhead(&jobs[i], began)
		}
		if total < 3500 {
			t.Errorf("only %d instants", total)
		}
		blacked := w.store.Read().Stats(key("blackout")).Skipped[fsm.ReasonBlackout]
		if blacked != 8 {
			t.Errorf("%d instants fell into a blackout, want 8", blacked)
		}
	})
}

// checkAhead checks that runs were committed in order, and a horizon before.
func (w *world) checkAhead(spec *fsm.JobSpec, began fsm.Time) {
	w.t.Helper()
	last := fsm.Time(0)
	for r := range w.store.Read().Runs(spec.Key()) {
		if r.CreatedAt < last {
			w.t.Errorf("%s: %s was committed before an earlier one", spec.Name, r.ScheduledAt)
		}
		last = r.CreatedAt
		ahead := r.ScheduledAt.Sub(r.CreatedAt)
		if r.CreatedAt > began && (ahead < w.timing.Horizon-time.Millisecond || ahead > w.timing.Horizon+gather) {
			w.t.Errorf("%s: %s was committed %v ahead", spec.Name, r.ScheduledAt, ahead)
		}
	}
}

func TestFiringThroughFailuresAndNewLeaders(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			bubble(t, func(w *world) {
				defer w.nodes()()
				rnd := rand.New(rand.NewPCG(seed, 1))
				w.fault = func(fsm.Opcode) fault {
					if rnd.IntN(3) > 0 {
						return works
					}
					return fault(rnd.IntN(4))
				}
				jobs := mixed(w)
				w.put(jobs...)
				began := w.now()
				end := began.Add(fsm.Duration(10 * time.Hour))
				// Leaders come and go, with the clocks of their machines set wrong.
				for w.now() < end {
					stop := w.firing()
					w.after(time.Duration(rand.N(int64(40 * time.Minute))))
					stop()
					w.step(time.Duration(rand.N(int64(2*time.Hour))) - time.Hour)
					w.after(time.Duration(rand.N(int64(4 * time.Second))))
				}
				stop := w.firing()
				w.after(time.Minute)
				stop()
				for i := range jobs {
					w.checkFires(&jobs[i], began, end)
				}
			})
		})
	}
}

func TestPauseVersionAndDeleteWhileArmed(t *testing.T) {
	bubble(t, func(w *world) {
		defer w.nodes()()
		spec := specOf("a", every(2*time.Second))
		other := specOf("b", every(time.Second))
		w.put(spec, other)
		began := w.now()
		stop := w.firing()
		defer func() { stop() }()
		for i := range 200 {
			w.after(time.Duration(300+37*i) * time.Millisecond)
			switch i % 4 {
			case 0:
				w.apply(fsm.OpSetPaused, fsm.SetPaused{At: w.now(), Job: spec.Key(), Paused: true})
			case 1:
				w.apply(fsm.OpSetPaused, fsm.SetPaused{At: w.now(), Job: spec.Key()})
			case 2:
				spec.Description = fmt.Sprint("version ", i)
				w.put(spec)
			case 3:
				stop()
				stop = w.firing()
			}
		}
		w.after(20 * time.Second)
		until := w.now().Add(-fsm.Duration(10 * time.Second))
		if n := w.checkFires(&spec, began, until); n < 300 {
			t.Errorf("only %d instants", n)
		}
		w.checkFires(&other, began, until)
		stats := w.store.Read().Stats(spec.Key())
		if stats.Ran == 0 || stats.Skipped[fsm.ReasonPaused] == 0 {
			t.Errorf("nothing ran, or nothing was paused: %+v", stats)
		}
		w.apply(fsm.OpDeleteJob, fsm.DeleteJob{At: w.now(), Job: spec.Key()})
		w.after(10 * time.Second)
		if w.store.Read().Job(spec.Key()) != nil {
			t.Error("the deleted job is still there")
		}
	})
}

// A pause skips what comes due during it, and nothing after it.
func TestAResumedJobRunsWhatComesNext(t *testing.T) {
	bubble(t, func(w *world) {
		defer w.nodes()()
		spec := specOf("a", every(10*time.Second))
		w.put(spec)
		began := w.now()
		defer w.firing()()
		pause := func(paused bool) {
			w.apply(fsm.OpSetPaused, fsm.SetPaused{At: w.now(), Job: spec.Key(), Paused: paused})
		}
		w.after(11 * time.Second)
		pause(true)
		w.after(16 * time.Second) // the instant at 20 s is due, that at 30 s within the horizon
		pause(false)
		w.after(10 * time.Second)
		for i, want := range []string{"ran ", "skipped paused", "ran "} {
			f := w.store.Read().Fire(spec.Key(), began.Add(fsm.Duration(10*(i+1))*1e9))
			if got := f.Outcome + " " + f.Reason; got != want {
				t.Errorf("fire %d: %q, want %q", i, got, want)
			}
		}
	})
}

// A new version cannot decide an instant while the old version's fire of it has
// not been taken back. To ask the log again and again would only fill it.
func TestWaitsForARetractedFireWithoutProposing(t *testing.T) {
	bubble(t, func(w *world) {
		w.register("n1", 1, 100) // it holds fires and does not answer
		w.register("n2", 1, 100)
		spec := specOf("a", every(time.Hour))
		w.put(spec)
		defer w.firing()()
		w.after(time.Hour - time.Second)
		spec.Description = "another"
		w.put(spec)
		before := w.proposed(fsm.OpDecideFires)
		w.after(10 * time.Minute)
		if n := w.proposed(fsm.OpDecideFires) - before; n > 12 {
			t.Errorf("%d proposals in ten minutes of waiting", n)
		}
		var gate *fsm.Shard
		for s := range w.store.Read().Held() {
			gate = s
		}
		w.report(gate.Current.Node, fsm.Report{AttemptRef: gate.Ref(), Kind: fsm.ReportNever})
		w.after(2 * time.Minute)
		for c := range w.store.Read().Cursors(spec.Key()) {
			if c.Decided == 0 || c.Next < w.now() {
				t.Errorf("the cursor still stands at %s", c.Next)
			}
		}
	})
}

// What a pass costs follows the fires that are due, not the jobs there are.
func TestFiringCostFollowsWhatIsDue(t *testing.T) {
	bubble(t, func(w *world) {
		w.register("n1", 1, 100)
		const far = 5_000
		for n := range far / 1000 {
			var specs []fsm.JobSpec
			for i := range 1000 {
				specs = append(specs, specOf(fmt.Sprintf("far-%d-%d", n, i), every(1000*time.Hour)))
			}
			w.put(specs...)
		}
		w.put(specOf("soon", every(10*time.Second)))
		w.timing.Lease = 1000 * day
		w.leases = NewLeases(w.mono, w.timing)
		w.open("n1")
		l := w.leader()
		f := &firer{Leader: l, broken: map[scheduleKey]fsm.Time{}, later: map[scheduleKey]fsm.Time{}}
		w.after(6 * time.Second)
		v := w.store.Watch()
		decisions, _ := f.collect(v)
		if len(decisions) != 1 || decisions[0].Job.Name != "soon" {
			t.Errorf("%d decisions", len(decisions))
		}
		if n := len(v.Changed()); n > 10 {
			t.Errorf("%d places of the store were read for one due fire", n)
		}
	})
}

func TestAScheduleThatCannotBeEvaluatedStopsAlone(t *testing.T) {
	bubble(t, func(w *world) {
		defer w.nodes()()
		bad := specOf("bad", fsm.Schedule{Cron: "no schedule", Overlap: fsm.OverlapAllow})
		w.apply(fsm.OpPutJobs, fsm.PutJobs{At: w.now(), Jobs: []fsm.PutJob{{Spec: bad, Next: []fsm.Time{w.now() + 1e9}}}})
		good := specOf("good", every(time.Second))
		w.put(good)
		began := w.now()
		stop := w.firing()
		w.after(time.Minute)
		stop()
		w.checkFires(&good, began, began.Add(fsm.Duration(time.Minute-time.Second)))
	})
}

// stubborn refuses every fire for good.
type stubborn struct{ *world }

func (s stubborn) Propose(ctx context.Context, op fsm.Opcode, command any) (any, uint64, error) {
	if _, _, err := s.world.Propose(ctx, op, command); err != nil && !errors.Is(err, errNoQuorum) {
		return nil, 0, err
	}
	return []error{fsm.ErrStale}, 0, nil
}

func TestFiringDoesNotSpinOnFailures(t *testing.T) {
	for name, proposer := range map[string]func(w *world) Proposer{
		"not committed": func(w *world) Proposer { return w },
		"refused":       func(w *world) Proposer { return stubborn{w} },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				w.register("n1", 1, 100)
				w.put(specOf("a", every(time.Second)))
				w.open("n1")
				w.fault = func(fsm.Opcode) fault { return refused }
				l := w.leader()
				l.Proposer = proposer(w)
				defer w.lead(l.fire)()
				w.after(10 * time.Second)
				if n := w.proposed(fsm.OpDecideFires); n < 10 || n > 10*int(time.Second/retryPause)+1 {
					t.Errorf("%d proposals in ten seconds", n)
				}
			})
		})
	}
}

package chaos

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/test/check"
	"github.com/rota-scheduler/rota/test/cluster"
	"github.com/rota-scheduler/rota/test/cluster/record"
	"github.com/rota-scheduler/rota/transport/api"
)

// askEvery is how often an API is asked while something is waited for.
const askEvery = 100 * time.Millisecond

// all is a page that holds everything that a scenario makes.
var all = api.Page{PerPage: 10_000}

// hurried says whether the machine has other things to do, as in make test: then
// scenarios are cut down to what shows most, and promised times get some slack.
func hurried() bool { return os.Getenv("CHAOS") == "" }

// slack is what is added to times that are promised.
func slack() time.Duration {
	if hurried() {
		return 3 * recoverWithin
	}
	return 0
}

// judge ends the load's time, waits until everything that was due is decided and
// done, and compares what the processes wrote with what the API says.
func (w *world) judge() {
	w.t.Helper()
	w.wait(2 * time.Second)
	w.editors.stop()
	w.callers.judge()
	to := fsm.At(time.Now())
	began := time.Now()
	evidence := w.settled(to)
	w.t.Logf("everything due is decided and done after %s more", time.Since(began).Round(100*time.Millisecond))
	evidence.Records = w.untilStandstill(w.load.records.Read())
	evidence.Attempts = w.attempts(evidence.Records)
	for _, key := range slices.SortedFunc(maps.Keys(w.load.kinds), compareKeys) {
		evidence.Due = append(evidence.Due, w.load.due(key, to))
	}
	w.editors.tell(&evidence)
	verdict := cluster.Check(evidence)
	w.t.Logf("%s", verdict)
	verdict.Judge(w.t)
	w.judgeSkips(evidence.Fires)
	w.lateness(evidence.Records)
	w.judgeStates()
}

func compareKeys(a, b fsm.JobKey) int { return strings.Compare(a.Name, b.Name) }

// settled returns the fires once every instant up to an instant has an outcome
// and its run has ended; or, when that takes too long, as they are: the checker
// then says what is missing.
func (w *world) settled(to fsm.Time) cluster.Evidence {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	e := cluster.Evidence{Describe: w.describe}
	for _, key := range slices.SortedFunc(maps.Keys(w.load.kinds), compareKeys) {
		var fires []fsm.Fire
		due := w.load.due(key, to).Instants
		err := pollSlowly(ctx, func() error {
			var err error
			if fires, err = w.fires(ctx, key); err != nil {
				return err
			}
			if err := decided(fires, due); err != nil {
				return err
			}
			return w.ended(ctx, key, to)
		})
		if err != nil {
			w.t.Errorf("%s has not settled within %s: %v", key, patience, err)
		}
		e.Fires = append(e.Fires, fires...)
	}
	return e
}

// pollSlowly asks an API, which has others to serve.
func pollSlowly(ctx context.Context, cond func() error) error {
	next := time.Now()
	var last error
	return cluster.Poll(ctx, func() error {
		if time.Now().Before(next) {
			return last
		}
		next = time.Now().Add(askEvery)
		last = cond()
		return last
	})
}

func (w *world) fires(ctx context.Context, key fsm.JobKey) ([]fsm.Fire, error) {
	list, err := w.c.Up()[0].Client().Fires(ctx, key, all, api.Read{Consistent: true})
	return list.Items, err
}

func decided(fires []fsm.Fire, due []fsm.Time) error {
	outcomes := map[fsm.Time]string{}
	for _, f := range fires {
		for _, at := range due {
			if at == f.ScheduledAt || at > f.ScheduledAt && at <= f.Until {
				outcomes[at] = f.Outcome
			}
		}
	}
	for _, at := range due {
		if outcomes[at] == "" {
			return fmt.Errorf("the fire of %s has no outcome", at)
		}
	}
	return nil
}

// ended says whether each run of a job that was due by then has ended, and as its
// kind should.
func (w *world) ended(ctx context.Context, key fsm.JobKey, to fsm.Time) error {
	list, err := w.c.Up()[0].Client().Runs(ctx, api.RunFilter{Job: key.Name}, all, api.Read{Consistent: true})
	if err != nil {
		return err
	}
	for _, r := range list.Items {
		if r.ScheduledAt <= to && !r.State.Ended() {
			return fmt.Errorf("run %s, due at %s, is %s", r.ID, r.ScheduledAt, r.State)
		}
	}
	for _, r := range list.Items {
		if r.ScheduledAt <= to && r.State != fsm.RunSucceeded && !w.load.kinds[key].terms.Cut {
			w.t.Errorf("run %s of %s, due at %s, ended as %s %s:\n%s", r.ID, key, r.ScheduledAt, r.State, r.Reason, w.describe(r.ID))
		}
	}
	return nil
}

// judgeSkips: only what a job's file allows is a reason.
func (w *world) judgeSkips(fires []fsm.Fire) {
	for _, f := range fires {
		key := fsm.JobKey{Namespace: f.Namespace, Name: f.Job}
		if f.Outcome == fsm.OutcomeSkipped && !w.load.allows(key, f.Reason) {
			w.t.Errorf("the fire of %s at %s is skipped: %s", key, f.ScheduledAt, f.Reason)
		}
	}
}

// lateness tells how late the plain jobs were, and the latest of the others.
func (w *world) lateness(records []record.Record) {
	late := map[string][]time.Duration{}
	for _, r := range records {
		kind, ok := w.load.kinds[fsm.JobKey{Namespace: r.Namespace, Name: r.Job}]
		if ok && r.Event == record.Begin && r.Attempt == 1 {
			late[kind.name] = append(late[kind.name], r.At.Sub(r.ScheduledAt))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(late)) {
		slices.Sort(late[name])
		n := len(late[name])
		w.t.Logf("  first attempts of %-8s %4d, late p50 %s, p99 %s, most %s", name+":", n,
			brief(late[name][n/2]), brief(late[name][n*99/100]), brief(late[name][n-1]))
	}
}

func brief(d time.Duration) time.Duration { return d.Round(time.Millisecond / 10) }

// attempts returns what the API says of the attempts of every run of the load that
// had more than one: all of these jobs may be tried again, but not after an attempt
// that succeeded, and one of which the cluster said that it never started must not
// have begun. What people run by hand they may also delete, and all about it.
func (w *world) attempts(records []record.Record) []check.Attempt {
	w.t.Helper()
	list := []check.Attempt{}
	mine := slices.DeleteFunc(slices.Clone(records), func(r record.Record) bool {
		_, ok := w.load.kinds[fsm.JobKey{Namespace: r.Namespace, Name: r.Job}]
		return !ok
	})
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	for _, id := range cluster.Repeated(mine) {
		var run api.Run
		if err := pollSlowly(ctx, func() error { // it may lose its leader on a busy machine
			var err error
			run, _, err = w.c.Up()[0].Client().Run(ctx, id, api.Read{Consistent: true})
			return err
		}); err != nil {
			w.t.Errorf("the attempts of run %s: %v", id, err)
			continue
		}
		list = append(list, cluster.AttemptsOf(&run)...)
	}
	w.t.Logf("%d attempts of runs that had more than one", len(list))
	return list
}

// describe tells what the API says of a run's attempts.
func (w *world) describe(id string) string {
	run, _, err := w.c.Up()[0].Client().Run(w.t.Context(), id, api.Read{})
	if err != nil {
		return "    " + err.Error() + "\n"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "    %s %s, due %s, not before %s, created %s\n", run.State, run.Reason, run.ScheduledAt, run.NotBefore, run.CreatedAt)
	for _, task := range run.Tasks {
		for _, shard := range task.Items {
			for _, a := range append(shard.Past, shard.Current) {
				fmt.Fprintf(&b, "    %s/%d attempt %d on %s incarnation %d: armed %s, started %s, ended %s, %s %d %s\n",
					task.Name, shard.Index, a.Number, a.Node, a.Incarnation, a.ArmedAt, a.StartedAt, a.EndedAt, a.Outcome, a.ExitCode, a.Error)
			}
			fmt.Fprintf(&b, "    %s/%d is %s, waits: %s\n", task.Name, shard.Index, shard.State, shard.Waiting)
		}
	}
	return b.String()
}

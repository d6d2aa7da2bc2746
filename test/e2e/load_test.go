package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/test/cluster"
	"github.com/rota-scheduler/rota/test/cluster/record"
	"github.com/rota-scheduler/rota/transport/api"
)

// everySecond is the schedule of the load: each instant may run beside the one
// before, and what a long outage misses is made up for.
var everySecond = fsm.Schedule{
	Cron: "* * * * * *", Overlap: fsm.OverlapAllow, Misfire: fsm.MisfireAll, MisfireLimit: 1000,
}

// settleWithin bounds what the cluster does by itself, on a busy machine.
const settleWithin = 60 * time.Second

// load is a number of jobs that run every second, and what they wrote.
type load struct {
	t       *testing.T
	c       *cluster.Cluster
	records *cluster.Records
	// since is when each job came to be: its instants after that are due.
	since map[fsm.JobKey]fsm.Time
	// phase is how far from whole seconds a job's instants are.
	phase map[fsm.JobKey]fsm.Time
	// spread is the part of each second over which the jobs are due.
	spread time.Duration
}

// startLoad applies n jobs, which are all due at whole seconds.
func startLoad(t *testing.T, c *cluster.Cluster, n int) *load {
	t.Helper()
	return startLoadOf(t, c, n, everySecond)
}

// startLoadOf applies n jobs of a schedule that is due once a second.
func startLoadOf(t *testing.T, c *cluster.Cluster, n int, schedule fsm.Schedule) *load {
	t.Helper()
	return startLoadWith(t, c, n, schedule, func(*fsm.JobSpec) {})
}

// startLoadWith is startLoadOf for jobs that are changed before they are applied.
func startLoadWith(t *testing.T, c *cluster.Cluster, n int, schedule fsm.Schedule, change func(*fsm.JobSpec)) *load {
	t.Helper()
	l := &load{
		t: t, c: c, records: cluster.NewRecords(t), spread: time.Duration(schedule.Jitter),
		since: map[fsm.JobKey]fsm.Time{}, phase: map[fsm.JobKey]fsm.Time{},
	}
	var specs []fsm.JobSpec
	for i := range n {
		specs = append(specs, fsm.JobSpec{
			Namespace: fsm.DefaultNamespace, Name: fmt.Sprintf("tick-%02d", i),
			Schedules: []fsm.Schedule{schedule},
			Tasks:     []fsm.Task{l.records.Task("main", 0, 0)},
			History:   fsm.History{Runs: 1000},
		})
		change(&specs[i])
	}
	put(t, c.Client(0), specs...)
	for i := range specs {
		job, err := c.Client(0).Job(t.Context(), specs[i].Key(), 0)
		if err != nil {
			t.Fatal(err)
		}
		l.since[job.Key()] = job.CreatedAt
		l.phase[job.Key()] = job.Next % fsm.Time(time.Second)
	}
	return l
}

// put applies jobs and fails the test if they are refused.
func put(t *testing.T, client *api.Client, specs ...fsm.JobSpec) {
	t.Helper()
	if _, err := client.PutJobs(t.Context(), specs, false); err != nil {
		t.Fatalf("applying %d jobs: %v", len(specs), err)
	}
}

// verify waits for the outcomes of everything that is due up to now, and checks
// them. The outcomes other than "ran" that the test allows are its own matter.
func (l *load) verify() *cluster.Verdict {
	l.t.Helper()
	to := fsm.At(time.Now())
	evidence := cluster.Evidence{Describe: l.describe}
	for job, since := range l.since {
		due := cluster.Every(job, time.Second, l.phase[job], since, to)
		evidence.Due = append(evidence.Due, due)
		evidence.Fires = append(evidence.Fires, l.settled(job, due.Instants)...)
	}
	evidence.Records = l.records.Read()
	verdict := cluster.Check(evidence)
	l.t.Logf("%s: %s", l.t.Name(), verdict)
	verdict.Judge(l.t)
	return verdict
}

// verifyAllRan is verify for a test that no fire may be skipped in.
func (l *load) verifyAllRan() *cluster.Verdict {
	l.t.Helper()
	verdict := l.verify()
	if verdict.Ran != verdict.Due {
		l.t.Errorf("%d fires were due, %d ran", verdict.Due, verdict.Ran)
	}
	return verdict
}

// settled returns a job's fires once each of the instants has an outcome and
// its run has ended; or, when that takes too long, as they are: the checker
// then says what is missing.
func (l *load) settled(job fsm.JobKey, instants []fsm.Time) []fsm.Fire {
	l.t.Helper()
	var fires []fsm.Fire
	ctx, cancel := context.WithTimeout(l.t.Context(), settleWithin)
	defer cancel()
	err := cluster.Poll(ctx, func() error {
		client := l.c.Up()[0].Client()
		list, err := client.Fires(ctx, job, api.Page{PerPage: 10_000}, api.Read{Consistent: true})
		if err != nil {
			return err
		}
		fires = list.Items
		return l.allDecided(ctx, client, job, fires, instants)
	})
	if err != nil {
		l.t.Logf("%s has not settled: %v", job, err)
	}
	return fires
}

func (l *load) allDecided(ctx context.Context, client *api.Client, job fsm.JobKey, fires []fsm.Fire, instants []fsm.Time) error {
	outcomes, runs := map[fsm.Time]string{}, map[string]fsm.RunState{}
	for _, f := range fires {
		outcomes[f.ScheduledAt] = f.Outcome
	}
	list, err := client.Runs(ctx, api.RunFilter{Job: job.Name}, api.Page{PerPage: 10_000}, api.Read{})
	if err != nil {
		return err
	}
	last := instants[len(instants)-1]
	for _, r := range list.Items {
		runs[r.ID] = r.State
		if r.ScheduledAt <= last && !r.State.Ended() {
			return fmt.Errorf("run %s, due at %s, is %s", r.ID, r.ScheduledAt, r.State)
		}
	}
	for _, at := range instants {
		if outcomes[at] == "" {
			return fmt.Errorf("the fire of %s has no outcome", at)
		}
	}
	return nil
}

// describe tells what the API says of a run's attempts.
func (l *load) describe(id string) string {
	run, _, err := l.c.Up()[0].Client().Run(l.t.Context(), id, api.Read{})
	if err != nil {
		return "    " + err.Error() + "\n"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "    %s %s, not before %s, created %s\n", run.State, run.Reason, run.NotBefore, run.CreatedAt)
	for _, task := range run.Tasks {
		for _, shard := range task.Items {
			for _, a := range append(shard.Past, shard.Current) {
				fmt.Fprintf(&b, "    %s/%d attempt %d on %s incarnation %d: armed %s, started %s, ended %s, %s %s\n",
					task.Name, shard.Index, a.Number, a.Node, a.Incarnation, a.ArmedAt, a.StartedAt, a.EndedAt, a.Outcome, a.Error)
			}
		}
	}
	return b.String()
}

// quiet returns in a moment in which nothing of the load runs: an instant's work
// is done, the log has it, and the next instant is not near.
func (l *load) quiet() {
	l.t.Helper()
	cluster.Eventually(l.t, settleWithin, "a moment in which nothing runs", func() error {
		now := time.Now()
		instant := now.Truncate(time.Second)
		if into := now.Sub(instant); into < l.spread+350*time.Millisecond || into > l.spread+600*time.Millisecond {
			return fmt.Errorf("%s into the second", into)
		}
		if err := l.recorded(instant); err != nil {
			return err
		}
		return l.logged(instant)
	})
}

// recorded says whether each job's process for the instant has ended, and no
// other runs.
func (l *load) recorded(instant time.Time) error {
	running, done := map[int]bool{}, map[string]bool{}
	for _, r := range l.records.Read() {
		running[r.PID] = r.Event == record.Begin
		if r.ScheduledAt.Truncate(time.Second).Equal(instant) && r.Event == record.End {
			done[r.Job] = true
		}
	}
	for pid, yes := range running {
		if yes {
			return fmt.Errorf("process %d runs", pid)
		}
	}
	if len(done) != len(l.since) {
		return fmt.Errorf("%d of %d jobs are done with %s", len(done), len(l.since), instant)
	}
	return nil
}

// logged says whether the log has the end of every run up to the instant. A node
// that dies for good takes with it what it has not reported yet.
func (l *load) logged(instant time.Time) error {
	for _, state := range []fsm.RunState{fsm.RunPending, fsm.RunRunning} {
		list, err := l.c.Leader().Client().Runs(l.t.Context(), api.RunFilter{State: state}, api.Page{PerPage: 10_000}, api.Read{})
		if err != nil {
			return err
		}
		for _, r := range list.Items {
			if r.ScheduledAt < fsm.At(instant.Add(time.Second)) {
				return fmt.Errorf("run %s is %s", r.ID, state)
			}
		}
	}
	return nil
}

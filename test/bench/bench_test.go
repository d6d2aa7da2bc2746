package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/test/cluster"
	"github.com/rota-scheduler/rota/test/cluster/record"
	"github.com/rota-scheduler/rota/transport/api"
)

// size picks the full figure, or the small one of an ordinary test run.
func size(full, small int) int {
	if os.Getenv("ROTA_BENCH") == "full" {
		return full
	}
	return small
}

// perCall is how many jobs put applies in a call.
const perCall = 1000

// put applies specs in calls of a thousand, and returns how long that took.
func put(t *testing.T, client *api.Client, specs []fsm.JobSpec) time.Duration {
	t.Helper()
	start := time.Now()
	for batch := range slices.Chunk(specs, perCall) {
		// The leader may change under the load: to apply again changes nothing.
		cluster.Eventually(t, time.Minute, "jobs are applied", func() error {
			_, err := client.PutJobs(t.Context(), batch, false)
			return err
		})
	}
	return time.Since(start)
}

func specs(n int, name string, sched fsm.Schedule, task fsm.Task) []fsm.JobSpec {
	list := make([]fsm.JobSpec, n)
	for i := range list {
		list[i] = fsm.JobSpec{
			Namespace: fsm.DefaultNamespace, Name: fmt.Sprintf("%s-%06d", name, i),
			Schedules: []fsm.Schedule{sched}, Tasks: []fsm.Task{task},
		}
	}
	return list
}

// lateness waits for the records of n starts and says how late they were.
func lateness(t *testing.T, records *cluster.Records, want int, within time.Duration) []time.Duration {
	t.Helper()
	var late []time.Duration
	cluster.Eventually(t, within, fmt.Sprintf("%d starts", want), func() error {
		late = late[:0]
		for _, r := range records.Read() {
			if r.Event == record.Begin && !r.ScheduledAt.IsZero() {
				late = append(late, r.At.Sub(r.ScheduledAt))
			}
		}
		if len(late) < want {
			return fmt.Errorf("%d so far", len(late))
		}
		return nil
	})
	return late
}

// TestEverySecond: a hundred jobs every second, all at its beginning, where the
// last can be no sooner than the machine can start a hundred programs; and the
// same spread over the second, as jobs of many owners are.
func TestEverySecond(t *testing.T) {
	static := programs(t)[0]
	for _, c := range []struct {
		name   string
		jitter time.Duration
	}{{"spread", time.Second}, {"at once", 0}} {
		t.Run(c.name, func(t *testing.T) { everySecond(t, c.name, static, fsm.Duration(c.jitter)) })
	}
}

func everySecond(t *testing.T, name string, static program, jitter fsm.Duration) {
	jobs, seconds := size(100, 10), size(30, 3)
	c := cluster.Start(t, cluster.Options{Args: []string{"--capacity", "10000"}})
	one := perSecond(floorOf(t, static).rate, 1)
	records := cluster.NewRecords(t).Unsynced() // what is measured is the program's own
	sched := fsm.Schedule{Cron: "* * * * * *", Overlap: fsm.OverlapAllow, Jitter: jitter}
	put(t, c.Client(0), specs(jobs, "tick", sched, records.Task("t", 0, 0)))
	late := lateness(t, records, jobs*seconds, time.Duration(seconds+60)*time.Second)
	measured := cluster.Percentiles(late) // which sorts them
	last := one
	if jitter == 0 {
		last = time.Duration(jobs) * one
	}
	r := row{
		what: fmt.Sprintf("%d jobs every second, %s", jobs, name), bar: "p50 5 ms, p99 50 ms late", measured: measured,
		floor: "last start " + last.Round(10*time.Microsecond).String(), ratio: times(late[len(late)*99/100], last) + " at p99",
	}
	result(t, r)
}

// perSecond is how long n things take at so many a second.
func perSecond(rate float64, n int) time.Duration {
	return time.Duration(float64(n) / rate * float64(time.Second))
}

// TestBurst: a thousand jobs due in one second. They run the floor's program, so
// the instants are those that the nodes have seen, not the programs themselves.
func TestBurst(t *testing.T) {
	for _, p := range programs(t) {
		t.Run(filepath.Base(p.path), func(t *testing.T) { burst(t, p) })
	}
}

func burst(t *testing.T, p program) {
	jobs := size(1000, 50)
	c := cluster.Start(t, cluster.Options{Args: []string{"--capacity", "10000"}})
	floor := floorOf(t, p)
	at := time.Now().Add(time.Duration(size(8, 4)) * time.Second).Truncate(time.Second)
	task := fsm.Task{Name: "t", Driver: fsm.DriverExec, Command: p.path}
	put(t, c.Client(0), specs(jobs, "burst", fsm.Schedule{At: []fsm.Time{fsm.At(at)}}, task))
	before := used(t, c)
	var late []time.Duration
	gently(t, "every job has run", func() (err error) {
		late, err = startedLate(t.Context(), c.Client(0), jobs)
		return err
	})
	last, ideal, spent := slices.Max(late), perSecond(floor.rate, jobs), used(t, c).sub(before)
	r := row{
		what: fmt.Sprintf("%d jobs due at once (%s), last start", jobs, p.name), bar: "1.5 × the floor",
		measured: last.Round(time.Millisecond).String(), floor: fmt.Sprintf("%d/%.0f a second", jobs, floor.rate),
		ratio: times(last, ideal) + "; " + byProcessor(spent, jobs, floor),
	}
	result(t, r)
	t.Log(cluster.Percentiles(late))
	logEach(t, spent, jobs)
}

// startedLate returns how late the runs started, once all have succeeded.
func startedLate(ctx context.Context, client *api.Client, want int) (late []time.Duration, err error) {
	list, err := client.Runs(ctx, api.RunFilter{State: fsm.RunSucceeded}, api.Page{PerPage: 10_000}, api.Read{})
	if err != nil {
		return nil, err
	}
	for _, r := range list.Items {
		late = append(late, time.Duration(r.StartedAt.Sub(r.ScheduledAt)))
	}
	if len(late) < want {
		return nil, fmt.Errorf("%d of %d so far", len(late), want)
	}
	return late, nil
}

// TestTriggers: one-by-one triggers from sixteen clients, to the end of each run.
func TestTriggers(t *testing.T) {
	for _, p := range programs(t) {
		t.Run(filepath.Base(p.path), func(t *testing.T) { triggers(t, p) })
	}
}

func triggers(t *testing.T, p program) {
	runs, clients := size(3000, 60), 16
	c := cluster.Start(t, cluster.Options{Args: []string{"--capacity", "10000"}})
	floor := floorOf(t, p)
	job := fsm.JobSpec{
		Namespace: fsm.DefaultNamespace, Name: "now",
		Tasks:   []fsm.Task{{Name: "t", Driver: fsm.DriverExec, Command: p.path}},
		History: fsm.History{Runs: 10_000},
	}
	put(t, c.Client(0), []fsm.JobSpec{job})
	leader := c.Leader().Client()
	before := used(t, c)
	start := time.Now()
	trigger(t, leader, job.Key(), runs, clients)
	triggered := time.Since(start)
	var last time.Time
	gently(t, "every run ends", func() (err error) {
		last, err = ended(t.Context(), leader, runs)
		return err
	})
	rate, spent := float64(runs)/last.Sub(start).Seconds(), used(t, c).sub(before)
	r := row{
		what: fmt.Sprintf("immediate runs (%s), %d clients, to their end", p.name, clients), bar: "50% of the floor",
		measured: fmt.Sprintf("%.0f/s", rate), floor: fmt.Sprintf("%.0f/s", floor.rate),
		ratio: fmt.Sprintf("%.0f%%; %s", 100*rate/floor.rate, byProcessor(spent, runs, floor)),
	}
	result(t, r)
	t.Logf("%d runs triggered in %s", runs, triggered.Round(time.Millisecond))
	logEach(t, spent, runs)
}

// trigger starts runs of a job, one by one from each of the clients.
func trigger(t *testing.T, leader *api.Client, job fsm.JobKey, runs, clients int) {
	t.Helper()
	work := make(chan struct{}, runs)
	for range runs {
		work <- struct{}{}
	}
	close(work)
	var wg sync.WaitGroup
	for range clients {
		wg.Go(func() {
			for range work {
				if err := runNow(t.Context(), leader, job); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// runNow triggers a run. On a machine that does other things the leader may change:
// then it asks again, and one run too many does no harm here.
func runNow(ctx context.Context, client *api.Client, job fsm.JobKey) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	return cluster.Poll(ctx, func() error {
		_, err := client.RunJob(ctx, job, "")
		return err
	})
}

// ended returns when the last of all runs ended.
func ended(ctx context.Context, client *api.Client, want int) (last time.Time, err error) {
	list, err := client.Runs(ctx, api.RunFilter{Job: "now", State: fsm.RunSucceeded}, api.Page{PerPage: 10_000}, api.Read{})
	if err != nil {
		return last, err
	}
	if len(list.Items) < want {
		return last, fmt.Errorf("%d of %d", len(list.Items), want)
	}
	for _, r := range list.Items {
		if end := r.EndedAt.Time(); end.After(last) {
			last = end
		}
	}
	return last, nil
}

// gently waits for what costs the cluster something to look at: long lists, asked
// for many times a second, would take a good part of the machine that is measured.
func gently(t *testing.T, what string, cond func() error) {
	t.Helper()
	var next time.Time
	cluster.Eventually(t, 2*time.Minute, what, func() error {
		if time.Now().Before(next) {
			return errors.New("not looked yet")
		}
		defer func() { next = time.Now().Add(time.Second) }()
		return cond()
	})
}

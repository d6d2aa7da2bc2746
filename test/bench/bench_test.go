package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/test/cluster"
	"github.com/rota-scheduler/rota/test/cluster/record"
	"github.com/rota-scheduler/rota/transport/api"
)

func TestMain(m *testing.M) { os.Exit(cluster.Main(m)) }

// size picks the full figure, or the small one of an ordinary test run.
func size(full, small int) int {
	if os.Getenv("ROTA_BENCH") == "full" {
		return full
	}
	return small
}

// floorRate is how many times a second one Go program can start a trivial static
// program and wait for it, with as many goroutines as helps.
func floorRate(t *testing.T, program []string) float64 {
	t.Helper()
	n := size(2000, 100)
	work := make(chan struct{}, n)
	for range n {
		work <- struct{}{}
	}
	close(work)
	var wg sync.WaitGroup
	start := time.Now()
	for range 2 * runtime.NumCPU() {
		wg.Go(func() {
			for range work {
				if err := exec.Command(program[0], program[1:]...).Run(); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	return float64(n) / time.Since(start).Seconds()
}

func percentiles(d []time.Duration) string {
	if len(d) == 0 {
		return "none"
	}
	slices.Sort(d)
	at := func(p int) time.Duration { return d[min(len(d)-1, len(d)*p/100)].Round(10 * time.Microsecond) }
	return fmt.Sprintf("p50 %s, p99 %s, most %s", at(50), at(99), d[len(d)-1].Round(10*time.Microsecond))
}

// put applies specs in calls of a thousand, and returns how long that took.
func put(t *testing.T, client *api.Client, specs []fsm.JobSpec) time.Duration {
	t.Helper()
	start := time.Now()
	for batch := range slices.Chunk(specs, 1000) {
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
	for name, jitter := range map[string]time.Duration{"at once": 0, "spread": time.Second} {
		t.Run(name, func(t *testing.T) { everySecond(t, fsm.Duration(jitter)) })
	}
}

func everySecond(t *testing.T, jitter fsm.Duration) {
	jobs, seconds := size(100, 10), size(30, 3)
	c := cluster.Start(t, cluster.Options{Args: []string{"--capacity", "10000"}})
	records := cluster.NewRecords(t).Unsynced() // what is measured is the program's own
	sched := fsm.Schedule{Cron: "* * * * * *", Overlap: fsm.OverlapAllow, Jitter: jitter}
	put(t, c.Client(0), specs(jobs, "tick", sched, records.Task("t", 0, 0)))
	late := lateness(t, records, jobs*seconds, time.Duration(seconds+60)*time.Second)
	t.Logf("%d jobs every second, %d starts: %s late (bar: p50 5 ms, p99 50 ms)", jobs, len(late), percentiles(late))
}

// TestBurst: a thousand jobs due in one second. They run the floor's program, so
// the instants are those that the nodes have seen, not the programs themselves.
func TestBurst(t *testing.T) {
	jobs := size(1000, 50)
	c := cluster.Start(t, cluster.Options{Args: []string{"--capacity", "10000"}})
	floor := floorRate(t, []string{"/bin/true"})
	at := time.Now().Add(time.Duration(size(8, 4)) * time.Second).Truncate(time.Second)
	task := fsm.Task{Name: "t", Driver: fsm.DriverExec, Command: "/bin/true"}
	put(t, c.Client(0), specs(jobs, "burst", fsm.Schedule{At: []fsm.Time{fsm.At(at)}}, task))
	before := used(t, c)
	var late []time.Duration
	gently(t, "every job has run", func() error {
		late = late[:0]
		list, err := c.Client(0).Runs(t.Context(), api.RunFilter{State: fsm.RunSucceeded}, api.Page{PerPage: 10_000}, api.Read{})
		if err != nil {
			return err
		}
		for _, r := range list.Items {
			late = append(late, time.Duration(r.StartedAt.Sub(r.ScheduledAt)))
		}
		if len(late) < jobs {
			return fmt.Errorf("%d so far", len(late))
		}
		return nil
	})
	last, spent := slices.Max(late), used(t, c).sub(before)
	each := func(d time.Duration) time.Duration { return (d / time.Duration(jobs)).Round(time.Microsecond) }
	ideal := time.Duration(float64(jobs) / floor * float64(time.Second))
	t.Logf("%d jobs due at once: last start %s after the instant, %.2f of what the floor of %.0f/s allows (bar: 1.5); %s; processor time a run: agents %s, supervisors %s, the program itself %s",
		jobs, last.Round(time.Millisecond), float64(last)/float64(ideal), floor, percentiles(late), each(spent.agent), each(spent.supervisor), each(spent.jobs))
}

// TestTriggers: one-by-one triggers from sixteen clients, to the end of each run.
func TestTriggers(t *testing.T) {
	runs, clients := size(3000, 60), 16
	c := cluster.Start(t, cluster.Options{Args: []string{"--capacity", "10000"}})
	floor := floorRate(t, []string{"/bin/true"})
	job := fsm.JobSpec{
		Namespace: fsm.DefaultNamespace, Name: "now",
		Tasks:   []fsm.Task{{Name: "t", Driver: fsm.DriverExec, Command: "/bin/true"}},
		History: fsm.History{Runs: 10_000},
	}
	put(t, c.Client(0), []fsm.JobSpec{job})
	leader := c.Leader().Client()
	work := make(chan int, runs)
	for i := range runs {
		work <- i
	}
	close(work)
	before := used(t, c)
	var wg sync.WaitGroup
	start := time.Now()
	for range clients {
		wg.Go(func() {
			for range work {
				if _, err := leader.RunJob(t.Context(), job.Key(), ""); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	triggered := time.Since(start)
	var last time.Time
	gently(t, "every run ends", func() (err error) {
		last, err = ended(t.Context(), leader, runs)
		return err
	})
	took := last.Sub(start)
	spent := used(t, c).sub(before)
	rate := float64(runs) / took.Seconds()
	t.Logf("%d runs from %d clients: %.0f/s from trigger to end, %.0f%% of the floor of %.0f/s (bar: 50%%); triggered in %s",
		runs, clients, rate, 100*rate/floor, floor, triggered.Round(time.Millisecond))
	logEach(t, spent, runs)
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

package e2e

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/test/cluster"
	"github.com/rota-scheduler/rota/transport/api"
)

const (
	// leaderWithin is the promise: a new leader after the old one is killed.
	leaderWithin = 2 * time.Second
	loadedJobs   = 20
)

// TestKillLeader kills the leader three times in a row, in a moment in which
// nothing runs. There is a new one soon, no fire is lost or doubled, and the
// killed node comes back to the same state.
func TestKillLeader(t *testing.T) {
	c := cluster.Start(t, cluster.Options{})
	l := startLoad(t, c, loadedJobs)
	for range 3 {
		l.quiet()
		old := c.Leader()
		killed := time.Now()
		old.Kill()
		var written time.Duration
		var writing sync.WaitGroup
		writing.Go(func() { written = nextWrite(t, c, killed) })
		found := cluster.NextLeader(t, c, old.Name, killed)
		writing.Wait()
		t.Logf("leader %s killed: %s leads after %s, writes through every node after %s", old.Name, found.Name, found.After, written)
		if found.After > leaderWithin {
			t.Errorf("a new leader took %s, want at most %s", found.After, leaderWithin)
		}
		old.Start()
		c.WaitReady()
	}
	cluster.Until(t, time.Now().Add(2*time.Second)) // some fires after the last fault
	l.verifyAllRan()
	pauseAll(t, c, l)
	sameState(t, c)
}

// TestStopLeader: a leader that is told to stop hands over; nothing is lost.
func TestStopLeader(t *testing.T) {
	c := cluster.Start(t, cluster.Options{})
	l := startLoad(t, c, loadedJobs)
	l.quiet()
	old := c.Leader()
	asked := time.Now()
	stopped := make(chan struct{})
	go func() { defer close(stopped); old.Stop() }()
	found := cluster.NextLeader(t, c, old.Name, asked)
	t.Logf("leader %s stopped: %s leads after %s", old.Name, found.Name, found.After)
	if found.After > leaderWithin {
		t.Errorf("a new leader took %s, want at most %s", found.After, leaderWithin)
	}
	<-stopped
	t.Logf("the agent took %s to stop; writes through the others after %s", time.Since(asked), nextWrite(t, c, asked))
	cluster.Until(t, time.Now().Add(7*time.Second)) // past the horizon of what the old one decided
	old.Start()
	c.WaitReady()
	l.verifyAllRan()
}

// nextWrite sends a write to every node that is up, and returns how long after
// since the last of them was acknowledged. A node that knows no leader waits for
// one, which may be itself; all that has to be repeated is a write that the dead
// leader may have got.
func nextWrite(t *testing.T, c *cluster.Cluster, since time.Time) time.Duration {
	t.Helper()
	var wg sync.WaitGroup
	for _, n := range c.Up() {
		wg.Go(func() {
			began := time.Now()
			err := writeOnce(t.Context(), n, since)
			for api.ErrorCode(err) == api.CodeUnknownFate {
				err = writeOnce(t.Context(), n, since)
			}
			if err != nil {
				t.Errorf("a write through %s during the election, given up after %s: %v", n.Name, time.Since(began), err)
			}
		})
	}
	wg.Wait()
	return time.Since(since)
}

// writeOnce changes a job. Doing so twice is harmless.
func writeOnce(ctx context.Context, n *cluster.Node, since time.Time) error {
	_, err := n.Client().PutJobs(ctx, []fsm.JobSpec{{
		Namespace: fsm.DefaultNamespace, Name: "probe-" + n.Name, Description: fmt.Sprint(since.UnixNano()),
		Tasks: []fsm.Task{{Name: "main", Driver: fsm.DriverNoop}},
	}}, false)
	return err
}

// pauseAll pauses the load and waits until nothing of it is active.
func pauseAll(t *testing.T, c *cluster.Cluster, l *load) {
	t.Helper()
	client := c.Leader().Client()
	for job := range l.since {
		if _, err := client.PauseJob(t.Context(), job, settleWithin); err != nil {
			t.Fatalf("pausing %s: %v", job, err)
		}
	}
	cluster.Eventually(t, settleWithin, "the end of all runs", func() error { return noneActive(t.Context(), client) })
}

func noneActive(ctx context.Context, client *api.Client) error {
	for _, state := range []fsm.RunState{fsm.RunPending, fsm.RunRunning} {
		list, err := client.Runs(ctx, api.RunFilter{Namespace: api.AllNamespaces, State: state}, api.Page{}, api.Read{Consistent: true})
		if err != nil {
			return err
		}
		if len(list.Items) > 0 {
			return fmt.Errorf("run %s of %s is %s", list.Items[0].ID, list.Items[0].Job, state)
		}
	}
	return nil
}

// state is what one node's replica says, apart from its index.
type state struct {
	Jobs  []api.Job
	Specs []*fsm.JobSpec
	Fires [][]fsm.Fire
	Runs  []fsm.Run
}

// stateOf reads a node's own replica. Fires later than until are left out: a
// paused job goes on counting instants.
func stateOf(ctx context.Context, client *api.Client, until fsm.Time) (state, error) {
	page := api.Page{PerPage: 10_000}
	jobs, err := client.Jobs(ctx, api.AllNamespaces, page, api.Read{})
	if err != nil {
		return state{}, err
	}
	s := state{Jobs: jobs.Items}
	for i := range s.Jobs {
		s.Jobs[i].Next, s.Jobs[i].Stats = 0, nil
		job, err := client.Job(ctx, s.Jobs[i].Key(), 0)
		if err != nil {
			return state{}, err
		}
		s.Specs = append(s.Specs, job.Spec)
		fires, err := client.Fires(ctx, s.Jobs[i].Key(), page, api.Read{})
		if err != nil {
			return state{}, err
		}
		s.Fires = append(s.Fires, before(fires.Items, until))
	}
	runs, err := client.Runs(ctx, api.RunFilter{Namespace: api.AllNamespaces}, page, api.Read{})
	s.Runs = runs.Items
	return s, err
}

func before(fires []fsm.Fire, until fsm.Time) []fsm.Fire {
	var kept []fsm.Fire
	for _, f := range fires {
		if f.ScheduledAt <= until {
			kept = append(kept, f)
		}
	}
	return kept
}

// sameState waits until every node says the same of everything, and returns it.
func sameState(t *testing.T, c *cluster.Cluster) state {
	t.Helper()
	until := fsm.At(time.Now())
	var want state
	cluster.Eventually(t, settleWithin, "equal state on every node", func() error {
		for i, n := range c.Up() {
			got, err := stateOf(t.Context(), n.Client(), until)
			if err != nil {
				return err
			}
			if i == 0 {
				want = got
			} else if diff := cmp.Diff(want, got); diff != "" {
				return fmt.Errorf("%s and %s differ:\n%s", c.Up()[0].Name, n.Name, diff)
			}
		}
		return nil
	})
	return want
}

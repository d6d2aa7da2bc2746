package e2e

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/test/cluster"
)

const (
	// elsewhereWithin is within which an idempotent task whose node was lost is
	// started again. The promise is half of it; this machine may be busy.
	elsewhereWithin = 6 * time.Second
	lossStopAfter   = 5 * time.Second
	lossGrace       = time.Second
	// beatEvery is about how long lies between two signs of life.
	beatEvery = 100 * time.Millisecond
)

// beatScript ignores TERM and gives signs of life: a minute of them in the first
// attempt, a second in later ones.
const beatScript = `
trap '' TERM
n=600
[ $ROTA_ATTEMPT -gt 1 ] && n=10
while [ $n -gt 0 ]; do
  echo $ROTA_RUN_ID $ROTA_ATTEMPT $ROTA_NODE $$ $(date +%s%N) >> "$NOTES"
  n=$((n-1))
  sleep 0.1
done
`

// life is what a process wrote of itself.
type life struct {
	attempt, node, pid string
	first, last        time.Time
}

// TestKilledNode: a node loses supervisor, agent and jobs at once.
func TestKilledNode(t *testing.T) {
	t.Parallel()
	c := cluster.Start(t, cluster.Options{})
	loseNode(t, c, c.Followers()[0], (*cluster.Node).Kill)
}

// TestCutOffNode: a follower loses its network, and then the leader does. The
// processes live on at first: the supervisor ends them before others are started
// elsewhere.
func TestCutOffNode(t *testing.T) {
	t.Parallel()
	network := cluster.OwnNetwork(t, 3)
	if network == nil {
		return
	}
	c := cluster.Start(t, cluster.Options{Network: network})
	cut := func(n *cluster.Node) { network.Cut(slices.Index(c.Nodes, n)) }
	for _, victim := range []func() *cluster.Node{func() *cluster.Node { return c.Followers()[0] }, c.Leader} {
		n := victim()
		loseNode(t, c, n, cut)
		network.Mend(slices.Index(c.Nodes, n))
		c.WaitReady()
		t.Logf("%s is back", n.Name)
	}
}

// loseNode runs work on a node, loses that node, and judges what the processes
// wrote.
func loseNode(t *testing.T, c *cluster.Cluster, victim *cluster.Node, lose func(*cluster.Node)) {
	t.Helper()
	n := newNotes(t)
	task := n.task("main", beatScript)
	task.StopAfter, task.Grace = fsm.Duration(lossStopAfter), fsm.Duration(lossGrace)
	idempotent := task
	idempotent.Idempotent = true
	put(t, c.Client(0), oneTask("plain", task), oneTask("idempotent", idempotent))
	leader, other := c.Leader(), c.Followers()[0]
	if other == victim {
		other = c.Followers()[1]
	}
	plain := runOn(t, other, "plain", victim)
	twice := runOn(t, other, "idempotent", victim)
	beating(t, n, plain, twice)
	t.Logf("losing %s; %s leads", victim.Name, leader.Name)
	lost := time.Now()
	lose(victim)
	for _, id := range []string{plain, twice} {
		if run := waitRun(t, other.Client(), id); run.State != fsm.RunSucceeded {
			t.Errorf("run %s is %s: %s", id, run.State, run.Reason)
		}
	}
	judgeFenced(t, lost, livesOf(t, n, plain))
	judgeQuick(t, lost, livesOf(t, n, twice))
}

// runOn starts runs of a job until one is on the node, and cancels the others.
func runOn(t *testing.T, asked *cluster.Node, job string, on *cluster.Node) string {
	t.Helper()
	for range 12 {
		id := runJob(t, asked.Client(), job)
		if waitRunning(t, asked.Client(), id).NodeName == on.Name {
			return id
		}
		defer func() {
			if _, err := asked.Client().CancelRun(t.Context(), id); err != nil {
				t.Errorf("cancelling run %s: %v", id, err)
			}
		}()
	}
	t.Fatalf("none of twelve runs of %s was placed on %s", job, on.Name)
	return ""
}

// beating waits for a few signs of life of each run.
func beating(t *testing.T, n *notes, runs ...string) {
	t.Helper()
	cluster.Eventually(t, settleWithin, "signs of life", func() error {
		for _, id := range runs {
			count := 0
			for _, line := range n.lines() {
				if line[0] == id {
					count++
				}
			}
			if count < 3 {
				return fmt.Errorf("%d of run %s", count, id)
			}
		}
		return nil
	})
}

// livesOf returns the processes of a run, by their first sign of life.
func livesOf(t *testing.T, n *notes, id string) []life {
	t.Helper()
	var lives []life
	for _, line := range n.lines() {
		if line[0] != id {
			continue
		}
		at := nanos(t, line[4])
		same := func(l life) bool { return l.attempt == line[1] && l.node == line[2] && l.pid == line[3] }
		if i := slices.IndexFunc(lives, same); i >= 0 {
			lives[i].last = at
		} else {
			lives = append(lives, life{line[1], line[2], line[3], at, at})
		}
	}
	return lives
}

// judgeFenced: the work was started elsewhere once, after the end of the first
// process.
func judgeFenced(t *testing.T, lost time.Time, lives []life) {
	t.Helper()
	if len(lives) != 2 || lives[0].node == lives[1].node || lives[1].attempt != "2" {
		t.Errorf("want two processes on two nodes: %+v", lives)
		return
	}
	t.Logf("plain: the first process last lived %s after the loss, the second started %s after it",
		lives[0].last.Sub(lost), lives[1].first.Sub(lost))
	if gap := lives[1].first.Sub(lives[0].last); gap <= 0 {
		t.Errorf("two processes lived at a time, for %s", -gap)
	}
	if most := lossStopAfter + lossGrace; lives[0].last.Sub(lost) > most+beatEvery {
		t.Errorf("the first process outlived the loss by %s, want at most %s", lives[0].last.Sub(lost), most)
	}
}

// judgeQuick: the work was started elsewhere once, soon.
func judgeQuick(t *testing.T, lost time.Time, lives []life) {
	t.Helper()
	if len(lives) != 2 || lives[0].node == lives[1].node || lives[1].attempt != "2" {
		t.Errorf("idempotent: want two processes on two nodes: %+v", lives)
		return
	}
	after := lives[1].first.Sub(lost)
	t.Logf("idempotent: the second process started %s after the loss", after)
	if after > elsewhereWithin {
		t.Errorf("an idempotent task was started elsewhere after %s, want at most %s", after, elsewhereWithin)
	}
}

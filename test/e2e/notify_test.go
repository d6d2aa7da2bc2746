package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/test/cluster"
	"github.com/rota-scheduler/rota/transport/api"
)

// TestWebhooksAcrossLeaders: while jobs end all the time, leaders are killed. Each
// event arrives at least once, under one ID that nothing else has. A receiver that
// hangs, one that answers 500 for a while and one that is down keep neither the
// others nor any fire.
func TestWebhooksAcrossLeaders(t *testing.T) {
	jobs, kills := 20, 5
	if testing.Short() {
		jobs, kills = 6, 2
	}
	c := cluster.Start(t, cluster.Options{})
	good, hanging, flaky := newHookServer(t, 150*time.Millisecond), newHookServer(t, 0), newHookServer(t, 0)
	hanging.hanging.Store(true)
	flaky.broken.Store(true)
	down := newHookServer(t, 0)
	down.Close()
	l := startLoadWith(t, c, jobs, everySecond, func(s *fsm.JobSpec) {
		s.Notify = good.hook(s.Name, fsm.EventSuccess, fsm.EventFailure)
	})
	tell := func(name string, hook []fsm.Notify, task fsm.Task) {
		s := oneTask(name, task)
		s.Schedules, s.History, s.Notify = []fsm.Schedule{everySecond}, fsm.History{Runs: 1000}, hook
		put(t, c.Client(0), s)
	}
	noop := fsm.Task{Name: "main", Driver: fsm.DriverNoop}
	failing := cluster.NewRecords(t).Task("main", 0, 3)
	failing.Retry = fsm.Retry{Attempts: 2, Backoff: fsm.Duration(time.Millisecond)}
	tell("failing", good.hook("failing", fsm.EventRetry, fsm.EventFailure), failing)
	tell("flaky", flaky.hook("x", fsm.EventSuccess), noop)
	tell("hanging", hanging.hook("x", fsm.EventSuccess), noop)
	tell("down", down.hook("x", fsm.EventSuccess), noop)
	for i := range kills {
		begun := len(good.requests())
		cluster.Eventually(t, settleWithin, "more events", func() error {
			if n := len(good.requests()); n < begun+3*jobs {
				return fmt.Errorf("%d events since the last kill", n-begun)
			}
			return nil
		})
		old := c.Leader()
		if i%2 == 0 {
			old.KillAgent() // its jobs go on
			c.WaitReady()
			continue
		}
		l.quiet()
		killed := time.Now()
		old.Kill()
		cluster.NextLeader(t, c, old.Name, killed)
		old.Start()
		c.WaitReady()
		flaky.broken.Store(false)
	}
	c.WaitReady()
	l.verifyAllRan()
	pauseJobs(t, c, "failing", "flaky", "hanging", "down")
	pauseAll(t, c, l)
	for job := range l.since {
		waitDelivered(t, c, job.Name)
		checkTold(t, c, good, job.Name)
	}
	for _, job := range []string{"failing", "flaky"} {
		waitDelivered(t, c, job)
	}
	checkTold(t, c, good, "failing")
	checkTold(t, c, flaky, "flaky")
	checkIDs(t, good)
	for _, job := range []string{"hanging", "down"} {
		if waiting, err := notificationsOf(t.Context(), c, job); err != nil || len(waiting) == 0 {
			t.Errorf("nothing of %s waits: %v", job, err)
		}
	}
}

func pauseJobs(t *testing.T, c *cluster.Cluster, names ...string) {
	t.Helper()
	for _, name := range names {
		if _, err := c.Leader().Client().PauseJob(t.Context(), fsm.JobKey{Namespace: fsm.DefaultNamespace, Name: name}, settleWithin); err != nil {
			t.Fatalf("pausing %s: %v", name, err)
		}
	}
}

// checkTold compares what arrived with the job's runs: each end of a run was told,
// and nothing else.
func checkTold(t *testing.T, c *cluster.Cluster, h *hookServer, job string) {
	t.Helper()
	list, err := c.Up()[0].Client().Runs(t.Context(), api.RunFilter{Job: job}, api.Page{PerPage: 10_000}, api.Read{Consistent: true})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]bool{}
	for _, run := range list.Items {
		switch run.State {
		case fsm.RunSucceeded:
			want["success "+run.ID] = true
		case fsm.RunFailed:
			want["failure "+run.ID] = true
		}
	}
	ended := len(want)
	retried := map[string]bool{}
	for _, messages := range h.requests() {
		m := messages[0]
		switch {
		case m.Job != job:
		case m.Name == fsm.EventRetry:
			retried[m.RunID] = true
		case !want[told(m)]:
			t.Errorf("%s was told, and did not happen", told(m))
		default:
			want[told(m)] = false
		}
	}
	for event, missing := range want {
		if run, failed := strings.CutPrefix(event, "failure "); failed && !retried[run] {
			t.Errorf("the retry in run %s was never told", run)
		}
		if missing {
			t.Errorf("%s was never told", event)
		}
	}
	if ended == 0 {
		t.Errorf("no run of %s has ended: this test shows nothing", job)
	}
}

// checkIDs: one event has one ID, and one ID is of one event.
func checkIDs(t *testing.T, h *hookServer) {
	t.Helper()
	ids := map[string]string{}
	requests, repeats := 0, 0
	for id, messages := range h.requests() {
		requests += len(messages)
		repeats += len(messages) - 1
		for _, m := range messages {
			if other, known := ids[told(m)]; known && other != id {
				t.Errorf("%s was told as %s and as %s", told(m), id, other)
			}
			ids[told(m)] = id
			if told(m) != told(messages[0]) {
				t.Errorf("ID %s is of %q and of %q", id, told(m), told(messages[0]))
			}
		}
	}
	t.Logf("%d requests told of %d events; %d were repeats", requests, len(ids), repeats)
}

// TestExecNotification: a command hears of a failure; one that takes too long is
// killed with what it started, and tried again. No secret shows anywhere.
func TestExecNotification(t *testing.T) {
	c := cluster.Start(t, cluster.Options{})
	n := newNotes(t)
	endless := "sleep 86399.125"
	s := oneTask("broken", fsm.Task{Name: "main", Driver: fsm.DriverShell, Command: "echo about to fail; exit 3"})
	s.Notify = []fsm.Notify{
		{Kind: fsm.NotifyExec, On: []string{fsm.EventFailure}, Command: "/bin/sh", Args: []string{"-c", `echo told $ROTA_EVENT $ROTA_EVENT_ID $ROTA_RUN_ID $ROTA_EXIT_CODE >> "$NOTES"`}, Env: map[string]string{"NOTES": n.path}},
		{Kind: fsm.NotifyWebhook, On: []string{fsm.EventFailure}, URL: "http://" + closedPort(t) + "/" + hookSecret, Secret: hookSecret},
	}
	slow := oneTask("slow-to-tell", fsm.Task{Name: "main", Driver: fsm.DriverShell, Command: "exit 1"})
	slow.Notify = []fsm.Notify{{
		Kind: fsm.NotifyExec, On: []string{fsm.EventFailure}, Command: "/bin/sh", Args: []string{"-c", `echo began >> "$NOTES"; ` + endless + ` & wait`},
		Env: map[string]string{"NOTES": n.path}, Timeout: fsm.Duration(time.Second),
	}}
	follower := c.Followers()[0]
	put(t, follower.Client(), s, slow)
	id := runJob(t, follower.Client(), "broken")
	runJob(t, follower.Client(), "slow-to-tell")
	var event []string
	cluster.Eventually(t, settleWithin, "what was told, and a second try of what hangs", func() error {
		began := 0
		for _, line := range n.lines() {
			if line[0] == "began" {
				began++
			} else {
				event = line
			}
		}
		if event == nil || began < 2 {
			return fmt.Errorf("told %v, %d tries", event, began)
		}
		return nil
	})
	if len(event) != 5 || event[1] != fsm.EventFailure || event[3] != id || event[4] != "3" {
		t.Errorf("told %q of run %s", event, id)
	}
	waiting, err := notificationsOf(t.Context(), c, "slow-to-tell")
	if err != nil || len(waiting) != 1 || !strings.Contains(waiting[0].LastError, "timeout") {
		t.Errorf("waiting %+v, %v", waiting, err)
	}
	if r := c.CLI(follower, "notifications"); r.Code != 0 || !strings.Contains(r.Stdout, "slow-to-tell") || !strings.Contains(r.Stdout, "refused") {
		t.Errorf("notifications: exit code %d\n%s%s", r.Code, r.Stdout, r.Stderr)
	}
	if err := c.Leader().Client().DeleteJob(t.Context(), slow.Key(), 0); err != nil {
		t.Fatal(err)
	}
	seen := c.CLI(follower, "notifications", "-o", "json").Stdout + c.CLI(follower, "runs", "-o", "json").Stdout
	job := c.CLI(follower, "job", "broken", "-o", "json").Stdout
	if !strings.Contains(job, fsm.RedactedSecret) {
		t.Errorf("the job does not say that there is a secret:\n%s", job)
	}
	for _, node := range c.Nodes {
		seen += node.Log()
	}
	if text := seen + strings.Replace(job, "/"+hookSecret, "", 1); strings.Contains(text, hookSecret) {
		t.Errorf("a secret shows:\n%s", text)
	}
	for _, node := range c.Up() { // the tries go on for a day: end them, and with them what they started
		node.Stop()
	}
	if left := processesWith(endless); len(left) > 0 {
		t.Errorf("processes %v are left of a command that was killed", left)
	}
}

// TestSlowAndLostAreTold: a run that takes longer than its job expects, and then
// loses its node, tells of both, and of its end.
func TestSlowAndLostAreTold(t *testing.T) {
	t.Parallel()
	c := cluster.Start(t, cluster.Options{})
	hooks := newHookServer(t, 0)
	n := newNotes(t)
	task := n.task("main", `while [ ! -e "$GATE" ]; do sleep 0.2; done`)
	task.StopAfter, task.Grace = fsm.Duration(5*time.Second), fsm.Duration(time.Second)
	s := oneTask("long", task)
	s.ExpectedDuration = fsm.Duration(time.Second)
	s.Notify = hooks.hook("x", fsm.EventSlow, fsm.EventLost, fsm.EventSuccess, fsm.EventFailure, fsm.EventRetry)
	put(t, c.Client(0), s)
	id := runJob(t, c.Client(0), "long")
	events := func() string {
		var names []string
		for _, messages := range hooks.requests() {
			if messages[0].RunID == id {
				names = append(names, messages[0].Name)
			}
		}
		slices.Sort(names)
		return strings.Join(names, " ")
	}
	await := func(want string) {
		t.Helper()
		cluster.Eventually(t, settleWithin, "the events "+want, func() error {
			if got := events(); got != want {
				return fmt.Errorf("told %q", got)
			}
			return nil
		})
	}
	await("slow")
	victim := c.Node(waitRunning(t, c.Client(0), id).NodeName)
	victim.Kill()
	await("lost slow")
	n.open()
	await("lost slow success")
	for _, messages := range hooks.requests() {
		if m := messages[0]; m.Name == fsm.EventLost && (m.EventAttempt == nil || m.Node != victim.Name || m.Attempt != 1) {
			t.Errorf("what was lost is %+v, want attempt 1 on %s", m.EventAttempt, victim.Name)
		}
	}
}
